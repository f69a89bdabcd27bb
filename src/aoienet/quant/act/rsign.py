"""Sign with a learned threshold per channel (ReAct sign).

Forward   q(x) = +1 if x >= t_c else -1
Backward  dq/dx = g(x - t), dq/dt = -g(x - t); g: the surrogate's slope
Deploy    bit = [x >= t_c]
Shapes    x_NCHW float32 -> q_NCHW float32
Source    ReActNet (Liu 2020), arXiv 2003.03488, eq. 4. Differs: sign(0) = +1; its code adds -t.
"""

from torch import Tensor, nn, zeros

from aoienet.quant.activation import ActivationQuantizer, Levels
from aoienet.quant.ste import surrogate_sign


class RSign(ActivationQuantizer):
    name = "rsign"
    SURROGATE = "approx"
    EXAMPLES = [(-1.0, -1.0, 0.0), (-0.5, -1.0, 1.0), (0.0, 1.0, 2.0), (0.75, 1.0, 0.5)]

    def __init__(self, channels: int, surrogate_name: str = "") -> None:
        super().__init__(channels, surrogate_name)
        self.threshold = nn.Parameter(zeros(channels))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return surrogate_sign(x_NCHW - self.per_channel(self.threshold), self.slope, self.progress)

    def levels(self) -> Levels:
        return Levels(-1.0, (self.threshold,), (2.0,))
