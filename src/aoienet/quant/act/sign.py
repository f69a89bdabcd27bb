"""Plain sign.

Forward   q(x) = +1 if x >= 0 else -1
Backward  dq/dx = the surrogate's slope (BNN, XNOR-Net: clip; Bi-Real Net: approx; IR-Net: ede)
Deploy    bit = [x >= 0]
Shapes    x_NCHW float32 -> q_NCHW float32
Source    Hubara 2016, arXiv 1602.02830, eq. 1. Differs: sign(0) = +1.
"""

from torch import Tensor, zeros

from aoienet.quant.activation import ActivationQuantizer, Levels
from aoienet.quant.ste import surrogate_sign


class Sign(ActivationQuantizer):
    name = "sign"
    EXAMPLES = [
        (-1.5, -1.0, 0.0),
        (-1.0, -1.0, 1.0),
        (-0.2, -1.0, 1.0),
        (0.0, 1.0, 1.0),
        (1.0, 1.0, 1.0),
        (1.5, 1.0, 0.0),
    ]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return surrogate_sign(x_NCHW, self.slope, self.progress)

    def levels(self) -> Levels:
        return Levels(-1.0, (zeros(()),), (2.0,))
