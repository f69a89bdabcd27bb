"""Real weights: the float twins.

Forward   w
Backward  1
Deploy    none: the runtime packs binary weights only
Shapes    w_OIHW float32 -> w_OIHW float32
Source    He 2016, arXiv 1512.03385 (ResNet). Differs: nothing.
"""

from torch import Tensor

from aoienet.quant.weights import WeightQuantizer


class Real(WeightQuantizer):
    name = "real"

    @property
    def binary(self) -> bool:
        return False

    def forward(self, w_OIHW: Tensor) -> Tensor:
        return w_OIHW
