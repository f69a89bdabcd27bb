"""Group-Net's body: every residual block is a weighted sum of K binary blocks (bases), and a base reads mostly its own past."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from aoienet import parts
from aoienet.nn.activation.relu import ReLU
from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value
from aoienet.nn.layer import BinaryLayer


@dataclass(frozen=True)
class Groups:
    """Stages of (width, groups, stride of the first), two convolutions per group; all groups with `bases` branches.

    Source    Group-Net (Zhuang 2019), arXiv 1811.10413; bohanzhuang/Group-Net-image-classification, model_ablation_1.py
    """

    stages: tuple[tuple[int, int, int], ...]
    bases: int = 5

    @property
    def strides(self) -> tuple[tuple[int, int], ...]:
        """(width, stride) of each group."""
        return tuple((width, stride if i == 0 else 1) for width, n, stride in self.stages for i in range(n))

    @property
    def geometry(self) -> tuple[tuple[int, int], ...]:
        return tuple(step for _, stride in self.strides for step in ((3, stride), (3, 1)))

    def out_channels(self, in_channels: int) -> int:
        return self.stages[-1][0]

    def build(self, in_channels: int, cell: Cell) -> nn.Module:
        return GroupBody(in_channels, self, cell)


class Base(nn.Module):
    """sign, convolution, ReLU, batch norm, + shortcut; twice."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, cell: Cell):
        super().__init__()
        cell = replace(cell, bn=False)
        self.first = BinaryLayer(in_channels, out_channels, 3, stride, cell)
        self.second = BinaryLayer(out_channels, out_channels, 3, 1, cell.after(stride))
        self.after = nn.ModuleList(nn.Sequential(ReLU(out_channels), nn.BatchNorm2d(out_channels)) for _ in range(2))

    def forward(self, x_NCHW: Tensor, shortcut_NCHW: Tensor) -> Tensor:
        y = self.after[0](self.first(x_NCHW)) + shortcut_NCHW
        return self.after[1](self.second(y)) + y

    def emit(self, g: Graph, x: Value, shortcut: Value) -> Value:
        y = g.fix(g.add(g.part(self.after[0], g.part(self.first, x)), shortcut))
        return g.add(g.part(self.after[1], g.part(self.second, y)), y)


class Group(nn.Module):
    """total = sum of scale_k base_k(x_k), x_k = share base_k' + (1 - share) total', share = sigmoid(gate); ' the group before.

    gated   False in the first group: every base reads the total
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, bases: int, gated: bool, cell: Cell):
        super().__init__()
        self.bases = nn.ModuleList(Base(in_channels, out_channels, stride, cell) for _ in range(bases))
        self.shortcut = parts.find("nn.shortcut", cell.shortcut)(in_channels, out_channels, stride, cell)
        self.scales = nn.Parameter(torch.rand(bases))
        self.gate = nn.Parameter(torch.rand(())) if gated else None

    def forward(self, total_NCHW: Tensor, before: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        inputs = [total_NCHW] * len(self.bases)
        if self.gate is not None:
            share = torch.sigmoid(self.gate)
            inputs = [share * x + (1 - share) * total_NCHW for x in before]
        out = [base(x, self.shortcut(x)) for base, x in zip(self.bases, inputs, strict=True)]
        return torch.stack([scale * y for scale, y in zip(self.scales, out, strict=True)]).sum(dim=0), out

    def emit(self, g: Graph, total: Value, before: list[Value]) -> tuple[Value, list[Value]]:
        inputs = [total] * len(self.bases)
        if self.gate is not None:
            share = torch.sigmoid(self.gate)
            rest = g.fix(g.affine(total, 1 - share, 0.0))
            inputs = [g.fix(g.add(g.affine(x, share, 0.0), rest)) for x in before]
        out = [g.fix(g.part(base, x, g.part(self.shortcut, x))) for base, x in zip(self.bases, inputs, strict=True)]
        total, *others = [g.affine(y, scale, 0.0) for y, scale in zip(out, self.scales, strict=True)]
        for y in others:
            total = g.add(total, y)
        return g.fix(total), out


class GroupBody(nn.Module):
    """The groups one after another; the last total goes on."""

    def __init__(self, in_channels: int, spec: Groups, cell: Cell):
        super().__init__()
        self.count = spec.bases
        self.groups = nn.ModuleList()
        for width, stride in spec.strides:
            self.groups.append(Group(in_channels, width, stride, spec.bases, len(self.groups) > 0, cell))
            in_channels, cell = width, cell.after(stride)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        total, bases = x_NCHW, [x_NCHW] * self.count
        for group in self.groups:
            total, bases = group(total, bases)
        return total

    def emit(self, g: Graph, x: Value) -> Value:
        total = g.fix(x)
        bases = [total] * self.count
        for group in self.groups:
            total, bases = g.part(group, total, bases)
        return total
