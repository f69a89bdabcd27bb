"""Networks by name. Each file of `zoo/` holds the specs of one publication in a tuple `SPECS`; nothing else lists them."""

import dataclasses
import fnmatch
import importlib
import pkgutil
from dataclasses import replace
from typing import Any

from aoienet.models.net import BinaryNet
from aoienet.models.spec import NetSpec
from aoienet.nn.cell import Cell
from aoienet.parts import nearest

CELL_FIELDS = {f.name for f in dataclasses.fields(Cell)}


def specs() -> dict[str, NetSpec]:
    """All specs of the zoo by name."""
    zoo = importlib.import_module("aoienet.models.zoo")
    found: dict[str, NetSpec] = {}
    for info in pkgutil.iter_modules(zoo.__path__):
        for spec in getattr(importlib.import_module(f"{zoo.__name__}.{info.name}"), "SPECS", ()):
            if spec.name in found:
                raise ValueError(f"two networks are called '{spec.name}'; give one of them another name.")
            found[spec.name] = spec
    return found


def spec_of(name: str) -> NetSpec:
    """One spec of the zoo. Raises ValueError with the nearest name."""
    table = specs()
    if name not in table:
        raise ValueError(f"unknown network '{name}'; known: {', '.join(sorted(table))}{nearest(name, table)}")
    return table[name]


def list_models(pattern: str = "*") -> list[str]:
    """Names of the zoo that match a shell pattern, sorted."""
    return sorted(fnmatch.filter(specs(), pattern))


def create_model(
    name: str, num_classes: int | None = None, in_channels: int | None = None, **changes: Any
) -> BinaryNet:
    """Build a network of the zoo; `changes` replace fields of its spec or of its cell. Raises ValueError with the nearest name."""
    spec = spec_of(name)
    given = {"num_classes": num_classes, "in_channels": in_channels}
    changes |= {key: value for key, value in given.items() if value is not None}
    return BinaryNet(changed(spec, **changes))


def changed(spec: NetSpec, **changes: Any) -> NetSpec:
    """A copy with other fields; names of Cell's fields go to the cell. Raises ValueError with the nearest name."""
    known = CELL_FIELDS | {f.name for f in dataclasses.fields(NetSpec)}
    for key in changes:
        if key not in known:
            raise ValueError(
                f"unknown field '{key}' of a network{nearest(key, known)}; known: {', '.join(sorted(known))}"
            )
    cell = {key: changes.pop(key) for key in list(changes) if key in CELL_FIELDS}
    return replace(spec, cell=replace(spec.cell, **cell), **changes)


def card(name: str) -> str:
    """A page on one network in Markdown: source, what differs, published numbers, parts, size."""
    spec = spec_of(name)
    cell = ", ".join(
        f"{key} `{value}`" for key, value in vars(spec.cell).items() if value not in ("none", False, "", None)
    )
    rows = [f"| {p.dataset} | {p.top1} | {'' if p.top5 is None else p.top5} | {p.source} |" for p in spec.published]
    table = (
        ["| data | top-1 % | top-5 % | stated in |", "|---|---|---|---|", *rows] if rows else ["No published numbers."]
    )
    return "\n".join([
        f"# {name}", "", f"Source: {spec.paper}" if spec.paper else "Source: this project.",
        f"Differs: {spec.differs if spec.differs else 'nothing that is known'}.", "",
        f"Input {spec.in_channels}x{spec.input_hw[0]}x{spec.input_hw[1]}, {spec.num_classes} classes, {len(spec.body)} blocks.",
        f"Cell: {cell}.", "", *table, "",
    ])  # fmt: skip
