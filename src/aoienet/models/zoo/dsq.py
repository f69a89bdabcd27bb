"""DSQ at one bit: soft quantization of weights and activations between learned bounds."""

from aoienet.models.spec import Head, Published
from aoienet.models.zoo.resnet import R20, cifar, pairs
from aoienet.nn.cell import Cell

CELL = Cell(act_q="dsq", weight_q="dsq", act="hardtanh", shortcut="pad")

RESNET20 = cifar(
    "dsq_resnet20",
    CELL,
    pairs(R20),
    act="hardtanh",
    head=Head(batchnorm=True),
    paper="Gong 2019, arXiv 1908.05033 (DSQ)",
    differs="no public code of the authors: the frame and its hard tanh are IR-Net's; bounds per layer are learned, not the data's",
    published=(Published("cifar10", 84.1, source="AOIE-Net Table 2, as IR-Net quotes it"),),
)

SPECS = (RESNET20,)
