"""AOIE-Net: the three forms of the paper (design note A3) and two compact forms of this project."""

from aoienet.models.spec import Head, NetSpec, Stem, Unit, residual_pairs

CIFAR = NetSpec(
    name="aoienet_cifar",
    stem=Stem("thermometer", ((16, 3, 1),)),
    units=residual_pairs(((16, 6, 1), (32, 6, 2), (64, 6, 2))),
)

RESNET18 = NetSpec(
    name="aoienet_resnet18",
    stem=Stem("conv", ((64, 7, 2),), maxout=True, maxpool=True),
    units=residual_pairs(((64, 4, 1), (128, 4, 2), (256, 4, 2), (512, 4, 2))),
    head=Head(batchnorm=True),
    shortcut="avgpool_conv1x1",
    input_hw=(224, 224),
    num_classes=6,
)

MOBILE_BLOCKS = (
    *((32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2)),
    *((512, 512, 1),) * 5,
    *((512, 1024, 2), (1024, 1024, 1)),
)

MOBILENET = NetSpec(
    name="aoienet_mobilenet",
    stem=Stem("thermometer", ((32, 3, 2),)),
    units=tuple(unit for i, o, s in MOBILE_BLOCKS for unit in (Unit(i, 3, s), Unit(o, 1, 1))),
    input_hw=(224, 224),
    num_classes=1000,
)

# Whole pictures of steel, 200x200 grey: 0.59 M binary weights.
COMPACT = NetSpec(
    name="aoienet_compact",
    stem=Stem("conv", ((64, 7, 4),), maxout=True),
    units=residual_pairs(((64, 2, 1), (128, 2, 2), (256, 1, 2))),
    in_channels=1,
    input_hw=(200, 200),
    num_classes=6,
)

# Blocks of large pictures: total stride 8, a decision sees 31 px beyond its block (and 32 px more for the local contrast).
SCAN = NetSpec(
    name="aoienet_scan",
    stem=Stem("conv", ((64, 7, 4),), maxout=True),
    units=residual_pairs(((64, 2, 1), (128, 3, 2))),
    head=Head(window=4, stride=2, peak=3, peak_stride=2),
    in_channels=1,
    input_hw=(256, 256),
    num_classes=2,
)

SPECS = (CIFAR, RESNET18, MOBILENET, COMPACT, SCAN)
