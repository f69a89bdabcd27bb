"""No quantizer: the float twins. The nonlinearity is the block's own.

Forward   q(x) = x
Backward  1
Deploy    none: the runtime packs binary activations only
Shapes    x_NCHW float32 -> q_NCHW float32
Source    He 2016, arXiv 1512.03385 (ResNet). Differs: nothing.
"""

from torch import Tensor

from aoienet.quant.activation import ActivationQuantizer


class Real(ActivationQuantizer):
    name = "real"
    refusal = "real activations"
    passes = 0
    EXAMPLES = [(-1.5, -1.5, 1.0), (0.0, 0.0, 1.0)]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW
