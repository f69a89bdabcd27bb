"""Recipes: functions that return a frozen Recipe, one file each, found by themselves."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass

SWITCH = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run. Lengths in pixels, rates per step."""

    name: str
    dataset: str
    model: str
    classes: tuple[str, ...]  # empty: the data decides, and the task's recipe has them
    in_channels: int = 1
    input: str = "standardize"  # or "pixels": raw or centred, as the network's stem wants them
    epochs: int = 40
    batch: int = 32
    lr: float = 2e-3
    lr_last: float = 0.0
    schedule: str = "cosine"
    warmup_epochs: float = 1.0
    optimiser: str = "adamw"
    weight_decay: float = 1e-2
    clip_norm: float = 5.0
    seed: int = 0
    split_seed: int = 0
    split: str = "grouped"
    val_fraction: float = 0.05
    test_fraction: float = 0.2
    duplicate_correlation: float = 0.95  # data/duplicates.py
    loss: str = "cross_entropy"
    label_smoothing: float = 0.0
    window_px: int = 0
    eps_levels: float = 2.0
    scale: float = 32.0
    block_px: int = 0
    block_stride_px: int = 0
    crack_weight: float = 1.0
    weak_weight: float = 0.0
    brick_per_epoch: int = 0
    drone_per_epoch: int = 0
    photo_per_epoch: int = 0
    masked_repeats: int = 1
    scale_least: float = 1.0
    scale_most: float = 1.0
    gain_spread: float = 0.25
    cutmix: float = 0.0  # share of the batches
    flips: bool = True  # this and the next two: recipe folder
    turns: bool = True
    class_weights: bool = False
    keep_recall: float = 0.98
    limit: int = 0
    workers: int = 1
    device: str = "cpu"

    @property
    def transform(self) -> dict:
        """The input transform of the model file."""
        if self.input == "pixels":
            from aoienet.models import spec_of

            return {"kind": spec_of(self.model).pixels}
        return {
            "kind": "standardize",
            "window_px": self.window_px,
            "eps_levels": self.eps_levels,
            "scale": self.scale,
        }


def names() -> list[str]:
    """The recipes that exist."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def _hint(word: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(word, known, 1)
    return (f"; did you mean {near[0]!r}?" if near else "") + f" (known: {', '.join(known)})"


def get(name: str, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe of that name with `key=value` overrides."""
    if name not in names():
        raise ValueError(f"unknown recipe {name!r}{_hint(name, names())}")
    recipe = getattr(importlib.import_module(f"{__name__}.{name}"), name)()
    return override(recipe, overrides)


def override(recipe: Recipe, overrides: Iterable[str]) -> Recipe:
    """Replace fields; the type of the present value decides how the text is read."""
    values: dict[str, object] = {}
    known = [f.name for f in dataclasses.fields(recipe) if f.name not in ("name", "classes")]
    for item in overrides:
        key, equals, text = item.partition("=")
        if not equals:
            raise ValueError(f"an override is written key=value, got {item!r}")
        if key not in known:
            raise ValueError(f"unknown recipe key {key!r}{_hint(key, known)}")
        kind = type(getattr(recipe, key))
        try:
            values[key] = SWITCH[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError) as error:
            wanted = "on or off" if kind is bool else f"a value of type {kind.__name__}"
            raise ValueError(f"{key} takes {wanted}, got {text!r}") from error
    changed = dataclasses.replace(recipe, **values)  # type: ignore[arg-type]
    check(changed)
    return changed


def check(recipe: Recipe) -> None:
    """Refuse values that no run can have."""
    for key in ("epochs", "batch", "workers"):
        if getattr(recipe, key) < 1:
            raise ValueError(f"{key} must be at least 1, got {getattr(recipe, key)}")
    if recipe.lr <= 0:
        raise ValueError(f"lr must be positive, got {recipe.lr}")
    if recipe.schedule not in ("cosine", "linear"):
        raise ValueError(f"unknown schedule {recipe.schedule!r}{_hint(recipe.schedule, ['cosine', 'linear'])}")
    if recipe.input not in ("standardize", "pixels"):
        raise ValueError(f"unknown input {recipe.input!r}{_hint(recipe.input, ['standardize', 'pixels'])}")
    if recipe.optimiser != "adamw":
        raise ValueError(f"unknown optimiser {recipe.optimiser!r}{_hint(recipe.optimiser, ['adamw'])}")
