"""Magnitude decides: the larger half of each filter is +1, whatever its sign ("sign-to-magnitude").

Forward   w = w - mean_o, |w| clamped to its percentiles p and 100 - p over the layer, in place in training; p falls from 15 to 0;
          n = (w - mean_o) / sqrt(var_o + 1e-5) (unbiased); w_b = +1 if |n| > median_o |n| else -1 (the lower median)
Backward  through mean and var; dw_b/dn = sign(n)
Deploy    the bits as they are; low value -1, step 2
Shapes    w_OIHW float32 -> w_OIHW float32
Source    SiMaN (Lin 2022), arXiv 2102.07981, and its code. Differs: evaluation finds the bits again where the code
          keeps those of the last training step.
"""

import torch
from torch import Tensor

from aoienet.quant.weights import PER_OUTPUT, WeightQuantizer

PERCENT_FIRST = 15.0


class SiMaN(WeightQuantizer):
    """`percent` is state: 0 in a new quantizer, set before every epoch."""

    name = "siman"
    center, norm, eps, surrogate = "mean_o", "std_unbiased_o", 1e-5, "identity"

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.register_buffer("percent", torch.zeros(()))

    def keep(self, w_OIHW: Tensor) -> Tensor:
        v = w_OIHW - w_OIHW.mean(dim=PER_OUTPUT, keepdim=True)
        if self.percent.is_meta or self.percent == 0:  # meta: sizes are asked for (deploy/cost.py), not values
            return v
        part = torch.stack((self.percent, 100 - self.percent)).to(v.dtype) / 100
        low, high = torch.quantile(v.detach().abs().flatten(), part)
        return v.sign() * v.abs().clamp(low, high)

    def transform(self, n_OIHW: Tensor) -> Tensor:
        size = n_OIHW.abs()
        flat = size.detach().flatten(1)
        above = flat.masked_fill(flat <= flat.median(dim=1, keepdim=True).values, torch.inf)
        return size - above.amin(dim=1).view(-1, 1, 1, 1)

    @torch.no_grad()
    def refresh(self, w_OIHW: Tensor) -> None:
        self.percent.fill_(PERCENT_FIRST * (1 - self.progress))
