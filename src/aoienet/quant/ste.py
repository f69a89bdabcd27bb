"""Surrogate gradients of the sign: the backward rule only, as a function of u = (x - centre) / half-distance.

Each entry of `SURROGATES` maps u to dq/du >= 0. Sources: Bi-Real Net (approx), hard tanh of BNN (clip).
"""

from collections.abc import Callable

import torch
from torch import Tensor


def sign(x: Tensor) -> Tensor:
    """Sign with sign(0) = +1 (docs/notation.md); torch.sign has a third value at 0."""
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


def approx(u: Tensor) -> Tensor:
    """Slope of Bi-Real Net's piecewise quadratic: 2 - 2|u| inside of |u| < 1."""
    return u.abs().mul_(-2).add_(2).clamp_(min=0)


def clip(u: Tensor) -> Tensor:
    """Slope of the hard tanh: 1 inside of |u| <= 1 (AOIE-Net eq. 7, with the indicator on (a - beta) / alpha)."""
    return (u.abs() <= 1).to(u.dtype)


SURROGATES: dict[str, Callable[[Tensor], Tensor]] = {"approx": approx, "clip": clip}


def ede_constants(progress: float) -> tuple[float, float]:
    """(k, t) of IR-Net's error decay estimator at `progress` in [0, 1] of the training: t from 1e-3 to 10."""
    if not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress must lie in [0, 1]; received {progress}.")
    t = 10.0 ** (-3.0 + 4.0 * progress)
    return max(1.0 / t, 1.0), t


class EDESign(torch.autograd.Function):
    """sign(x) forward; backward k t (1 - tanh^2(t x)) (IR-Net, Qin 2020, eq. 11)."""

    @staticmethod
    def forward(ctx, x: Tensor, k: float, t: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.k, ctx.t = k, t
        return sign(x)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        (x,) = ctx.saved_tensors
        return grads[0] * (ctx.k * ctx.t) * (1 - torch.tanh(ctx.t * x).square()), None, None
