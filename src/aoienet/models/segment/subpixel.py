"""AOIE blocks that give a value per pixel: the last map has one channel for each pixel of the square that a position stands for.

No upsampling is needed, so the network runs in the packed runtime as it is; the channels are put in their places afterwards.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from aoienet.models.blocks.unit import residual
from aoienet.models.net import BinaryNet
from aoienet.models.spec import Conv, Head, NetSpec, Stem
from aoienet.models.zoo.aoienet import CELL

STRIDE = 4
SPEC = NetSpec(
    name="segment_binary",
    stem=Stem("conv", (Conv(64, 7, STRIDE),), act="maxout"),
    body=residual(((64, 6, 1),)),
    cell=CELL,
    head=Head(window=1, stride=1),
    in_channels=1,
    input_hw=(256, 256),
    num_classes=STRIDE * STRIDE,
    paper="this project's own: AOIE-Net's units behind a head that answers for every pixel",
)


class SubpixelNet(nn.Module):
    """N x 1 x H x W of standardised grey -> N x 1 x H x W, the log-odds of a crack; H and W multiples of STRIDE."""

    def __init__(self) -> None:
        super().__init__()
        self.binary = BinaryNet(SPEC)

    @property
    def align_px(self) -> int:
        """Sides and places of tiles are multiples of this."""
        return STRIDE

    @property
    def halo_px(self) -> int:
        """A pixel's result depends on no standardised pixel further away than this; a multiple of align_px."""
        return -(-(SPEC.radius_px + STRIDE - 1) // STRIDE) * STRIDE

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return F.pixel_shuffle(self.binary(x_NCHW), STRIDE)

    def set_progress(self, fraction: float) -> None:
        """How far the training is, for surrogates that are annealed."""
        self.binary.set_progress(fraction)
