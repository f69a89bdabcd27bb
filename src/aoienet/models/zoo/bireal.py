"""Bi-Real Net: a shortcut around every convolution, no activation behind the add."""

from typing import Any

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import NetSpec, Published
from aoienet.models.zoo.resnet import R18, R34, imagenet
from aoienet.nn.cell import Cell

CELL = Cell(act_q="sign", surrogate="approx", weight_q="scaled_sign", shortcut="avgpool_conv1x1_bn")


def bireal(name: str, stages: tuple[tuple[int, int, int], ...], **fields: Any) -> NetSpec:
    return imagenet(
        name,
        CELL,
        residual(stages),
        act="none",
        paper="Liu 2018, arXiv 1808.00278 (Bi-Real Net)",
        differs="latent weights start normal; its code draws them from [0, 0.001), so that every sign starts at +1",
        **fields,
    )


RESNET18 = bireal("bireal_resnet18", R18, published=(Published("imagenet", 56.4, 79.5, source="README"),))
RESNET34 = bireal(
    "bireal_resnet34", R34, published=(Published("imagenet", 62.2, 83.9, source="README; AOIE-Net Table 3"),)
)

SPECS = (RESNET18, RESNET34)
