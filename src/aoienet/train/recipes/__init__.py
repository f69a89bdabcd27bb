"""Recipes: functions that return a frozen Recipe, one file each, found by themselves.

Values are grouped; an override names the group too: `-o optim.lr=5e-4`. Files whose name begins with "_" are no recipes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

from aoienet.train.recipes._forms import override, read_toml, recipe_dict, recipe_from, same_recipe, to_toml
from aoienet.train.recipes._groups import (
    Augment,
    Blocks,
    Data,
    Distill,
    Finish,
    Input,
    Net,
    Optim,
    Pixels,
    RealWeights,
    Recipe,
    check,
    flat,
    hint,
)

__all__ = [
    "Augment",
    "Blocks",
    "Data",
    "Distill",
    "Finish",
    "Input",
    "Net",
    "Optim",
    "Pixels",
    "RealWeights",
    "Recipe",
    "check",
    "flat",
    "get",
    "hint",
    "names",
    "override",
    "read_toml",
    "recipe_dict",
    "recipe_from",
    "same_recipe",
    "to_toml",
]


def names() -> list[str]:
    """The recipes that exist."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def get(name: str, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe of that name with `key=value` or `group.key=value` overrides."""
    if name not in names():
        raise ValueError(f"unknown recipe {name!r}{hint(name, names())}")
    recipe = getattr(importlib.import_module(f"{__name__}.{name}"), name)()
    return override(recipe, overrides)
