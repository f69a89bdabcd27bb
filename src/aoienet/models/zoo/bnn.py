"""BNN on ResNet-18, as later papers compare with it."""

from aoienet.models.spec import Published
from aoienet.models.zoo.resnet import R18, imagenet, pairs
from aoienet.nn.cell import Cell

CELL = Cell(act_q="sign", surrogate="clip", weight_q="bnn", act="hardtanh", shortcut="binary_conv1x1_bn")

RESNET18 = imagenet(
    "bnn_resnet18",
    CELL,
    pairs(R18),
    act="hardtanh",
    paper="Hubara 2016, arXiv 1602.02830 (BNN)",
    differs="first and last layer real, as in the ResNet-18 rows of later papers; batch norm before the add, its code has it behind",
    published=(Published("imagenet", 42.2, 67.1, source="as Bi-Real Net quotes it; AOIE-Net Table 3"),),
)

SPECS = (RESNET18,)
