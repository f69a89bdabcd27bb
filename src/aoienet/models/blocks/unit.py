"""The block of nearly every published network: one or two binary convolutions beside a shortcut."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from aoienet import parts
from aoienet.nn.cell import Cell
from aoienet.nn.conv import Kernel
from aoienet.nn.graph import Graph, Value
from aoienet.nn.layer import BinaryLayer, activation
from aoienet.nn.tail import NOTHING, tail


@dataclass(frozen=True)
class Unit:
    """`convs` convolutions, the first one with the stride; between two of them the cell's `act`.

    join    add: to the shortcut of the input (Bi-Real Net with convs=1, ResNet with convs=2)
            none: no shortcut (BNN's VGG)
            concat: the result is appended to the input (MeliusNet's dense block)
            tail: it is added to the last `out` channels (MeliusNet's improvement block)
    cell    of this block alone; None = the network's
    """

    out: int
    kernel: Kernel = 3
    stride: int = 1
    convs: int = 1
    join: Literal["add", "none", "concat", "tail"] = "add"
    cell: Cell | None = None

    @property
    def geometry(self) -> tuple[tuple[int, int], ...]:
        side = self.kernel if isinstance(self.kernel, int) else max(self.kernel)
        return ((side, self.stride), *((side, 1),) * (self.convs - 1))

    def out_channels(self, in_channels: int) -> int:
        return {"concat": in_channels + self.out, "tail": in_channels}.get(self.join, self.out)

    def build(self, in_channels: int, cell: Cell) -> nn.Module:
        own = cell if self.cell is None else replace(self.cell, map_hw=cell.map_hw)
        return BinaryUnit(in_channels, self, own)


class BinaryUnit(nn.Module):
    """x' = BN_shift(act(out_act(layers(x)) + shortcut(x))) (design note A2, A3, B0)."""

    def __init__(self, in_channels: int, unit: Unit, cell: Cell):
        super().__init__()
        self.join, self.out, self.in_channels = unit.join, unit.out, in_channels
        self.layers = nn.ModuleList()
        self.between = nn.ModuleList()
        channels, stride, inner = in_channels, unit.stride, cell
        for i in range(unit.convs):
            self.between.append(activation(cell.act, channels) if i else nn.Identity())
            self.layers.append(BinaryLayer(channels, unit.out, unit.kernel, stride, inner))
            channels, stride, inner = unit.out, 1, inner.after(stride)
        self.out_act = activation(cell.out_act, unit.out)
        kind = cell.shortcut if unit.join == "add" else "none"
        self.shortcut: nn.Module = nn.Identity()
        if kind != "none":
            self.shortcut = parts.find("nn.shortcut", kind)(in_channels, unit.out, unit.stride, cell)
        self.act = activation(cell.act, unit.out)
        self.shift = nn.BatchNorm2d(unit.out) if cell.shift else nn.Identity()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        *inner, last = self.layers
        y = x_NCHW
        for layer, act in zip(inner, list(self.between)[1:], strict=True):
            y = tail(layer.before_bn(y), None, layer.bn, act, NOTHING)
        y, norm = last.before_bn(y), last.bn
        if self.join in ("concat", "tail") or not isinstance(self.out_act, nn.Identity):
            y, norm = tail(y, None, norm, self.out_act, NOTHING), NOTHING
        if self.join == "concat":
            return torch.cat((x_NCHW, y), dim=1)
        if self.join == "tail":
            kept, added = x_NCHW[:, : -self.out], x_NCHW[:, -self.out :]
            return torch.cat((kept, added + y), dim=1)
        return tail(y, self.shortcut(x_NCHW) if self.join == "add" else None, norm, self.act, self.shift)

    def emit(self, g: Graph, x: Value) -> Value:
        y = x = g.fix(x)
        for between, layer in zip(self.between, self.layers, strict=True):
            y = g.part(layer, g.part(between, y))
        y = g.part(self.out_act, y)
        if self.join == "concat":
            return g.concat(x, y)
        if self.join == "tail":
            kept = g.channels(x, 0, self.in_channels - self.out)
            return g.concat(kept, g.add(g.channels(x, self.in_channels - self.out, self.in_channels), y))
        if self.join == "add":
            y = g.add(g.fix(y), g.part(self.shortcut, x))
        return g.part(self.shift, g.part(self.act, y))


def residual(widths: tuple[tuple[int, int, int], ...], convs: int = 1) -> tuple[Unit, ...]:
    """Stages given as (width, units, stride of the first unit)."""
    return tuple(Unit(w, 3, s if i == 0 else 1, convs) for w, n, s in widths for i in range(n))
