"""ReActNet: learned thresholds, shifted PReLU behind the add."""

from dataclasses import replace

from aoienet.models.blocks.unit import Unit
from aoienet.models.spec import Conv, NetSpec, Published, Stem
from aoienet.models.zoo.aoienet import MOBILE_BLOCKS
from aoienet.models.zoo.resnet import cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "Liu 2020, arXiv 2003.03488 (ReActNet)"
CELL = Cell(act_q="rsign", weight_q="scaled_sign", act="rprelu", shortcut="avgpool_dup")
DIFFERS = "latent weights start normal; its code draws them from [0, 0.001)"

# Two 1x1 convolutions side by side there are one of twice the width here: same weights, same values.
MOBILENET = NetSpec(
    name="reactnet_a",
    stem=Stem("conv", (Conv(32, 3, 2),)),
    body=tuple(unit for i, o, s in MOBILE_BLOCKS for unit in (Unit(i, 3, s), Unit(o, 1, 1))),
    cell=CELL,
    input_hw=(224, 224),
    num_classes=1000,
    paper=PAPER,
    differs=DIFFERS,
    published=(
        Published("imagenet", 69.4, source="Liu 2020; AOIE-Net Table 3"),
        Published("imagenet", 69.5, source="README"),
        Published("imagenet", 70.5, source="AdamBNN (Liu 2021), another recipe"),
    ),
)

RESNET18 = imagenet(
    "reactnet_resnet18",
    replace(CELL, shortcut="avgpool_conv1x1_bn"),
    act="none",
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 65.9, source="README"),),
)

RESNET20 = cifar(
    "reactnet_resnet20",
    CELL,
    paper="this project's own: ReActNet's unit on ResNet-20, a one-plane anchor",
    differs="no published counterpart",
)

SPECS = (MOBILENET, RESNET18, RESNET20)
