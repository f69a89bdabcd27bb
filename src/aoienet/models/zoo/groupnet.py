"""Group-Net: each residual block of the float network becomes the learned sum of five binary ones."""

from aoienet.models.blocks.groups import Groups
from aoienet.models.spec import Published
from aoienet.models.zoo.resnet import cifar, imagenet
from aoienet.nn.cell import Cell

PAPER = "Zhuang 2019, arXiv 1811.10413 (Group-Net); its code: bohanzhuang/Group-Net-image-classification, model_ablation_1.py"
CELL = Cell(act_q="sign", surrogate="approx", weight_q="dorefa", shortcut="binary_conv1x1_bn", pad=1.0)

RESNET20 = cifar(
    "groupnet_resnet20",
    CELL,
    (Groups(((16, 3, 1), (32, 3, 2), (64, 3, 2))),),
    paper=PAPER,
    differs="a form of this project for CIFAR-10",
)
RESNET18 = imagenet(
    "groupnet_resnet18",
    CELL,
    (Groups(((64, 2, 1), (128, 2, 2), (256, 2, 2), (512, 2, 2))),),
    act="none",
    paper=PAPER,
    differs="the stem's batch norm stands before the max pooling (its code: behind)",
    published=(Published("imagenet", 64.8, 85.7, source="the paper, K = 5; unverified"),),
)

SPECS = (RESNET20, RESNET18)
