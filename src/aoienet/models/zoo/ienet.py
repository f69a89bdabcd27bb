"""IE-Net: two thresholds per channel, two convolutions with one set of weights."""

from dataclasses import replace

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import Head, Published
from aoienet.models.zoo.resnet import R34, cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "IE-Net (2022): information-enhanced binary convolution"
CELL = Cell(
    act_q="std_sign",
    surrogate="tri_ienet_act",
    weight_q="ienet",
    multi="dual_bias",
    scale="learned",
    act="hardtanh",
    shortcut="avgpool_pad",
)
REAL_1X1 = replace(CELL, shortcut="conv1x1_bn")
HEAD = Head(batchnorm=True)
DIFFERS = "batch norm weights start at 1; its code starts them at 1e-8"

RESNET20 = cifar(
    "ienet_resnet20",
    CELL,
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    published=(Published("cifar10", 88.5, source="README; AOIE-Net Table 2"),),
)

RESNET18 = imagenet(
    "ienet_resnet18",
    REAL_1X1,
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 61.4, source="README"),),
)

RESNET34 = imagenet(
    "ienet_resnet34",
    REAL_1X1,
    residual(R34),
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    differs=DIFFERS,
    published=(
        Published("imagenet", 64.6, 85.2, source="README (top-1); AOIE-Net Table 3"),
        Published("neu_cls", 97.9, source="AOIE-Net Table 4; its FLOPs are those of this network with a deep stem"),
    ),
)

SPECS = (RESNET20, RESNET18, RESNET34)
