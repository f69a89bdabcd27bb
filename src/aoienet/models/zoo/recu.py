"""ReCU: dead weights are brought back by a clamp at a rising quantile."""

from dataclasses import replace

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import Head, Published
from aoienet.models.zoo.resnet import R34, cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "Xu 2021, arXiv 2103.12369 (ReCU)"
CELL = Cell(
    act_q="std_sign", surrogate="approx", weight_q="recu", scale="learned", act="hardtanh", shortcut="avgpool_pad"
)
REAL_1X1 = replace(CELL, shortcut="conv1x1_bn")
HEAD = Head(batchnorm=True)
SCALE = "the learned scale starts at the mean magnitude of the filter; its code draws it from [0, 1)"
DIFFERS = f"{SCALE}, and starts the weights of batch norms at 1e-8"

RESNET20 = cifar(
    "recu_resnet20",
    CELL,
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    differs=SCALE,
    published=(
        Published("cifar10", 87.5, source="README"),
        Published("cifar10", 88.0, source="README, fine-tuned"),
    ),
)

RESNET18 = imagenet(
    "recu_resnet18",
    REAL_1X1,
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 61.0, 82.6, source="README"),),
)

RESNET34 = imagenet(
    "recu_resnet34",
    REAL_1X1,
    residual(R34),
    act="hardtanh",
    head=HEAD,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 65.1, 85.8, source="README"),),
)

SPECS = (RESNET20, RESNET18, RESNET34)
