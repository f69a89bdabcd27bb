"""Differentiable soft quantization of activations at one bit, per layer.

Forward   q(x) = upper if x >= (lower + upper) / 2 else lower; both learned, start at -1 and +1
Backward  of the soft step (quant/dsq.py): to x, lower, upper and alpha
Deploy    bit = [x >= (lower + upper) / 2]; low value `lower`, step upper - lower
Shapes    x_NCHW float32 -> q_NCHW float32
Raises    ValueError: a surrogate, since the method has its own.
Source    DSQ (Gong 2019), arXiv 1908.05033. Differs: see quant/dsq.py.
"""

from torch import Tensor

from aoienet.quant.activation import ActivationQuantizer, Levels
from aoienet.quant.dsq import SoftStep


class DSQ(ActivationQuantizer):
    name = "dsq"
    EXAMPLES = [(-1.5, -1.0, 0.0), (-0.5, -1.0, 1.0299), (0.0, 1.0, 1.3733), (0.5, 1.0, 1.0299), (1.5, 1.0, 0.0)]

    def __init__(self, channels: int, surrogate_name: str = "") -> None:
        if surrogate_name:
            raise ValueError(f"dsq learns its own surrogate; received surrogate='{surrogate_name}', leave it empty.")
        super().__init__(channels)
        self.step = SoftStep()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.step(x_NCHW)

    def levels(self) -> Levels:
        lower, upper = (t.detach() for t in self.step.bounds())
        return Levels(float(lower), ((lower + upper) / 2,), (float(upper - lower),))
