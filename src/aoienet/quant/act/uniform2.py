"""Two bits in [-1, 1]: four levels, three thermometer planes.

Forward   q(x) = -1 + 2/3 * (number of thresholds -2/3, 0, 2/3 that x reaches)
Backward  dq/dx = g(x); g = clip_open: 1 inside of |x| < 1
Deploy    three bits [x >= threshold]; low value -1, steps 2/3
Shapes    x_NCHW float32 -> q_NCHW float32
Source    FracBNN (Zhang 2021), arXiv 2012.12206: QuantSign of its code. Differs: at a threshold the higher level;
          the code rounds to even: 2/3 -> 1/3, -2/3 -> -1.
"""

import torch
from torch import Tensor

from aoienet.quant.activation import ActivationQuantizer, Levels
from aoienet.quant.ste import Slope


class Staircase(torch.autograd.Function):
    """-1 + step * (number of thresholds that x reaches) forward; the surrogate's slope of x backward."""

    @staticmethod
    def forward(ctx, x: Tensor, thresholds: Tensor, step: float, slope: Slope, progress: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope, ctx.progress = slope, progress
        return staircase(x, thresholds, step)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        (x,) = ctx.saved_tensors
        return ctx.slope(x, ctx.progress).mul_(grads[0]), None, None, None, None


def staircase(x: Tensor, thresholds: Tensor, step: float) -> Tensor:
    out = torch.full_like(x, -1.0)
    for threshold in thresholds:
        out += step * (x >= threshold).to(x.dtype)
    return out


class Uniform2(ActivationQuantizer):
    """A subclass with another number of `bits` has 2^bits levels; `passes` follows as 2^bits - 1."""

    name = "uniform2"
    bits = 2
    passes = 3
    SURROGATE = "clip_open"
    EXAMPLES = [
        (-1.0, -1.0, 0.0),
        (-0.9, -1.0, 1.0),
        (-0.5, -1 / 3, 1.0),
        (0.0, 1 / 3, 1.0),
        (0.7, 1.0, 1.0),
        (1.5, 1.0, 0.0),
    ]

    def __init__(self, channels: int, surrogate_name: str = "") -> None:
        super().__init__(channels, surrogate_name)
        self.passes = 2**self.bits - 1
        self.step = 2.0 / self.passes
        middles = torch.arange(self.passes, dtype=torch.float64) + 0.5
        self.register_buffer("thresholds", (middles * self.step - 1).float(), persistent=False)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return staircase(x_NCHW, self.thresholds, self.step)
        return Staircase.apply(x_NCHW, self.thresholds, self.step, self.slope, self.progress)

    def levels(self) -> Levels:
        return Levels(-1.0, tuple(self.thresholds), (self.step,) * self.passes)
