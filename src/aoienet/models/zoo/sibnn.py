"""SI-BNN: activations are 0 or 1, so that most of them are silent; weights are -1 or +1."""

from aoienet.models.spec import Published
from aoienet.models.zoo.resnet import cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "Wang 2020, AAAI (Sparsity-Inducing Binarized Neural Networks)"
CELL = Cell(act_q="zero_one", weight_q="scaled_sign", pre_bn=True)
DIFFERS = (
    "no public code: a shortcut around every convolution, a batch norm on both of its sides, weights scaled per filter"
)

RESNET20 = cifar("sibnn_resnet20", CELL, paper=PAPER, differs=f"ResNet-20 is a form of this project; {DIFFERS}")
RESNET18 = imagenet(
    "sibnn_resnet18",
    CELL,
    paper=PAPER,
    differs=DIFFERS,
    published=(
        Published("imagenet", 59.7, 81.8, source="abstract; top-5 as quoted by others"),
        Published("imagenet", 62.2, source="its journal form, TNNLS 2022"),
    ),
)

SPECS = (RESNET20, RESNET18)
