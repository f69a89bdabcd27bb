"""MeliusNet: every new feature is appended by a dense block and corrected by an improvement block; no scaling factors."""

from aoienet.models.blocks.transition import Transition
from aoienet.models.blocks.unit import Unit
from aoienet.models.spec import Block, Conv, Head, NetSpec, Published, Stem
from aoienet.nn.cell import Cell

PAPER = "Bethge 2020, arXiv 2001.05936 (MeliusNet); its code: hpi-xnor/BMXNet-v2-examples"
CELL = Cell(act_q="sign", surrogate="clip:1.3", weight_q="sign", pre_bn=True, bn=False, shortcut="none", pad=-1.0)
GROUPED_STEM = Stem(
    "conv", (Conv(32, 3, 2), Conv(32, 3, 1, groups=4), Conv(64, 3, 1, groups=8)), act="relu", maxpool=True
)
DIFFERS = "weights outside of 1.3 get no gradient (its code: all do); stem weights of the first convolution are 8-bit integers"


def stages(growth: int, counts: tuple[int, ...], transitions: tuple[int, ...]) -> tuple[Block, ...]:
    """Stages of `counts` pairs (dense block, improvement block), each pair `growth` channels wider; transitions between them."""
    pair = (Unit(growth, join="concat"), Unit(growth, join="tail"))
    body: tuple[Block, ...] = pair * counts[0]
    for count, width in zip(counts[1:], transitions, strict=True):
        body += (Transition(width), *pair * count)
    return body


def imagenet(name: str, counts: tuple[int, ...], transitions: tuple[int, ...], published: Published) -> NetSpec:
    return NetSpec(
        name=name,
        stem=GROUPED_STEM,
        body=stages(64, counts, transitions),
        cell=CELL,
        head=Head(act="relu"),
        input_hw=(224, 224),
        num_classes=1000,
        paper=PAPER,
        differs=DIFFERS,
        published=(published,),
    )


NET29 = imagenet(
    "meliusnet29", (4, 6, 8, 6), (128, 192, 256), Published("imagenet", 65.8, 86.2, source="AOIE-Net Table 3")
)
NET42 = imagenet(
    "meliusnet42", (5, 8, 14, 10), (160, 256, 416), Published("imagenet", 69.2, 88.3, source="AOIE-Net Table 3")
)

# As many binary weights as ResNet-20: 0.24 M, 24 binary convolutions.
CIFAR = NetSpec(
    name="meliusnet_cifar",
    stem=Stem("conv", (Conv(16, 3, 1),)),
    body=stages(16, (4, 4, 4), (40, 56)),
    cell=CELL,
    head=Head(act="relu"),
    paper=PAPER,
    differs=f"a form of this project: growth 16, three stages, 3x3 stem; {DIFFERS}",
)

SPECS = (NET29, NET42, CIFAR)
