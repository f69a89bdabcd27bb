"""A U-Net of AOIE blocks that gives a value per pixel: the last map has one channel for each pixel of the square that a position stands for.

The way up repeats positions and ends at the stem's stride, so the network runs in the packed runtime as it is; the channels are put in
their places afterwards.
"""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

from aoienet.models.blocks.hourglass import Hourglass
from aoienet.models.blocks.unit import Unit
from aoienet.models.net import BinaryNet
from aoienet.models.spec import Conv, Head, NetSpec, Stem
from aoienet.models.zoo.aoienet import CELL

NAME = "segment_binary"
STRIDE = 4  # of the finest level
DEEPEST = Hourglass((Unit(256, 3, 2), Unit(256), Unit(256), Unit(128, join="none")))
SPEC = NetSpec(
    name=NAME,
    stem=Stem("conv", (Conv(64, 7, STRIDE),), act="maxout"),
    body=(
        *(Unit(64), Unit(64)),
        Hourglass((Unit(128, 3, 2), Unit(128), DEEPEST, Unit(128), Unit(64, join="none"))),
        *(Unit(64), Unit(64)),
    ),
    cell=replace(CELL, multi="dual_bn_tied"),
    head=Head(window=1, stride=1),
    in_channels=1,
    input_hw=(256, 256),
    num_classes=STRIDE * STRIDE,
    paper="this project's own: AOIE-Net's units as a U-Net behind a head that answers for every pixel",
)


class BinaryUNet(nn.Module):
    """N x 1 x H x W of standardised grey -> N x 1 x H x W, the log-odds of a crack; H and W multiples of STRIDE.

    What it says of a square whose sides and place are multiples of `align_px` depends on the pixels within `halo_px` of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.binary = BinaryNet(SPEC)

    @property
    def align_px(self) -> int:
        """Sides and places of tiles are multiples of this: the stride of the coarsest level."""
        return SPEC.level_stride

    @property
    def halo_px(self) -> int:
        """A pixel's result depends on no standardised pixel further away than this; a multiple of align_px."""
        return -(-(SPEC.radius_px + STRIDE - 1) // self.align_px) * self.align_px

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return F.pixel_shuffle(self.binary(x_NCHW), STRIDE)

    def set_progress(self, fraction: float) -> None:
        """How far the training is, for surrogates that are annealed."""
        self.binary.set_progress(fraction)
