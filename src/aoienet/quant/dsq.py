"""The soft step of DSQ at one bit, for activations and weights.

Forward   q(x) = upper if x >= m else lower, m = (lower + upper) / 2
Backward  of lower + D (phi(x') + 1) / 2 with x' = clip(x, lower, upper), D = upper - lower, phi(x') = tanh(k (x' - m)) / (1 - alpha),
          k = ln(2 / alpha - 1) / D, to x, lower, upper, alpha; where phi stands alone its sign is taken
Source    DSQ (Gong 2019), arXiv 1908.05033. Differs: at one bit; the bounds are the levels, not the least and largest
          value of the tensor (the unofficial code of ricky40403: the same where the data reach the bounds), so one sample does not
          depend on the others; alpha is kept in [1e-3, 0.99], the distance of the levels at least 1e-3; starts: -1, 1, 0.2.
"""

import torch
from torch import Tensor, nn

from aoienet.quant.ste import identity, surrogate_sign

DISTANCE_MIN = 1e-3
ALPHA_MIN, ALPHA_MAX = 1e-3, 0.99


class SoftStep(nn.Module):
    """lower, upper, alpha: scalars."""

    def __init__(self) -> None:
        super().__init__()
        self.lower = nn.Parameter(torch.tensor(-1.0))
        self.upper = nn.Parameter(torch.tensor(1.0))
        self.alpha = nn.Parameter(torch.tensor(0.2))

    def bounds(self) -> tuple[Tensor, Tensor]:
        return self.lower, torch.maximum(self.upper, self.lower + DISTANCE_MIN)

    def forward(self, x: Tensor) -> Tensor:
        lower, upper = self.bounds()
        distance, middle = upper - lower, (lower + upper) / 2
        alpha = self.alpha.clamp(ALPHA_MIN, ALPHA_MAX)
        k = torch.log(2 / alpha - 1) / distance
        inside = torch.where(x < lower, lower, torch.where(x > upper, upper, x))
        phi = torch.tanh(k * (inside - middle)) / (1 - alpha)
        return middle + distance / 2 * surrogate_sign(phi, identity, 0.0)
