"""Rotated weights: each filter turns towards its own signs.

Forward   n = (w - mean_o) / std_o (unbiased); as matrices X [O,a,b]: r = R1^T X R2; m = n + |sin theta_o| (r - n);
          w_b = sign(m). theta is learned and starts at pi / 2; R1, R2 are orthogonal, renewed by `refresh`
Backward  through mean, std, mixture and rotation; db/dm = k (sqrt(2) t - t^2 |m|)+, t from 1e-2 to 10 over the training
Deploy    bit = [m >= 0]; low value -1, step 2; rotations and theta disappear
Shapes    w_OIHW float32 -> w_OIHW float32; a b = I k k, a the largest divisor up to the root
Source    RBNN (Lin 2020), arXiv 2009.13055, and its code. Differs: sign(0) = +1; 1e-8 under the root; the gradient
          passes through r. The code detaches r (ROTATION_GRAD = False): at theta = pi / 2 the weights then get no gradient
          until weight decay has lowered theta, and this project does not decay theta.
"""

import math

import torch
from torch import Tensor, nn

from aoienet.quant.ste import sign
from aoienet.quant.weights import WeightQuantizer

ITERATIONS = 3  # of the alternating solution, per epoch (the code's)


def sides(n: int) -> tuple[int, int]:
    """(a, b) with a b = n and a the largest divisor up to the root."""
    a = max(d for d in range(1, math.isqrt(n) + 1) if n % d == 0)
    return a, n // a


def orthogonal(n: int) -> Tensor:
    return torch.linalg.qr(torch.randn(n, n)).Q


def nearest_rotation(m: Tensor) -> Tensor:
    """The orthogonal R that maximises tr(R^T m)."""
    u, _, vh = torch.linalg.svd(m)
    return u @ vh


class RBNN(WeightQuantizer):
    name = "rbnn"
    center, norm, surrogate = "mean_o", "std_unbiased_o", "tri_rbnn"
    ROTATION_GRAD = True
    r1: Tensor
    r2: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.sides = sides(math.prod(shape[1:]))
        self.theta = nn.Parameter(torch.full((shape[0], 1, 1, 1), math.pi / 2))
        self.register_buffer("r1", orthogonal(self.sides[0]))
        self.register_buffer("r2", orthogonal(self.sides[1]))

    def matrices(self, n_OIHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """X [O,a,b], R1, R2 in the type of n."""
        return n_OIHW.reshape(-1, *self.sides), self.r1.to(n_OIHW.dtype), self.r2.to(n_OIHW.dtype)

    def transform(self, n_OIHW: Tensor) -> Tensor:
        x, r1, r2 = self.matrices(n_OIHW)
        rotated = (r1.T @ x @ r2).view_as(n_OIHW)
        rotated = rotated if self.ROTATION_GRAD else rotated.detach()
        return n_OIHW + self.theta.sin().abs() * (rotated - n_OIHW)

    @torch.no_grad()
    def refresh(self, w_OIHW: Tensor) -> None:
        x, r1, r2 = self.matrices(self.normalised(w_OIHW)[0])
        for _ in range(ITERATIONS):
            b = sign(r1.T @ x @ r2)
            r1 = nearest_rotation((x @ r2 @ b.mT).sum(dim=0))
            r2 = nearest_rotation((x.mT @ r1 @ b).sum(dim=0))
        self.r1.copy_(r1)
        self.r2.copy_(r2)
