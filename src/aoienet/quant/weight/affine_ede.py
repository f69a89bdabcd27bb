"""Statistical binary set per output channel: mean and standard deviation, with the error decay estimator.

Forward   beta_o = mean(w_o), alpha_o = sqrt(mean((w_o - beta_o)^2) + 1e-8), b = sign((w - beta) / alpha); w_b = alpha b + beta
Backward  through mean, std and b; db/dw^ = k t (1 - tanh^2(t w^)), t from 1e-3 to 10 over the training
Deploy    bit = [w >= beta_o]; low value beta_o - alpha_o, step 2 alpha_o
Shapes    w_OIHW float32 -> w_OIHW float32
Source    AdaBin (Tu 2022) eq. 4-5; AOIE-Net eq. 3-5; EDE: IR-Net (Qin 2020) eq. 11. Differs: 1e-8 under the root.
"""

import torch
from torch import Tensor, nn

from aoienet.quant.ste import EDESign, ede_constants

VARIANCE_EPS = 1e-8


class Quantizer(nn.Module):
    """Stateless but for `progress`, the share of the training that is done (set by the loop)."""

    name = "affine_ede"

    def __init__(self) -> None:
        super().__init__()
        self.progress = 0.0

    @staticmethod
    def statistics(w_OIHW: Tensor) -> tuple[Tensor, Tensor]:
        """(beta, alpha), each [O,1,1,1]: mean and population standard deviation."""
        beta = w_OIHW.mean(dim=(1, 2, 3), keepdim=True)
        alpha = ((w_OIHW - beta).square().mean(dim=(1, 2, 3), keepdim=True) + VARIANCE_EPS).sqrt()
        return beta, alpha

    def forward(self, w_OIHW: Tensor) -> Tensor:
        beta, alpha = self.statistics(w_OIHW)
        if not torch.is_grad_enabled():  # plain operations, which an ONNX export can trace
            return torch.where(w_OIHW >= beta, beta + alpha, beta - alpha)
        k, t = ede_constants(self.progress)
        return alpha * EDESign.apply((w_OIHW - beta) / alpha, k, t) + beta
