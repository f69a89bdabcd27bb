"""Adaptive binary set: alpha * sign((p - beta) / alpha) + beta with learnable alpha, beta per layer.

Forward   u = (p - beta) / alpha;  q(p) = alpha * s + beta, s = +1 if u >= 0 else -1
Backward  dq/dp = g(u);  dq/dalpha = s - u g(u);  dq/dbeta = 1 - g(u);  g: the surrogate's slope
Deploy    bit = [p >= beta]; with the batch norm before it one threshold per channel (deploy/fold.py)
Shapes    p_NCHW float32 -> q_NCHW float32
Source    AOIE-Net eq. 6-10, AdaBin (Tu 2022) eq. 8-10. Differs: eq. 2's conditions and eq. 9's (a - beta) are corrected
          (design note A1); AdaBin's code is act/adabin_code.py.
"""

import torch
from torch import Tensor, nn

from aoienet.quant.activation import ActivationQuantizer, Levels
from aoienet.quant.ste import Slope

ALPHA_MIN = 1e-3


class AffineSign(torch.autograd.Function):
    """In-place arithmetic throughout: on two CPU cores this function is as dear as the convolution beside it."""

    @staticmethod
    def forward(ctx, p: Tensor, alpha: Tensor, beta: Tensor, slope: Slope, progress: float) -> Tensor:
        ctx.save_for_backward(p, alpha, beta)
        ctx.slope, ctx.progress = slope, progress
        low, step = float(beta - alpha), float(2 * alpha)
        return (p >= beta).to(p.dtype).mul_(step).add_(low)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        (grad,) = grads
        p, alpha, beta = ctx.saved_tensors
        u = (p - float(beta)).mul_(1 / float(alpha))
        passed = ctx.slope(u, ctx.progress).mul_(grad)
        total, through = grad.sum(), passed.sum()
        signed = 2 * (grad * (p >= beta)).sum() - total
        return passed, signed - u.mul_(passed).sum(), total - through, None, None


class Affine(ActivationQuantizer):
    """One plane. alpha (half-distance, kept >= 1e-3) and beta (centre and threshold) are scalars."""

    name = "affine"
    SURROGATE = "approx"
    EXAMPLES = [(-2.0, -1.0, 0.0), (-0.5, -1.0, 1.0), (0.0, 1.0, 2.0), (0.25, 1.0, 1.5), (3.0, 1.0, 0.0)]

    def __init__(self, channels: int, surrogate_name: str = "") -> None:
        super().__init__(channels, surrogate_name)
        self.alpha = nn.Parameter(torch.ones(()))
        self.beta = nn.Parameter(torch.zeros(()))

    def half_distance(self) -> Tensor:
        return self.alpha.clamp(min=ALPHA_MIN)

    def forward(self, p_NCHW: Tensor) -> Tensor:
        alpha, beta = self.half_distance(), self.beta
        if not torch.is_grad_enabled():  # plain operations, which an ONNX export can trace
            return torch.where(p_NCHW >= beta, beta + alpha, beta - alpha)
        return AffineSign.apply(p_NCHW, alpha, beta, self.slope, self.progress)

    def levels(self) -> Levels:
        alpha, beta = float(self.half_distance().detach()), float(self.beta.detach())
        return Levels(beta - alpha, (self.beta,), (2 * alpha,))
