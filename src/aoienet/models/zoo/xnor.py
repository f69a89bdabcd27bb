"""XNOR-Net: BN - sign - convolution - ReLU, with and without the map K."""

from dataclasses import replace

from aoienet.models.spec import Published
from aoienet.models.zoo.resnet import R18, imagenet, pairs
from aoienet.nn.cell import Cell

CELL = Cell(
    act_q="sign",
    surrogate="clip_open",
    weight_q="xnor",
    scale="bias",
    pre_bn=True,
    bn=False,
    act="relu",
    shortcut="conv1x1_bn",
)
GUESS = "the PyTorch port has no ResNet: a shortcut around two of its blocks, with a real 1x1 convolution, is a guess"

RESNET18 = imagenet(
    "xnor_resnet18",
    CELL,
    pairs(R18),
    paper="Rastegari 2016, arXiv 1603.05279 (XNOR-Net)",
    differs=f"without the map K, as its PyTorch port; {GUESS}",
    published=(Published("imagenet", 51.2, 73.2, source="Rastegari 2016, with K; AOIE-Net Table 3"),),
)

KMAP = replace(
    RESNET18,
    name="xnor_resnet18_kmap",
    cell=replace(CELL, scale="kmap"),
    differs=f"no bias on the convolutions; {GUESS}",
)

SPECS = (RESNET18, KMAP)
