"""Differentiable soft quantization of weights at one bit, per layer.

Forward   w_b = upper if w >= (lower + upper) / 2 else lower; both learned, start at -1 and +1
Backward  of the soft step (quant/dsq.py): to w, lower, upper and alpha
Deploy    bit = [w >= (lower + upper) / 2]; low value `lower`, step upper - lower
Shapes    w_OIHW float32 -> w_OIHW float32
Source    DSQ (Gong 2019), arXiv 1908.05033. Differs: see quant/dsq.py.
"""

from torch import Tensor

from aoienet.quant.dsq import SoftStep
from aoienet.quant.weights import WeightQuantizer


class DSQ(WeightQuantizer):
    name = "dsq"

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.step = SoftStep()

    def steps(self, w_OIHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        lower, upper = self.step.bounds()
        middle, half = (
            t.to(w_OIHW.dtype).expand(len(w_OIHW), 1, 1, 1) for t in ((lower + upper) / 2, (upper - lower) / 2)
        )
        return w_OIHW - middle, half, middle

    def forward(self, w_OIHW: Tensor) -> Tensor:
        return self.step(w_OIHW)
