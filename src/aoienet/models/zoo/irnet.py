"""IR-Net: balanced standardised weights, annealed surrogate."""

from dataclasses import replace

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import Head, Published
from aoienet.models.zoo.resnet import R34, cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "Qin 2020, arXiv 1909.10788 (IR-Net)"
CELL = Cell(act_q="sign", surrogate="ede", weight_q="irnet", act="hardtanh", shortcut="pad")
REAL_1X1 = replace(CELL, shortcut="conv1x1_bn")
HEAD = Head(batchnorm=True)

RESNET20 = cifar(
    "irnet_resnet20",
    CELL,
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    published=(Published("cifar10", 86.5, source="README; AOIE-Net Table 2"),),
)

RESNET18 = imagenet(
    "irnet_resnet18",
    REAL_1X1,
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    published=(Published("imagenet", 58.1, 80.0, source="README"),),
)

RESNET34 = imagenet(
    "irnet_resnet34",
    REAL_1X1,
    residual(R34),
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    published=(Published("imagenet", 62.9, 84.1, source="README; AOIE-Net Table 3"),),
)

SPECS = (RESNET20, RESNET18, RESNET34)
