"""DRCDCT-Net's idea as a small float network: convolutions, then a transformer route beside a convolution route."""

from aoienet.models.blocks.dual_route import DualRoute
from aoienet.models.spec import Conv, NetSpec, Published, Stem
from aoienet.models.zoo.resnet import OPTION_B, pairs

NET = NetSpec(
    name="drcdct",
    stem=Stem("conv", (Conv(32, 7, 2),), act="relu", maxpool=True),
    body=(*pairs(((32, 4, 1), (64, 4, 2), (128, 4, 2))), DualRoute(128)),
    cell=OPTION_B,
    input_hw=(224, 224),
    num_classes=6,
    paper="Wang 2022, doi 10.1088/1361-6501/ac6fb2 (DRCDCT-Net)",
    differs=(
        "only the abstract is public. From it: two routes, a feature transformer for classes with enough samples and a route that "
        "takes the domain out of the features. Guessed: all widths and depths, the residual trunk, instance norm as the way to "
        "take out the domain, the fusion by a 1x1 convolution. Missing: joint training with pictures of other domains"
    ),
    published=(Published("neu_cls", 99.7, source="abstract (precision, 99.7 +- 0.2), as AOIE-Net Table 4 quotes it"),),
)

SPECS = (NET,)
