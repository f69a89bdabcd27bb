"""Soft weights that cool down to their signs.

Forward   w = clip(w, -1.5, 1.5), in place in training; w_b = clip(w / T, -1, 1), or sign(w) once T < 1e-7;
          T = 0.9^(512 progress): cold at 30 % of the training
Backward  dw_b/dw = 1
Deploy    bit = [w >= 0]; low value -1, step 2; refused before T < 1e-7
Shapes    w_OIHW float32 -> w_OIHW float32
Source    BNext (Guo 2022), arXiv 2211.12933: its code (T *= 0.9 per epoch of 512). Differs: sign(0) = +1; a quantizer that never
          saw a training is cold.
"""

import torch
from torch import Tensor

from aoienet.quant.weights import WeightQuantizer

COOLING, EPOCHS, COLD = 0.9, 512, 1e-7
CLIP = 1.5


class BNext(WeightQuantizer):
    """`temperature` is state: 0 in a new quantizer, set before every epoch."""

    name = "bnext"
    surrogate = "identity"
    temperature: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.register_buffer("temperature", torch.zeros(()))

    @property
    def binary(self) -> bool:
        return self.temperature.is_meta or bool(self.temperature < COLD)  # counting by shapes knows no values

    def keep(self, w_OIHW: Tensor) -> Tensor:
        return w_OIHW.clamp(-CLIP, CLIP)

    def forward(self, w_OIHW: Tensor) -> Tensor:
        if self.binary:
            return super().forward(w_OIHW)
        w = self.latent(w_OIHW)
        return w + ((w / self.temperature).clamp(-1, 1) - w).detach()

    @torch.no_grad()
    def refresh(self, w_OIHW: Tensor) -> None:
        self.temperature.fill_(COOLING ** (EPOCHS * self.progress))
