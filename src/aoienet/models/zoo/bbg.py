"""BBG: balanced binary weights (as many +1 as -1), and a learned gate per channel on the real-valued shortcut."""

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import Published
from aoienet.models.zoo.resnet import R34, cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "Shen 2020, arXiv 1909.12117 (Balanced Binary Neural Networks with Gated Residual)"
CELL = Cell(act_q="sign", surrogate="clip", weight_q="balanced", shortcut="gated")
DIFFERS = (
    "no public code: the gate starts at 1 and joins behind the batch norm; "
    "mean pooling and channels twice where the map halves"
)

RESNET20 = cifar(
    "bbg_resnet20",
    CELL,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("cifar10", 85.3, source="as quoted by others, unverified"),),
)
RESNET18 = imagenet(
    "bbg_resnet18",
    CELL,
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 59.4, 81.3, source="paperswithcode; top-5 unverified"),),
)
RESNET34 = imagenet(
    "bbg_resnet34",
    CELL,
    residual(R34),
    paper=PAPER,
    differs=DIFFERS,
    published=(Published("imagenet", 62.6, 84.1, source="paperswithcode; top-5 unverified"),),
)

SPECS = (RESNET20, RESNET18, RESNET34)
