"""AOIE-Net: the three forms of the paper (design note A3), the rows of its Table 1, one-plane variants, four compact forms."""

from dataclasses import replace

from aoienet.models.blocks.unit import Unit, residual
from aoienet.models.spec import Conv, Head, NetSpec, Published, Stem
from aoienet.nn.cell import Cell

PAPER = "AOIE-Net: adaptive optimization information enhancement network (the paper of this project)"
CELL = Cell(act_q="affine", weight_q="affine_ede", multi="dual_bn", act="maxout", shift=True)
R20 = ((16, 6, 1), (32, 6, 2), (64, 6, 2))
R18 = ((64, 4, 1), (128, 4, 2), (256, 4, 2), (512, 4, 2))

CIFAR = NetSpec(
    name="aoienet_cifar",
    stem=Stem("thermometer", (Conv(16, 3, 1),)),
    body=residual(R20),
    cell=CELL,
    paper=PAPER,
    published=(Published("cifar10", 90.6, source="Table 2"),),
)

RESNET18 = NetSpec(
    name="aoienet_resnet18",
    stem=Stem("conv", (Conv(64, 7, 2),), act="maxout", maxpool=True),
    body=residual(R18),
    cell=Cell(
        act_q="affine", weight_q="affine_ede", multi="dual_bn", act="maxout", shift=True, shortcut="avgpool_conv1x1"
    ),
    head=Head(batchnorm=True),
    input_hw=(224, 224),
    num_classes=6,
    paper=PAPER,
    published=(Published("neu_cls", 99.4, source="Table 4, random 8:2"),),
)

MOBILE_BLOCKS = (
    *((32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2)),
    *((512, 512, 1),) * 5,
    *((512, 1024, 2), (1024, 1024, 1)),
)

MOBILENET = NetSpec(
    name="aoienet_mobilenet",
    stem=Stem("thermometer", (Conv(32, 3, 2),)),
    body=tuple(unit for i, o, s in MOBILE_BLOCKS for unit in (Unit(i, 3, s), Unit(o, 1, 1))),
    cell=CELL,
    input_hw=(224, 224),
    num_classes=1000,
    paper=PAPER,
    published=(Published("imagenet", 72.1, 90.2, source="Table 3"),),
)

# For trying out ImageNet trainings on a CPU: a quarter of the channels, a sixteenth of the operations.
MOBILENET_QUARTER = replace(
    MOBILENET,
    name="aoienet_mobilenet_quarter",
    stem=Stem("thermometer", (Conv(8, 3, 2),)),
    body=tuple(unit for i, o, s in MOBILE_BLOCKS for unit in (Unit(i // 4, 3, s), Unit(o // 4, 1, 1))),
    paper="this project's own: AOIE-Net's ImageNet form at a quarter of its width",
    published=(),
)

# Table 1: what is added to FracBNN (fracbnn_resnet20). The paper does not say how; these are the readings whose counted
# operations are the table's to the printed digit (design note 0; tests/models/test_zoo.py).
FRACBNN_CELL = Cell(act_q="sign", surrogate="clip_open", weight_q="sign", out_act="rprelu", shift=True)


def table1(name: str, first: Cell, second: Cell, accuracy: float, differs: str) -> NetSpec:
    """The two units of every block of ResNet-20 with a cell each."""
    body = tuple(replace(unit, cell=second if i % 2 else first) for i, unit in enumerate(residual(R20)))
    published = (Published("cifar10", accuracy, source="Table 1"),)
    return replace(CIFAR, name=name, body=body, cell=first, differs=differs, published=published)


ABA_IO = replace(
    CIFAR,
    name="aoienet_cifar_aba_io",
    cell=replace(CELL, multi="single"),
    differs="one-plane FracBNN with adaptive sets; Maxout for RPReLU",
    published=(Published("cifar10", 88.5, source="Table 1"),),
)
PAN = table1(
    "aoienet_cifar_pan",
    replace(FRACBNN_CELL, act="prelu"),
    FRACBNN_CELL,
    88.7,
    "one-plane FracBNN with a PReLU between the add and the shift of the first unit of each block",
)
DBN_CELL = replace(FRACBNN_CELL, multi="dual_bn", out_act="none")
DBN_IEB = table1(
    "aoienet_cifar_dbn_ieb",
    replace(DBN_CELL, shift=False),
    DBN_CELL,
    88.6,
    "FracBNN with two planes by dual batch norms, without RPReLU, shifted once per block",
)
# A narrow window splits the values by their size and forgets their sign: with a spread of 0.5 the product did not learn.
WINDOW = {"act_q": "sign", "surrogate": "approx", "spread": 1.5}
ONE_PLANE = "this project's own: AOIE-Net at one binary plane"
COLLAPSED, PRODUCT, SPLIT = (
    replace(
        CIFAR, name=f"aoienet_cifar_{multi}", cell=replace(CELL, multi=multi, **codes), paper=ONE_PLANE, published=()
    )
    for multi, codes in (("collapsed", {}), ("product", WINDOW), ("split", {}))
)

# Whole pictures of steel, 200x200 grey: 0.59 M binary weights.
COMPACT = NetSpec(
    name="aoienet_compact",
    stem=Stem("conv", (Conv(64, 7, 4),), act="maxout"),
    body=residual(((64, 2, 1), (128, 2, 2), (256, 1, 2))),
    cell=CELL,
    in_channels=1,
    input_hw=(200, 200),
    num_classes=6,
    paper="this project's own: a small AOIE-Net for whole pictures",
)

# The same behind a max pooling, a quarter of the positions and of the work; classes told from every level, since steel is told
# apart by its grain as much as by shapes.
COMPACT_LEVELS = replace(
    COMPACT,
    name="aoienet_compact_levels",
    stem=replace(COMPACT.stem, maxpool=True),
    head=Head(batchnorm=True, levels=True),
    paper="this project's own: a small AOIE-Net for textures, a head on every level",
)

# The same at half of the channels, with planes that the runtime counts together: a quarter of the operations.
COMPACT_SMALL = replace(
    COMPACT_LEVELS,
    name="aoienet_compact_small",
    stem=replace(COMPACT_LEVELS.stem, convs=(Conv(32, 7, 4),)),
    body=residual(((32, 2, 1), (64, 2, 2), (128, 1, 2))),
    cell=replace(CELL, multi="dual_bn_tied"),
    paper="this project's own: aoienet_compact_levels for speed",
)

# Blocks of large pictures: total stride 8, a decision sees 31 px beyond its block (and 32 px more for the local contrast).
SCAN = NetSpec(
    name="aoienet_scan",
    stem=Stem("conv", (Conv(64, 7, 4),), act="maxout"),
    body=residual(((64, 2, 1), (128, 3, 2))),
    cell=CELL,
    head=Head(window=4, stride=2, peak=3, peak_stride=2),
    in_channels=1,
    input_hw=(256, 256),
    num_classes=2,
    paper="this project's own: AOIE-Net's units behind a scanning head",
)

# The same blocks behind a max pooling, which keeps what is thin and dark: every unit at stride 8, and planes that the runtime
# counts together. 12.7 thousand binary MACs per pixel.
SCAN_POOL = replace(
    SCAN,
    name="aoienet_scan_pool",
    stem=replace(SCAN.stem, maxpool=True),
    body=residual(((64, 1, 1), (128, 3, 1))),
    cell=replace(CELL, multi="dual_bn_tied"),
    paper="this project's own: aoienet_scan behind a max pooling",
)

# The same at 2.9 thousand binary MACs per pixel.
SCAN_POOL_SMALL = replace(
    SCAN_POOL,
    name="aoienet_scan_pool_small",
    stem=replace(SCAN_POOL.stem, convs=(Conv(32, 7, 4),)),
    body=residual(((64, 3, 1),)),
    paper="this project's own: aoienet_scan_pool for the speed of a first stage",
)

SPECS = (
    CIFAR,
    RESNET18,
    MOBILENET,
    MOBILENET_QUARTER,
    ABA_IO,
    PAN,
    DBN_IEB,
    COLLAPSED,
    PRODUCT,
    SPLIT,
    COMPACT,
    COMPACT_LEVELS,
    COMPACT_SMALL,
    SCAN,
    SCAN_POOL,
    SCAN_POOL_SMALL,
)
