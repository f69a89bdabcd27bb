"""AdaBin: adaptive binary sets for weights and activations, Maxout."""

from dataclasses import replace

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import Head, Published
from aoienet.models.zoo.resnet import R34, cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "Tu 2022, arXiv 2208.08084 (AdaBin)"
CELL = Cell(act_q="adabin_code", weight_q="affine_ede", act="maxout", shortcut="pad")
REAL_1X1 = replace(CELL, shortcut="avgpool_conv1x1_bn")
HEAD = Head(batchnorm=True)

RESNET20 = cifar(
    "adabin_resnet20",
    CELL,
    act="maxout",
    head=HEAD,
    paper=PAPER,
    differs="nothing: sets as its code makes them, {alpha (beta - 1), alpha (beta + 1)}, not as its paper writes them",
    published=(
        Published("cifar10", 88.1, source="README"),
        Published("cifar10", 88.2, source="Tu 2022; AOIE-Net Table 2"),
    ),
)

RESNET18 = imagenet(
    "adabin_resnet18",
    REAL_1X1,
    act="maxout",
    head=HEAD,
    paper=PAPER,
    published=(
        Published("imagenet", 63.1, 84.3, source="README"),
        Published("imagenet", 66.4, 86.5, source="README, two steps as ReActNet"),
        Published("neu_cls", 98.1, source="AOIE-Net Table 4"),
    ),
)

RESNET34 = imagenet(
    "adabin_resnet34",
    REAL_1X1,
    residual(R34),
    act="maxout",
    head=HEAD,
    paper=PAPER,
    published=(Published("imagenet", 66.4, 86.6, source="README"),),
)

SPECS = (RESNET20, RESNET18, RESNET34)
