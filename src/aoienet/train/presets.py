"""Rows of `aoienet ablate`: Table 1 of the paper, and every trick of ours alone and together."""

from __future__ import annotations

from aoienet.train.grid import Row
from aoienet.train.recipes import Recipe

# Design note E2: how far the two planes are apart at the start; 0 leaves them equal for ever.
SPREADS = (0.0, 0.25, 0.61)
CLIPS = ("clip:1", "clip:1.3", "clip:1.5", "clip:2")


def table1(base: Recipe, teacher: str = "") -> tuple[Row, ...]:
    """The five rows of Table 1; FracBNN at one bit, as the table calls it."""
    return (
        Row("FracBNN", ("model=fracbnn_resnet20_1bit",)),
        Row("+ ABA-IO", ("model=aoienet_cifar_aba_io",)),
        Row("+ PAN", ("model=aoienet_cifar_pan",)),
        Row("+ DBN-IEB", ("model=aoienet_cifar_dbn_ieb",)),
        Row("AOIE-Net", ("model=aoienet_cifar",)),
    )


def tricks(base: Recipe, teacher: str = "") -> tuple[Row, ...]:
    """The base, then each trick alone, then all that cost nothing at run time, then all; with a teacher also distillation."""
    first = max(1, base.epochs // 3)
    steps = ("finish.bn_batches=100",)
    average = (*steps, "finish.ema=0.999")
    two = (f"real_weights.epochs={first}",)
    decay = ("optim.weight_decay=0.0001",)
    told = (f"distill.teacher={teacher}",) if teacher else ()
    net = ("net.stem=conv", "net.act=dprelu", "net.head_batchnorm=on")
    rows = [
        Row("base"),
        Row("two steps", two),
        Row("statistics counted anew", steps),
        Row("averages and statistics", average),
        Row("decay on kernels", decay),
        Row("twice the epochs", (f"epochs={2 * base.epochs}",)),
        Row("real stem", net[:1]),
        Row("DPReLU", net[1:2]),
        Row("batch norm before the linear layer", net[2:]),
        Row("SE scale", ("net.scale=se",)),
        Row("activation gradient annealed (EDE)", ("net.surrogate=ede",)),
        Row("weight gradient not annealed", ("net.weight_q=affine",)),
        *(Row(f"window {clip}", (f"net.surrogate={clip}",)) for clip in CLIPS),
        *(Row(f"spread {value:g}", (f"net.spread={value:g}",)) for value in SPREADS),
        Row("one plane (collapsed)", ("net.multi=collapsed",)),
        Row("all but SE", (*two, *average, *decay, *net)),
        Row("all", (*two, *average, *decay, *net, "net.scale=se")),
    ]
    if told:
        rows[1:1] = [Row("teacher", told)]
        rows += [Row("all and teacher", (*rows[-1].overrides, *told))]
    return tuple(rows)


PRESETS = {"table1": table1, "tricks": tricks}
