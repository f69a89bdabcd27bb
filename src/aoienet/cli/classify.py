"""aoienet classify: whole pictures -> top classes with probabilities."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aoienet.cli import _common

if TYPE_CHECKING:
    from aoienet.engine import Model


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("classify")(classify)


def classify(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, folders, patterns or @list.txt; JPEG, PNG, TIFF, JPEG 2000.", metavar="IMAGE..."
        ),
    ],
    model: Annotated[str, typer.Option(help="Name of a shipped model or path of an .aoie file.")] = "neu_cls",
    top: Annotated[int, typer.Option(min=1, help="Classes shown per picture.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON document.")] = False,
) -> None:
    """Name the class of whole pictures."""
    from aoienet.scan.sources import SourceError, find_pictures

    opened = _common.open_model(model)
    if opened.scan:
        _common.fail(
            f"{opened.name} scans pictures block by block; "
            f"next: aoienet scan IMAGE... --model {shlex.quote(model)} --out DIR"
        )
    with _common.wrong_use_is_exit_1(SourceError):
        paths = find_pictures(images)
    entries: list[dict[str, Any]] = []
    for path in paths:
        try:
            entries.append({"input": str(path), "status": "done", **classify_file(opened, path, top)})
        except ValueError as error:  # a SourceError, a side that is too long
            entries.append({"input": str(path), "status": "failed", "error": str(error)})
    _show(opened, entries, as_json)
    if any(e["status"] == "failed" for e in entries):
        raise typer.Exit(2)


def classify_file(model: Model, path: Path, top: int) -> dict[str, Any]:
    """Top classes of one picture, brought to the model's size when that is fixed."""
    import numpy as np

    from aoienet.data import transform
    from aoienet.scan.sources import open_source

    entry = model.header["input"]
    with open_source(path, _common.channels_of(model)) as source:
        pixels, notes = source.read(0, source.height), list(source.notes)
    stored, pixels = pixels.shape, transform.fit(pixels, entry)
    if pixels.shape != stored:
        centre = f", its centre with the shorter side at {entry['resize_px']} px" if "resize_px" in entry else ""
        notes.append(f"resized from {stored[1]}x{stored[0]} to {pixels.shape[1]}x{pixels.shape[0]}{centre}")
    logits = model.run(pixels).reshape(-1).astype(np.float64)
    share = np.exp(logits - logits.max())
    share /= share.sum()
    order = np.argsort(-share, kind="stable")[:top]
    return {
        "top": [{"class": model.classes[k], "probability": round(float(share[k]), 6)} for k in order],
        "notes": notes,
    }


def _show(model: Model, entries: list[dict[str, Any]], as_json: bool) -> None:
    for e in entries:
        if e["status"] == "failed":
            print(f"error: {e['error']}", file=sys.stderr)
    if as_json:
        print(json.dumps({"model": {"name": model.name, "sha256": model.sha256}, "inputs": entries}, indent=2))
        return
    rows = [
        [
            e["input"],
            ", ".join(f"{t['class']} {100 * t['probability']:.1f} %" for t in e["top"]) if "top" in e else "failed",
        ]
        for e in entries
    ]
    _common.print_table(["picture", "classes"], rows)
