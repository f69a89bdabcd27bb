"""Plain sign without a scale: the weights of the thermometer stem.

Forward   b = sign(w), sign(0) = +1
Backward  db/dw = 1 inside of |w| <= 1.3
Deploy    bit = [w >= 0]; low value -1, step 2
Shapes    w_OIHW float32 -> w_OIHW float32
Source    FracBNN (Zhang 2021): FastSign with clip 1.3. Differs: sign(0) = +1.
"""

import torch
from torch import Tensor, nn

from aoienet.quant.ste import sign

CLIP = 1.3


class ClippedSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return sign(w)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        (w,) = ctx.saved_tensors
        return grads[0] * (w.abs() <= CLIP)


class Quantizer(nn.Module):
    name = "sign"
    progress = 0.0

    @staticmethod
    def statistics(w_OIHW: Tensor) -> tuple[Tensor, Tensor]:
        """(beta, alpha) of the set {beta - alpha, beta + alpha}: 0 and 1."""
        ones = torch.ones(w_OIHW.shape[0], 1, 1, 1, dtype=w_OIHW.dtype)
        return torch.zeros_like(ones), ones

    def forward(self, w_OIHW: Tensor) -> Tensor:
        return ClippedSign.apply(w_OIHW) if torch.is_grad_enabled() else sign(w_OIHW)
