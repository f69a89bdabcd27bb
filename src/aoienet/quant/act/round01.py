"""One bit by rounding: {0, 1} with the threshold 1/2.

Forward   q(x) = round(clip(x, 0, 1)) with 1/2 -> 1: 1 if x >= 0.5 else 0
Backward  dq/dx = g(2 x - 1); g = clip: 1 inside of 0 <= x <= 1
Deploy    bit = [x >= 0.5]; low value 0: a tap outside of the map is a legal code
Shapes    x_NCHW float32 -> q_NCHW float32
Source    DoReFa-Net (Zhou 2016), arXiv 1606.06160, at one bit. Differs: 1/2 rounds up, there to even.
"""

from torch import Tensor, full

from aoienet.quant.activation import ActivationQuantizer, Levels
from aoienet.quant.ste import surrogate_sign


class Round01(ActivationQuantizer):
    name = "round01"
    EXAMPLES = [
        (-0.25, 0.0, 0.0),
        (0.0, 0.0, 1.0),
        (0.25, 0.0, 1.0),
        (0.5, 1.0, 1.0),
        (1.0, 1.0, 1.0),
        (1.25, 1.0, 0.0),
    ]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return (surrogate_sign(2 * x_NCHW - 1, self.slope, self.progress) + 1) / 2

    def levels(self) -> Levels:
        return Levels(0.0, (full((), 0.5),), (1.0,))
