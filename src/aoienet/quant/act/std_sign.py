"""Sign; in training each sample is first divided by its standard deviation, which moves the window of the gradient only.

Forward   q(x) = +1 if x >= 0 else -1
Backward  dq/du = the surrogate's slope (ReCU: approx; IE-Net: tri_ienet_act) with u = x / sqrt(var + 1e-5) over C, H, W of one
          sample (unbiased), on through var; in evaluation u = x
Deploy    bit = [x >= 0]
Shapes    x_NCHW float32 -> q_NCHW float32
Source    ReCU (Xu 2021), arXiv 2103.12369, and IE-Net (Ding 2022): their code. Differs: sign(0) = +1.
"""

from torch import Tensor, zeros

from aoienet.quant.activation import ActivationQuantizer, Levels, sample_std
from aoienet.quant.ste import surrogate_sign


class StdSign(ActivationQuantizer):
    name = "std_sign"
    SURROGATE = "approx"
    EXAMPLES = [(-2.0, -1.0, 0.0), (-1.0, -1.0, 0.4649), (0.0, 1.0, 1.2649), (1.0, 1.0, 0.4649), (2.0, 1.0, 0.0)]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        u = x_NCHW / sample_std(x_NCHW) if self.training else x_NCHW
        return surrogate_sign(u, self.slope, self.progress)

    def levels(self) -> Levels:
        return Levels(-1.0, (zeros(()),), (2.0,))
