"""SiMaN: the bit of a weight is its magnitude, large or small."""

from dataclasses import replace

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import Conv, Head, NetSpec, Published, Stem
from aoienet.models.zoo.resnet import R18, R34, cifar, imagenet, pairs
from aoienet.nn.cell import Cell

PAPER = "Lin 2022, arXiv 2102.07981 (SiMaN)"
CELL = Cell(act_q="sample_norm", surrogate="approx", weight_q="siman", scale="learned", act="prelu", shortcut="pad")
REAL_1X1 = replace(CELL, shortcut="conv1x1_bn")
HEAD = Head(batchnorm=True)
DIFFERS = "batch norm weights start at 1; its code starts them at 1e-8"

RESNET20 = cifar(
    "siman_resnet20",
    CELL,
    act="relu",
    head=HEAD,
    paper=PAPER,
    published=(Published("cifar10", 87.4, source="README"),),
)

CIFAR_RESNET18 = NetSpec(
    name="siman_resnet18_cifar",
    stem=Stem("conv", (Conv(64, 3, 1),)),
    body=pairs(R18),
    cell=replace(CELL, act="hardtanh", shortcut="binary_conv1x1_bn"),
    head=HEAD,
    paper=PAPER,
    published=(Published("cifar10", 92.5, source="README"),),
)

RESNET18 = imagenet(
    "siman_resnet18",
    REAL_1X1,
    act="relu",
    head=HEAD,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 60.1, 82.3, source="README"),),
)

RESNET34 = imagenet(
    "siman_resnet34",
    REAL_1X1,
    residual(R34),
    act="relu",
    head=HEAD,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 63.9, 84.8, source="README"),),
)

SPECS = (RESNET20, CIFAR_RESNET18, RESNET18, RESNET34)
