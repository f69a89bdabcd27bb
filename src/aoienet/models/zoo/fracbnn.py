"""FracBNN: thermometer stem, precision gating of 2-bit activations, batch norm behind the add."""

from dataclasses import replace

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import Conv, NetSpec, Published, Stem
from aoienet.models.zoo.aoienet import MOBILENET as AOIE_MOBILENET
from aoienet.models.zoo.resnet import R20
from aoienet.nn.cell import Cell

PAPER = "Zhang 2021, arXiv 2012.12206 (FracBNN)"
CELL = Cell(act_q="uniform2", weight_q="sign", multi="gated", out_act="rprelu", shift=True, shortcut="avgpool_dup")
PIXELS = "the thermometer rounds half pixels up, its code half to even"

RESNET20 = NetSpec(
    name="fracbnn_resnet20",
    stem=Stem("thermometer", (Conv(16, 3, 1),)),
    body=residual(R20),
    cell=CELL,
    paper=PAPER,
    differs=PIXELS,
    published=(
        Published("cifar10", 89.1, source="README, 1.4 bits per activation"),
        Published("cifar10", 88.2, source="AOIE-Net Table 1 and 2, its authors' own run, called 1/1"),
    ),
)

ONE_BIT = replace(
    RESNET20,
    name="fracbnn_resnet20_1bit",
    cell=replace(CELL, act_q="sign", surrogate="clip_open", multi="single"),
    differs=f"no gate; {PIXELS}",
    published=(Published("cifar10", 87.2, source="from memory, not verified: 1/1"),),
)

MOBILENET = replace(
    AOIE_MOBILENET,
    name="fracbnn_mobilenet",
    cell=CELL,
    paper=PAPER,
    differs=f"real shortcuts, its code rounds them to 16 levels (shortcut='avgpool_dup_4bit'); {PIXELS}",
    published=(
        Published("imagenet", 71.7, source="README, 1.4 bits per activation"),
        Published("imagenet", 71.8, 90.1, source="AOIE-Net Table 3"),
    ),
)

SPECS = (RESNET20, ONE_BIT, MOBILENET)
