"""report.html: one page on a run, with its pictures inside; it needs no network and no other file."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from aoienet.train import runs
from aoienet.train.recipes import Recipe, to_toml

PICTURES = ("curves.png", "confusion.png", "layers.png")
EPOCHS_SHOWN = 12


def write(out: Path, recipe: Recipe, history: list[dict], about: dict[str, Any], result: dict[str, Any] | None) -> None:
    """`result`: None while the training goes on."""
    from jinja2 import Environment, PackageLoader

    page = Environment(loader=PackageLoader("aoienet.train", "."), autoescape=True).get_template("page.html.j2")
    numbers = [{k: v for k, v in row.items() if not isinstance(v, dict)} for row in history]
    text = page.render(
        recipe=recipe,
        about=about,
        result=result,
        toml=to_toml(recipe),
        columns=list(dict.fromkeys(k for row in numbers for k in row)),
        rows=numbers[-EPOCHS_SHOWN:],
        epochs_done=len(history),
        minutes=sum(row["seconds"] for row in history) / 60,
        pictures={name: embedded(out / name) for name in PICTURES if (out / name).is_file()},
    )
    runs.write_atomic(out / "report.html", text.encode())


def embedded(path: Path) -> str:
    """A PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
