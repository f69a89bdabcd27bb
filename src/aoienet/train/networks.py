"""The network of a recipe: one of the zoo, with the recipe's changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, fields, replace
from typing import Any

import torch
from torch import nn

from aoienet.data import photos
from aoienet.models import CELL_FIELDS, segment, spec_of
from aoienet.models.net import BinaryNet
from aoienet.models.spec import Block, Head, NetSpec, Stem
from aoienet.nn.cell import Cell
from aoienet.train.recipes import Recipe


def spec(recipe: Recipe) -> NetSpec:
    """Raises ValueError for an unknown network or part, and for one that answers for pixels, which has no such spec."""
    if recipe.model in segment.NAMES:
        raise ValueError(
            f"{recipe.model} answers for pixels and learns from data.set=segment; received data.set={recipe.data.set}; next: leave "
            "model as the recipe has it"
        )
    changes = {key: value for key, value in asdict(recipe.net).items() if value is not None}
    zoo, given = spec_of(recipe.model), {key: changes[key] for key in changes if key in CELL_FIELDS}
    method = spec_of(changes["method"]).cell if "method" in changes else None
    side = changes.get("input_px")
    return replace(
        zoo,
        input_hw=(side, side) if side else zoo.input_hw,
        stem=stem(changes.get("stem", zoo.stem.kind), zoo.stem),
        cell=replace(method if method else zoo.cell, **given),
        body=tuple(block_with(block, method, given) for block in zoo.body),
        head=head(zoo.head, changes),
        num_classes=len(recipe.classes) if recipe.classes else zoo.num_classes,
        in_channels=recipe.in_channels,
    )


def block_with(block: Block, method: Cell | None, given: dict[str, Any]) -> Block:
    """A block that has a cell of its own gets the changes too, and so do blocks inside of it. Raises ValueError where it cannot."""
    own: Any = block
    if hasattr(own, "blocks"):
        own = block = replace(own, blocks=tuple(block_with(inner, method, given) for inner in own.blocks))
    if getattr(own, "cell", None) is None or not (method or given):
        return block
    if not isinstance(own.cell, Cell) or "cell" not in {f.name for f in fields(own)}:
        raise ValueError(f"net.* changes cells of units; {type(block).__name__} has other parts: take another model")
    return replace(own, cell=replace(method if method else own.cell, **given))


def head(zoo: Head, changes: dict[str, Any]) -> Head:
    """The head with net.head_*. Raises ValueError where it cannot have levels."""
    given = {key: changes[f"head_{key}"] for key in ("batchnorm", "levels") if f"head_{key}" in changes}
    if given.get("levels") and zoo.window:
        raise ValueError("net.head_levels is for heads over whole pictures; this model's head answers for blocks")
    return replace(zoo, **given)


def stem(kind: str, zoo: Stem) -> Stem:
    """The same convolution in real numbers, or behind a thermometer code."""
    if kind not in ("thermometer", "conv"):
        raise ValueError(f"net.stem is thermometer or conv, got {kind!r}")
    if kind == zoo.kind:
        return zoo
    if kind == "thermometer" and len(zoo.convs) > 1:
        raise ValueError(f"a thermometer stem has one convolution; this network's stem has {len(zoo.convs)}")
    return replace(zoo, kind=kind)  # type: ignore[arg-type]


def build(recipe: Recipe) -> nn.Module:
    """With random weights. Raises ValueError: unknown network or part, or changes that the network does not take."""
    if recipe.model not in segment.NAMES:
        return BinaryNet(spec(recipe))
    given = [key for key, value in asdict(recipe.net).items() if value is not None]
    if given:
        raise ValueError(f"{recipe.model} is built as it is; received net.{', net.'.join(given)}")
    return segment.create(recipe.model, recipe.in_channels)


def logits(recipe: Recipe, x_NCHW: torch.Tensor, net: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """float32, in BF16 arithmetic where the recipe says so."""
    with torch.autocast(x_NCHW.device.type, torch.bfloat16) if recipe.bf16 else nullcontext():
        return net(x_NCHW).float()


def transform(recipe: Recipe) -> dict:
    """The input transform of the model file (docs/format.md, Input)."""
    if recipe.input.kind == "pixels" and recipe.model not in segment.NAMES:
        return {"kind": spec(recipe).pixels}
    return asdict(recipe.input)


def resize_px(recipe: Recipe) -> int | None:
    """`resize_px` of the model file (docs/format.md, Input): photographs are validated on their centre; None: on the whole."""
    return photos.resize_px(spec(recipe).input_hw[0]) if recipe.data.set == "imagenet" else None
