"""CBCN: one learned filter gives four binary ones, turned by quarter turns of the ring around its centre."""

from aoienet.models.spec import Published
from aoienet.models.zoo.resnet import cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "Liu 2019, arXiv 1910.10853 (Circulant Binary Convolutional Networks)"
CELL = Cell(act_q="sign", surrogate="clip", weight_q="circulant")
DIFFERS = "inspired by it: no public code; maps keep the backbone's width, no orientation channels of their own, no centre loss"

RESNET20 = cifar("cbcn_resnet20", CELL, paper=PAPER, differs=f"ResNet-20 is a form of this project; {DIFFERS}")
RESNET18 = imagenet(
    "cbcn_resnet18",
    CELL,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 61.4, 82.8, source="abstract; top-5 unverified"),),
)

SPECS = (RESNET20, RESNET18)
