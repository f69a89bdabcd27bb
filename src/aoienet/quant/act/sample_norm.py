"""Sign of each sample's standardised map.

Forward   u = (x - mean) / sqrt(var + 1e-5) over C, H, W of one sample (unbiased); q(x) = +1 if u >= 0 else -1
Backward  dq/du = the surrogate's slope (SiMaN: approx; RBNN: tri_rbnn_act), on through mean and var
Deploy    none: the threshold is the sample's own mean
Shapes    x_NCHW float32 -> q_NCHW float32
Source    SiMaN (Lin 2022), arXiv 2102.07981, and RBNN (Lin 2020), arXiv 2009.13055: their code.
          Differs: sign(0) = +1; RBNN has nothing under the root.
"""

from torch import Tensor

from aoienet.quant.activation import PER_SAMPLE, ActivationQuantizer, sample_std
from aoienet.quant.ste import surrogate_sign


class SampleNorm(ActivationQuantizer):
    name = "sample_norm"
    refusal = "the threshold of sample_norm is the mean of each picture's own map; use act_q='sign' for a net to export"
    SURROGATE = "approx"
    EXAMPLES = [
        (-2.0, -1.0, -0.43895),
        (-1.0, -1.0, 0.02596),
        (0.0, 1.0, 0.82596),
        (1.0, 1.0, 0.02596),
        (2.0, 1.0, -0.43895),
    ]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        centred = x_NCHW - x_NCHW.mean(dim=PER_SAMPLE, keepdim=True)
        return surrogate_sign(centred / sample_std(x_NCHW), self.slope, self.progress)
