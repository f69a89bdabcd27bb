"""Codes {0, 1} with a trainable threshold and a trainable window of the gradient.

Forward   u = (x - theta) / delta; q(x) = 1 if u >= 0 else 0; theta starts at 0, delta at 3, both scalars
Backward  dq/du = 1 inside of -0.3 <= u <= 1 (surrogate "si_bnn"), and on to x, theta and delta
Deploy    bit = [x >= theta]; low value 0: a tap outside of the map is a legal code
Shapes    x_NCHW float32 -> q_NCHW float32
Source    SI-BNN (Wang 2020), AAAI 2020. Differs: no official code is public; the window and the starts are those of a
          re-implementation, which has no theta; delta >= 1e-3; sign(0) = +1.
"""

import torch
from torch import Tensor, nn

from aoienet.quant.activation import ActivationQuantizer, Levels
from aoienet.quant.ste import surrogate_sign

DELTA_FIRST, DELTA_MIN = 3.0, 1e-3


class ZeroOne(ActivationQuantizer):
    name = "zero_one"
    SURROGATE = "si_bnn"
    EXAMPLES = [(-1.2, 0.0, 0.0), (-0.75, 0.0, 1 / 3), (0.0, 1.0, 1 / 3), (3.0, 1.0, 1 / 3), (3.1, 1.0, 0.0)]

    def __init__(self, channels: int, surrogate_name: str = "") -> None:
        super().__init__(channels, surrogate_name)
        self.theta = nn.Parameter(torch.zeros(()))
        self.delta = nn.Parameter(torch.tensor(DELTA_FIRST))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        u = (x_NCHW - self.theta) / self.delta.clamp(min=DELTA_MIN)
        return (surrogate_sign(u, self.slope, self.progress) + 1) / 2

    def levels(self) -> Levels:
        return Levels(0.0, (self.theta,), (1.0,))
