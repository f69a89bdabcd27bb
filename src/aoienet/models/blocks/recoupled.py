"""BNext's units: a factor per channel from a mixture of input and result ("information recoupling"), and its 3x3 attention."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aoienet import parts
from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value
from aoienet.nn.layer import BinaryLayer, activation

REDUCTION = 8  # of the squeeze; BNext's code


@dataclass(frozen=True)
class Recoupled:
    """One binary convolution; `copies` units side by side double the width (concatenated).

    attention   the result is multiplied with the shortcut, behind a nonlinearity of its own, before it is added to it

    Source    BNext (Guo 2022), arXiv 2211.12933; hpi-xnor/BNext, src/bnext.py: Attention, FFN_3x3, FFN_1x1
    """

    out: int
    kernel: int = 3
    stride: int = 1
    attention: bool = False
    copies: int = 1

    @property
    def geometry(self) -> tuple[tuple[int, int], ...]:
        return ((self.kernel, self.stride),)

    def out_channels(self, in_channels: int) -> int:
        return self.out

    def build(self, in_channels: int, cell: Cell) -> nn.Module:
        units = [RecoupledUnit(in_channels, self, cell) for _ in range(self.copies)]
        return units[0] if self.copies == 1 else SideBySide(units)


class Excite(nn.Module):
    """A factor in (0, 1) per channel: mean over the map, linear, ReLU, linear, sigmoid; a vector."""

    def __init__(self, channels: int):
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // REDUCTION)
        self.relu = activation("relu", channels // REDUCTION)
        self.excite = nn.Linear(channels // REDUCTION, channels)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return torch.sigmoid(self.excite(self.relu(self.squeeze(x_NCHW.mean(dim=(2, 3))))))[:, :, None, None]

    def emit(self, g: Graph, x: Value) -> Value:
        return g.sigmoid(g.part(self.excite, g.part(self.relu, g.part(self.squeeze, g.mean(x)))))


class RecoupledUnit(nn.Module):
    """y = act(layer(x)); y *= excite(mix s + (1 - mix) y); attention: y *= r; x' = BN(y) + r; s = shortcut(x), r = s or
    shortcut(PReLU(x))."""

    def __init__(self, in_channels: int, spec: Recoupled, cell: Cell):
        super().__init__()
        out = spec.out // spec.copies
        self.layer = BinaryLayer(in_channels, out, spec.kernel, spec.stride, cell)
        self.act = activation(cell.out_act, out)
        self.shortcut = parts.find("nn.shortcut", cell.shortcut)(in_channels, out, spec.stride, cell)
        self.attention = spec.attention
        self.shortcut_act = activation(cell.out_act, in_channels) if spec.attention else nn.Identity()
        self.mix = nn.Parameter(torch.full((out, 1, 1), 0.5))
        self.excite = Excite(out)
        self.bn = nn.BatchNorm2d(out)

    def share(self) -> Tensor:
        """The mixture; held in [0, 1] in training, as the latent weights are held in their range (quant/weights.py)."""
        if self.training:
            with torch.no_grad():
                self.mix.clamp_(0, 1)
        return self.mix

    def forward(self, x_NCHW: Tensor) -> Tensor:
        s, y, share = self.shortcut(x_NCHW), self.act(self.layer(x_NCHW)), self.share()
        y = y * self.excite(share * s + (1 - share) * y)
        if self.attention:
            s = self.shortcut(self.shortcut_act(x_NCHW))
            y = y * s
        return self.bn(y) + s

    def emit(self, g: Graph, x: Value) -> Value:
        x = g.fix(x)
        s, y, share = g.fix(g.part(self.shortcut, x)), g.fix(g.part(self.act, g.part(self.layer, x))), self.share()
        y = g.mul(y, g.part(self.excite, g.add(g.affine(s, share, 0.0), g.affine(y, 1 - share, 0.0))))
        if self.attention:
            s = g.fix(g.part(self.shortcut, g.part(self.shortcut_act, x)))
            y = g.mul(y, s)
        return g.add(g.part(self.bn, y), s)


class SideBySide(nn.Module):
    """The results of several units, concatenated."""

    def __init__(self, units: list[nn.Module]):
        super().__init__()
        self.units = nn.ModuleList(units)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return torch.cat([unit(x_NCHW) for unit in self.units], dim=1)

    def emit(self, g: Graph, x: Value) -> Value:
        x = g.fix(x)
        first, *others = [g.part(unit, x) for unit in self.units]
        for y in others:
            first = g.concat(first, y)
        return first
