"""The fields of a Recipe, in groups, and the values that no run can have."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CHOICES = {
    "optim.kind": ("adamw", "sgd"),
    "optim.schedule": ("cosine", "linear", "drops"),
    "input.kind": ("standardize", "pixels"),
}


POSITIVE = (
    *("optim.lr", "optim.clip_norm", "distill.temperature"),
    *("input.eps_levels", "input.scale", "augment.scale_least", "augment.area_least"),
)
SHARES = (
    *("distill.weight", "finish.ema", "augment.cutmix", "augment.whole_share", "label_smoothing"),
    *("data.val_fraction", "data.test_fraction"),
)


@dataclass(frozen=True)
class Data:
    """What is read. Fractions of the pictures; `per_class` > 0 draws that many training pictures of every class and tests on all
    that share no surface with them; `leave_out` is a class of which no picture is trained with; `limit` > 0 keeps that many per
    part (for trying things out).

    train, val   of ImageNet-style sets: a folder below --data, or a pattern of shards (data/stores)
    most_broken  pictures that may be left out because they cannot be decoded; one more stops the run
    """

    set: str
    split: str = "official"
    split_seed: int = 0
    val_fraction: float = 0.05
    test_fraction: float = 0.2
    per_class: int = 0
    leave_out: str = ""
    duplicate_correlation: float = 0.95  # data/duplicates.py
    train: str = "train"
    val: str = "val"
    most_broken: int = 0
    limit: int = 0
    workers: int = 1


@dataclass(frozen=True)
class Input:
    """From pixels to what the network sees: standardised grey, or "pixels" raw or centred as the network's stem wants them."""

    kind: str = "standardize"
    window_px: int = 0
    eps_levels: float = 2.0
    scale: float = 32.0


@dataclass(frozen=True)
class Net:
    """Changes to the network of the zoo; None: as the zoo has it. Names are files of quant/, nn/ (docs/notation.md).

    stem        thermometer or conv
    input_px    side of the square pictures that it is made for
    method      another network of the zoo, whose cell takes the place of this one's: its planes, weights, scales, nonlinearities
                and shortcuts on this backbone. The fields below change that cell
    head_levels the classes are told from the means and mean squares of every level, not of the last map alone
    """

    stem: str | None = None
    input_px: int | None = None
    method: str | None = None
    act_q: str | None = None
    surrogate: str | None = None
    weight_q: str | None = None
    multi: str | None = None
    spread: float | None = None
    pad: float | None = None
    scale: str | None = None
    out_act: str | None = None
    act: str | None = None
    shift: bool | None = None
    shortcut: str | None = None
    head_batchnorm: bool | None = None
    head_levels: bool | None = None


@dataclass(frozen=True)
class Optim:
    """AdamW or SGD with momentum 0.9; rates per step.

    schedule      after the warm-up: cosine or linear to lr_last, or "drops": lr x 0.1 at each epoch of drop_at
    weight_decay  on the kernels of all convolutions: latent weights, and those of a real stem and real shortcuts; on nothing else
    """

    kind: str = "adamw"
    lr: float = 1e-3
    lr_last: float = 0.0
    schedule: str = "cosine"
    drop_at: tuple[int, ...] = ()
    warmup_epochs: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = 5.0


@dataclass(frozen=True)
class RealWeights:
    """Two-step training: the first `epochs` run with binary activations and real weights, on a schedule of their own; then the
    weights are binarized and the rest runs on a new schedule with a new optimiser (ReActNet, section 4.3). Warm-up and drops
    count from the beginning of each step. 0: one step."""

    epochs: int = 0
    weight_decay: float = 1e-5


@dataclass(frozen=True)
class Distill:
    """Loss = weight T^2 KL(teacher || student at temperature T) + (1 - weight) task loss (Hinton 2015, arXiv 1503.02531).
    teacher: a run folder; "": none."""

    teacher: str = ""
    weight: float = 0.9
    temperature: float = 2.0


@dataclass(frozen=True)
class Finish:
    """After the last epoch: exponential averages in place of all parameters but the latent binary weights, whose signs an
    average would smear (`ema`: share kept per step; 0: off); then batch norm statistics counted anew over `bn_batches` batches of
    training pictures: of CIFAR-10 augmented as in training, elsewhere not augmented."""

    ema: float = 0.0
    bn_batches: int = 0


@dataclass(frozen=True)
class Augment:
    """A task refuses what it does not know.

    cutmix      share of the batches
    area_least  least share of a photograph that a random crop covers
    lighting    spread of the shift of its colors (data/photos.py)
    crop_px     side of the training pictures, cut at random (0: whole pictures); the last `whole_share` of the epochs has whole
                pictures, so that the network ends with what it will see (Touvron 2019, arXiv 1906.06423)
    """

    flips: bool = True
    turns: bool = True
    scale_least: float = 1.0
    scale_most: float = 1.0
    gain_spread: float = 0.25
    cutmix: float = 0.0
    area_least: float = 1.0
    lighting: float = 0.0
    crop_px: int = 0
    whole_share: float = 0.0


@dataclass(frozen=True)
class Blocks:
    """Grids of blocks in pixels (0: whole pictures), what an epoch draws from each source, and the share of the length of the cracks
    in validation photographs that the threshold passes on."""

    px: int = 0
    stride_px: int = 0
    crack_weight: float = 1.0
    weak_weight: float = 0.0
    brick_per_epoch: int = 0
    drone_per_epoch: int = 0
    photo_per_epoch: int = 0
    masked_repeats: int = 1
    keep_recall: float = 0.98


@dataclass(frozen=True)
class Pixels:
    """Masks: side of the training crops, what an epoch draws from each source, the strongest blur (sigma) and noise, and the
    weights of the loss: Dice, cross-entropy, skeleton recall."""

    crop_px: int = 0
    masked_repeats: int = 1
    drone_per_epoch: int = 0
    photo_per_epoch: int = 0
    blur_px: float = 1.5
    noise_levels: float = 12.0
    dice: float = 1.0
    entropy: float = 1.0
    skeleton: float = 0.5


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run."""

    name: str
    model: str
    classes: tuple[str, ...]  # empty: the data decides, and the task's recipe has them
    data: Data
    in_channels: int = 1
    epochs: int = 40
    batch: int = 32
    seed: int = 0
    label_smoothing: float = 0.0
    class_weights: bool = False
    input: Input = Input()
    net: Net = Net()
    optim: Optim = Optim()
    real_weights: RealWeights = RealWeights()
    distill: Distill = Distill()
    finish: Finish = Finish()
    augment: Augment = Augment()
    blocks: Blocks = Blocks()
    pixels: Pixels = Pixels()
    device: str = "cpu"
    bf16: bool = False  # autocast; for devices that are fast at it
    compile: bool = False  # torch.compile
    sync_bn: bool = False  # batch norms over the joint batch of all processes

    def __post_init__(self) -> None:
        check(self)


def check(recipe: Recipe) -> None:
    """Refuse values that no run can have."""
    values = flat(recipe)
    for key in ("epochs", "batch", "data.workers"):
        if values[key] < 1:
            raise ValueError(f"{key} must be at least 1, got {values[key]}")
    for key in POSITIVE:
        if not values[key] > 0:
            raise ValueError(f"{key} must be positive, got {values[key]}")
    for key, choices in CHOICES.items():
        if values[key] not in choices:
            raise ValueError(f"unknown {key} {values[key]!r}{hint(values[key], choices)}")
    for key in SHARES:
        if not 0 <= values[key] <= 1:
            raise ValueError(f"{key} must lie in 0..1, got {values[key]}")
    for key, value in values.items():
        # the values of bits and of padding may be negative
        least = -math.inf if key.startswith("net.") else 0
        if isinstance(value, (int, float)) and not (math.isfinite(value) and value >= least):
            rule = "a finite number" if key.startswith("net.") else "a number of 0 or more"
            raise ValueError(f"{key} must be {rule}, got {value}")
    if recipe.input.window_px and recipe.input.window_px % 2 == 0:
        raise ValueError(f"input.window_px is odd, or 0 for the whole picture; got {recipe.input.window_px}")
    if not recipe.seed < 1 << 32:
        raise ValueError(f"seed must be less than 2^32, got {recipe.seed}")
    check_steps(recipe)


def check_steps(recipe: Recipe) -> None:
    """Refuse fields that contradict each other."""
    o, finish = recipe.optim, recipe.finish
    if not 0 <= recipe.real_weights.epochs < recipe.epochs:
        raise ValueError(
            f"real_weights.epochs must be less than epochs ({recipe.epochs}), so that binary weights are trained too; "
            f"got {recipe.real_weights.epochs}; next: -o real_weights.epochs=N with fewer, 0 for one step"
        )
    if (o.schedule == "drops") != bool(o.drop_at):
        raise ValueError(f"optim.drop_at belongs to optim.schedule=drops; got {o.schedule!r} and drop_at {o.drop_at}")
    least, most = recipe.augment.scale_least, recipe.augment.scale_most
    if least > most:
        raise ValueError(f"augment.scale_least is at most augment.scale_most; got {least} and {most}")
    if finish.ema and not finish.bn_batches:
        raise ValueError(
            f"finish.ema={finish.ema} needs finish.bn_batches: the averaged parameters belong to other statistics than the "
            "last ones; add -o finish.bn_batches=50"
        )


def flat(recipe: Any, prefix: str = "") -> dict[str, Any]:
    """{"epochs": 40, "optim.lr": 0.001, ...}, in the order of the fields."""
    out: dict[str, Any] = {}
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if dataclasses.is_dataclass(value):
            out |= flat(value, f"{prefix}{field.name}.")
        else:
            out[prefix + field.name] = value
    return out


def hint(word: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'? (known: ...)"; a key without its group is found too."""
    known = list(known)
    near = [k for k in known if k.endswith(f".{word}")] + difflib.get_close_matches(word, known, 1)
    return (f"; did you mean {near[0]!r}?" if near else "") + f" (known: {', '.join(known)})"
