"""BNSC-Net: every 3x3 binary convolution becomes 3x1, then 1x3, each with its own sign, batch norm and shortcut."""

from aoienet.models.blocks.unit import Unit
from aoienet.models.spec import Block
from aoienet.models.zoo.resnet import R18, R20, cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "BNSC-Net; nearest public text: OneBNet (one-dimensional binary convolutions)"
CELL = Cell(act_q="sign", surrogate="approx", weight_q="scaled_sign", act="prelu")
DIFFERS = "no public text or code: this project's own reading of a one-line description; the 3x1 convolution takes the stride on both axes"


def separated(stages: tuple[tuple[int, int, int], ...]) -> tuple[Block, ...]:
    """Stages given as (width, 3x3 convolutions to replace, stride of the first)."""
    body: tuple[Block, ...] = ()
    for width, n, first in stages:
        for i in range(n):
            body += (Unit(width, (3, 1), first if i == 0 else 1), Unit(width, (1, 3)))
    return body


SPECS = (
    cifar("bnsc_resnet20", CELL, separated(R20), paper=PAPER, differs=DIFFERS),
    imagenet("bnsc_resnet18", CELL, separated(R18), paper=PAPER, differs=DIFFERS),
)
