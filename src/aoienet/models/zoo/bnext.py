"""BNext: the strongest public one-plane network. A MobileNet of binary units with recoupled factors and binary attention."""

from aoienet.models.blocks.recoupled import Recoupled
from aoienet.models.spec import Block, Conv, Head, NetSpec, Published, Stem
from aoienet.models.zoo.resnet import R20, cifar
from aoienet.nn.cell import Cell

PAPER = "Guo 2022, arXiv 2211.12933 (BNext); its code: hpi-xnor/BNext, src/bnext.py"
CELL = Cell(act_q="rsign", surrogate="clip:1.5", weight_q="bnext", out_act="prelu")
HEAD = Head(act="prelu", act_batchnorm=False)
DIFFERS = "latent weights start as in the other networks (its code: 0.001 times normal)"
T = (32, 64, *(128,) * 2, *(256,) * 2, *(512,) * 6, *(1024,) * 2)


def mobile(widths: tuple[int, ...]) -> tuple[Block, ...]:
    """A 3x3 and a 1x1 unit per width; every second 3x3 unit is an attention; a new width halves the map, but for the first."""
    body: tuple[Block, ...] = ()
    for i, (before, width) in enumerate(zip(widths, widths[1:], strict=False), start=1):
        stride = 2 if width != before and i > 1 else 1
        body += (Recoupled(before, 3, stride, attention=i % 2 == 0), Recoupled(width, 1, copies=width // before))
    return body


def plain(stages: tuple[tuple[int, int, int], ...]) -> tuple[Block, ...]:
    """ResNet's 3x3 convolutions, attention and feed-forward unit in turn, as the code's BNext-18 has them."""
    convs = [(width, stride if i == 0 else 1) for width, n, stride in stages for i in range(n)]
    return tuple(Recoupled(width, 3, stride, attention=i % 2 == 0) for i, (width, stride) in enumerate(convs))


TINY = NetSpec(
    name="bnext_t",
    stem=Stem("conv", (Conv(T[0], 3, 2),)),
    body=mobile(T),
    cell=CELL,
    head=HEAD,
    input_hw=(224, 224),
    num_classes=1000,
    paper=PAPER,
    differs=DIFFERS,
    published=(
        Published("imagenet", 72.4, source="README, 0.077 G operations (stem, factors and classifier as 8 bit)"),
    ),
)

RESNET20 = cifar(
    "bnext_resnet20",
    CELL,
    plain(R20),
    head=HEAD,
    paper=PAPER,
    differs=f"a form of this project for CIFAR-10: BNext-18's units, mean pooling and channels twice as shortcut; {DIFFERS}",
)

SPECS = (TINY, RESNET20)
