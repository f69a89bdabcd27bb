"""DoReFa at one bit: activations 0 and 1, one scale per layer."""

from aoienet.models.spec import Head, Published
from aoienet.models.zoo.resnet import R20, cifar, pairs
from aoienet.nn.cell import Cell

CELL = Cell(act_q="round01", weight_q="dorefa", pre_bn=True, bn=False, shortcut="pad")

RESNET20 = cifar(
    "dorefa_resnet20",
    CELL,
    pairs(R20),
    head=Head(batchnorm=True),
    paper="Zhou 2016, arXiv 1606.06160 (DoReFa-Net)",
    differs="option A shortcut and a batch norm on the vector; the port that was read has a binary 1x1 shortcut and a batch norm "
    "on the map, none behind the stem",
    published=(Published("cifar10", 79.3, source="AOIE-Net Table 2, as IR-Net quotes it"),),
)

SPECS = (RESNET20,)
