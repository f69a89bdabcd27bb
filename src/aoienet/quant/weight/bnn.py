"""Sign of latent weights that are kept in [-1, 1].

Forward   w = clip(w, -1, 1), in place in training; w_b = sign(w)
Backward  dw_b/dw = 1
Deploy    bit = [w >= 0]; low value -1, step 2
Shapes    w_OIHW float32 -> w_OIHW float32
Source    Hubara 2016, arXiv 1602.02830, algorithm 1. Differs: sign(0) = +1; clipped before the use, not after the update.
          Real-to-Binary (Martinez 2020) takes the same weights.
"""

from torch import Tensor

from aoienet.quant.weights import WeightQuantizer


class BNN(WeightQuantizer):
    name = "bnn"

    def keep(self, w_OIHW: Tensor) -> Tensor:
        return w_OIHW.clamp(-1, 1)
