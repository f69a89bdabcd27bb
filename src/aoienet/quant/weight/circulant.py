"""Circulant filters: four neighbouring output channels share one 3x3 filter, turned by quarters.

Forward   groups of M = 4 outputs; f = mean over m of the m-th filter turned back by m quarters; w_m = f turned by m quarters;
          s = mean |f|; w_b = s sign(w_m). Other kernels, and a rest of outputs, are not tied: s_o sign(w)
Backward  dw_b/dw_m = 1 inside of |w| <= 1, then the mean over the four turned-back gradients
Deploy    bit = [w_m >= 0]; low value -s, step 2 s
Shapes    w_OIHW float32 -> w_OIHW float32
Source    CBCN (Liu 2019), arXiv 1910.10853. Differs: inspired by it, no code is public; there one stored filter makes the M
          copies and the maps carry M orientations, here the copies are kept equal by a mean; sign(0) = +1.
"""

import torch
from torch import Tensor

from aoienet.quant.weights import WeightQuantizer

TURNS = 4


def turned(w_GMIHW: Tensor, direction: int) -> Tensor:
    """Filter m turned by direction * m quarters: its outer ring of eight taps shifted by two."""
    return torch.stack([torch.rot90(w_GMIHW[:, m], direction * m, dims=(2, 3)) for m in range(TURNS)], dim=1)


class Circulant(WeightQuantizer):
    name = "circulant"
    scale, scale_grad = "mean_abs_o", "none"

    def transform(self, n_OIHW: Tensor) -> Tensor:
        tied = len(n_OIHW) // TURNS * TURNS if tuple(n_OIHW.shape[2:]) == (3, 3) else 0
        if not tied:
            return n_OIHW
        groups = turned(n_OIHW[:tied].unflatten(0, (-1, TURNS)), -1)
        filters = groups.mean(dim=1, keepdim=True).expand_as(groups)
        return torch.cat((turned(filters, 1).flatten(0, 1), n_OIHW[tied:]))
