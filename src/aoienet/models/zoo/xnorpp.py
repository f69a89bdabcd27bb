"""XNOR-Net++: one learned scale per channel, row and column instead of XNOR-Net's two."""

from aoienet.models.spec import Published
from aoienet.models.zoo.resnet import R18, imagenet, pairs
from aoienet.nn.cell import Cell

CELL = Cell(
    act_q="sign",
    surrogate="clip_open",
    weight_q="bnn",
    scale="rank1",
    pre_bn=True,
    bn=False,
    act="relu",
    shortcut="conv1x1_bn",
)

RESNET18 = imagenet(
    "xnorpp_resnet18",
    CELL,
    pairs(R18),
    paper="Bulat 2019, arXiv 1909.13863 (XNOR-Net++)",
    differs="no public training code: order of the block, 1x1 shortcuts and the start of the scale are guesses",
    published=(Published("imagenet", 57.1, 79.9, source="Bulat 2019, case 4"),),
)

SPECS = (RESNET18,)
