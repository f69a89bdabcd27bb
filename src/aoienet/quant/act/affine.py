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
from aoienet.quant.rows import dense, memory_format, pieces
from aoienet.quant.ste import Slope

ALPHA_MIN = 1e-3


class AffineSign(torch.autograd.Function):
    """In pieces, without Boolean maps: on two CPU cores this function is as dear as the convolution beside it. Keeps p alone."""

    @staticmethod
    def forward(ctx, p: Tensor, alpha: Tensor, beta: Tensor, slope: Slope, progress: float) -> Tensor:
        ctx.save_for_backward(p, alpha, beta)
        ctx.slope, ctx.progress = slope, progress
        q = torch.empty_like(p, memory_format=memory_format(p))
        flat, out = dense(p, memory_format(p)), dense(q, memory_format(p))
        for piece in pieces(len(flat)):
            torch.ge(flat[piece], beta, out=out[piece]).mul_(2 * alpha).add_(beta - alpha)
        return q

    @staticmethod
    def backward(ctx, *grads: Tensor):
        p, alpha, beta = ctx.saved_tensors
        passed = torch.empty_like(p, memory_format=memory_format(p))
        flat, grad, out = (dense(t, memory_format(p)) for t in (p, grads[0], passed))
        total, high, through, spread = (torch.zeros_like(alpha) for _ in range(4))
        for piece in pieces(len(flat)):
            g = grad[piece]
            centred = flat[piece] - beta
            u = centred / alpha
            d = torch.mul(ctx.slope(u, ctx.progress), g, out=out[piece])
            total += g.sum()
            through += d.sum()
            spread += torch.dot(u, d)
            high += torch.dot(centred.ge_(0), g)
        return passed, 2 * high - total - spread, total - through, None, None


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
