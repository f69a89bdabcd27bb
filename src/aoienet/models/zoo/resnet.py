"""Float ResNets, and the backbones into which the binary methods put their cells."""

from typing import Any

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import Block, Conv, NetSpec, Published, Stem
from aoienet.nn.cell import Cell

PAPER = "He 2016, arXiv 1512.03385 (ResNet)"
OPTION_A = Cell(act_q="real", weight_q="real", act="relu", shortcut="pad")
OPTION_B = Cell(act_q="real", weight_q="real", act="relu", shortcut="conv1x1_bn")

QUOTED = "as the binary-network literature quotes it"

# (width, units, stride of the first unit), with a shortcut around every convolution
R20 = ((16, 6, 1), (32, 6, 2), (64, 6, 2))
R56 = ((16, 18, 1), (32, 18, 2), (64, 18, 2))
R18 = ((64, 4, 1), (128, 4, 2), (256, 4, 2), (512, 4, 2))
R34 = ((64, 6, 1), (128, 8, 2), (256, 12, 2), (512, 6, 2))


def pairs(stages: tuple[tuple[int, int, int], ...]) -> tuple[Block, ...]:
    """The same convolutions with a shortcut around every two of them."""
    return residual(tuple((width, n // 2, stride) for width, n, stride in stages), convs=2)


def cifar(name: str, cell: Cell, body: tuple[Block, ...] = residual(R20), act: str = "none", **fields: Any) -> NetSpec:
    """ResNet-20's frame: real 3x3 stem of 16 channels, `act`, mean, linear layer; CIFAR-10."""
    return NetSpec(name=name, stem=Stem("conv", (Conv(16, 3, 1),), act=act), body=body, cell=cell, **fields)


def imagenet(
    name: str, cell: Cell, body: tuple[Block, ...] = residual(R18), act: str = "relu", **fields: Any
) -> NetSpec:
    """ResNet-18's frame: real 7x7 stem of stride 2 and 64 channels, `act`, max pooling, mean, linear layer; ImageNet."""
    stem = Stem("conv", (Conv(64, 7, 2),), act=act, maxpool=True)
    return NetSpec(name=name, stem=stem, body=body, cell=cell, input_hw=(224, 224), num_classes=1000, **fields)


RESNET20 = cifar(
    "resnet20",
    OPTION_A,
    pairs(R20),
    act="relu",
    paper=PAPER,
    differs="stem weights are 8-bit integers",
    published=(
        Published("cifar10", 91.7, source=f"{QUOTED}; AOIE-Net Table 2"),
        Published("cifar10", 91.25, source="He 2016, Table 6"),
    ),
)

RESNET56 = cifar(
    "resnet56",
    OPTION_A,
    pairs(R56),
    act="relu",
    paper=PAPER,
    differs="stem weights are 8-bit integers",
    published=(Published("cifar10", 93.03, source="He 2016, Table 6"),),
)

RESNET18 = imagenet(
    "resnet18",
    OPTION_B,
    pairs(R18),
    paper=PAPER,
    differs="stem weights are 8-bit integers",
    published=(
        Published("imagenet", 69.6, 89.2, source=QUOTED),
        Published("imagenet", 69.76, 89.08, source="torchvision, resnet18 IMAGENET1K_V1"),
    ),
)

RESNET34 = imagenet(
    "resnet34",
    OPTION_B,
    pairs(R34),
    paper=PAPER,
    differs="stem weights are 8-bit integers",
    published=(Published("imagenet", 73.3, 91.3, source=f"{QUOTED}; AOIE-Net Table 3 gives it to ResNet-18"),),
)

SPECS = (RESNET20, RESNET56, RESNET18, RESNET34)
