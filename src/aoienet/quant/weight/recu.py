"""Standardised weights whose tails are clamped: dead weights come back ("rectified clamp unit").

Forward   n = 2 sqrt(2) (w - mean_o) / sqrt(var_o + 1e-5) (unbiased); w_b = sign(n)
Backward  through mean and var; db/dn = 1 inside of |n| <= Q, Q = -mean |n| ln(2 - 2 tau) over the layer;
          tau = A e^progress + B from 0.85 to 0.99
Deploy    bit = [w >= mean_o]; low value -1, step 2
Shapes    w_OIHW float32 -> w_OIHW float32
Source    ReCU (Xu 2021), arXiv 2103.12369, and its code. Differs: sign(0) = +1.
"""

import math

from torch import Tensor

from aoienet.quant.weights import WeightQuantizer

TAU_FIRST, TAU_LAST = 0.85, 0.99
LAPLACE = 2 * math.sqrt(2.0)


def tau(progress: float) -> float:
    """Convex from 0.85 to 0.99."""
    a = (TAU_LAST - TAU_FIRST) / (math.e - 1)
    return a * math.exp(progress) + TAU_FIRST - a


class ReCU(WeightQuantizer):
    name = "recu"
    center, norm, eps, surrogate = "mean_o", "std_unbiased_o", 1e-5, "identity"

    def transform(self, n_OIHW: Tensor) -> Tensor:
        n = LAPLACE * n_OIHW
        bound = -n.detach().abs().mean() * math.log(2 - 2 * tau(self.progress))
        return n.clamp(-bound, bound)
