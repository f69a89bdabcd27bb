"""Real-to-Binary: the result of each binary convolution is scaled per channel by a small real network of its real input."""

from aoienet.models.spec import Published
from aoienet.models.zoo.resnet import cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "Martinez 2020, arXiv 2003.11535 (Real-to-Binary); read in larq/zoo literature/real_to_bin_nets.py"
CELL = Cell(
    act_q="sign",
    surrogate="clip",
    weight_q="bnn",
    scale="se",
    pre_bn=True,
    bn=False,
    out_act="prelu",
    shortcut="avgpool_conv1x1_bn",
)
DIFFERS = "PReLU starts at 0.25 (larq: 0); padding of a strided convolution is symmetric (TensorFlow: right and below)"

RESNET20 = cifar("realtobinary_resnet20", CELL, paper=PAPER, differs=f"ResNet-20 is a form of this project; {DIFFERS}")
RESNET18 = imagenet(
    "realtobinary_resnet18",
    CELL,
    act="prelu",
    paper=PAPER,
    differs=DIFFERS,
    published=(
        Published("imagenet", 65.4, 86.2, source="AOIE-Net Table 3"),
        Published("imagenet", 65.01, 85.72, source="larq/zoo, its own training"),
    ),
)

SPECS = (RESNET20, RESNET18)
