"""RBNN: rotated weights, activations standardised per picture."""

from dataclasses import replace

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import Conv, Head, NetSpec, Published, Stem
from aoienet.models.zoo.resnet import R18, R34, cifar, imagenet, pairs
from aoienet.nn.cell import Cell

PAPER = "Lin 2020, arXiv 2009.13055 (RBNN)"
CELL = Cell(
    act_q="sample_norm", surrogate="tri_rbnn_act", weight_q="rbnn", scale="learned", act="hardtanh", shortcut="pad"
)
REAL_1X1 = replace(CELL, shortcut="conv1x1_bn")
HEAD = Head(batchnorm=True)
DIFFERS = "batch norm weights start at 1; its code starts them at 1e-8"

RESNET20 = cifar(
    "rbnn_resnet20",
    CELL,
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("cifar10", 87.8, source="README, its Bi-Real form; AOIE-Net Table 2"),),
)

CIFAR_RESNET18 = NetSpec(
    name="rbnn_resnet18_cifar",
    stem=Stem("conv", (Conv(64, 3, 1),)),
    body=pairs(R18),
    cell=replace(CELL, shortcut="binary_conv1x1_bn"),
    head=HEAD,
    paper=PAPER,
    published=(Published("cifar10", 92.2, source="README"),),
)

RESNET18 = imagenet(
    "rbnn_resnet18",
    REAL_1X1,
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 59.9, 81.9, source="README"),),
)

RESNET34 = imagenet(
    "rbnn_resnet34",
    REAL_1X1,
    residual(R34),
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 63.1, 84.4, source="README; AOIE-Net Table 3"),),
)

SPECS = (RESNET20, CIFAR_RESNET18, RESNET18, RESNET34)
