"""FracBNN's precision gating: the high bit everywhere, the full 2-bit activation where the high bit says that it matters."""

from typing import Any

import torch
from torch import Tensor, nn

from aoienet import parts
from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value
from aoienet.quant.activation import ActivationQuantizer, Levels
from aoienet.quant.ste import surrogate, surrogate_sign

SLOPE = 5.0  # of the gate's sigmoid: FracBNN's code
HIGH_BIT = 2 / 3  # value of the high bit of the levels -1, -1/3, 1/3, 1


class Above(torch.autograd.Function):
    """1 where d > 0; backward through the sigmoid where d >= 0, nothing elsewhere."""

    @staticmethod
    def forward(ctx: Any, d: Tensor) -> Tensor:
        ctx.save_for_backward(d)
        return (d > 0).to(d.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (d,) = ctx.saved_tensors
        s = torch.sigmoid(SLOPE * d)
        return grads[0] * (d >= 0) * SLOPE * s * (1 - s)


class HighBit(ActivationQuantizer):
    """2/3 sign(q(x)): the middle plane of a 2-bit quantizer."""

    def __init__(self, act: ActivationQuantizer) -> None:
        super().__init__(act.channels)
        self.act = act

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return HIGH_BIT * surrogate_sign(self.act(x_NCHW), self.slope, 0.0)

    def levels(self) -> Levels:
        return Levels(-HIGH_BIT, self.act.levels().thresholds[1:2], (2 * HIGH_BIT,))


class LowPlanes(HighBit):
    """q(x) - 1/3 sign(q(x)): its outer planes."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        q = self.act(x_NCHW)
        return q - surrogate_sign(q, self.slope, 0.0) / 3

    def levels(self) -> Levels:
        low, _, high = self.act.levels().thresholds
        return Levels(-HIGH_BIT, (low, high), (HIGH_BIT, HIGH_BIT))


class Gated(nn.Module):
    """m = conv(2/3 sign(q)); m where m <= t_o, conv(q) where m > t_o; t starts at -1.

    Backward  through both convolutions and, where m >= t, through the sigmoid of slope 5 of the gate
    Deploy    conv(q) = m / 2 + conv(the outer planes): one plane, then two; op gate
    Raises    ValueError: a quantizer without the four levels that the gate is made for
    Source    FracBNN (Zhang 2021), arXiv 2012.12206, section 3.3, after precision gating (Zhang 2020). Differs: sign(0) = +1.
    """

    name = "gated"

    def __init__(self, in_channels: int, out_channels: int, cell: Cell):
        super().__init__()
        self.act = parts.find("quant.act", cell.act_q)(in_channels, cell.surrogate)
        if self.act.passes != 3:  # binary planes of four levels
            raise ValueError(f"gated needs four levels: act_q='uniform2'; received '{cell.act_q}'.")
        self.slope = surrogate("clip:1.3")
        self.threshold = nn.Parameter(torch.full((out_channels,), -1.0))

    def forward(self, x_NCHW: Tensor, conv: nn.Module) -> Tensor:
        q = self.act(x_NCHW)
        high, full = HIGH_BIT * conv(surrogate_sign(q, self.slope, 0.0)), conv(q)
        gate = Above.apply(high - self.threshold.view(-1, 1, 1))
        return high + gate * (full - high)

    def emit(self, g: Graph, x: Value, conv: nn.Module) -> Value:
        x = g.fix(x)
        high = g.fix(g.conv_bits(g.planes([(x, HighBit(self.act))]), conv))
        rest = g.conv_bits(g.planes([(x, LowPlanes(self.act))]), conv)
        full = g.add(g.affine(high, 0.5, 0.0), rest)
        return g.gate(high, full, self.threshold, torch.ones_like(self.threshold))
