"""report.html: one page on a run, with its pictures inside; it needs no network and no other file."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from aoienet.train import runs, watch
from aoienet.train.recipes import Recipe, to_toml

PICTURES = ("curves.png", "confusion.png", "layers.png")
EPOCHS_SHOWN = 12


SHOWN = ("top5", "loss", "auc", "threshold", "temperature", "test")  # of a result, beside accuracy and classes


def write(
    out: Path,
    recipe: Recipe,
    history: list[dict],
    about: dict[str, Any],
    result: dict[str, Any] | None,
    said_of_data: Sequence[str] = (),
) -> None:
    """`result`: None while the training goes on. `said_of_data`: what the task found out about the data, line by line."""
    from jinja2 import Environment, PackageLoader

    page = Environment(loader=PackageLoader("aoienet.train", "."), autoescape=True).get_template("page.html.j2")
    table = [{k: v for k, v in row.items() if not isinstance(v, dict)} for row in history]
    text = page.render(
        recipe=recipe,
        about=about,
        result=result,
        numbers=list(numbers({key: result[key] for key in SHOWN if key in result})) if result else [],
        broken=result.get("broken", {}) if result else {},
        said_of_data=said_of_data,
        warning=watch.wasted_plane(history[-1]),
        toml=to_toml(recipe),
        columns=list(dict.fromkeys(k for row in table for k in row)),
        rows=table[-EPOCHS_SHOWN:],
        epochs_done=len(history),
        minutes=sum(row["seconds"] for row in history) / 60,
        pictures={name: embedded(out / name) for name in PICTURES if (out / name).is_file()},
    )
    runs.write_atomic(out / "report.html", text.encode())


def numbers(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(dotted name, number in words) of all numbers of a document; a share with its exact interval is one of them."""
    if isinstance(value, dict) and {"value", "interval95", "count", "of"} <= value.keys():
        low, high = value["interval95"]
        yield name, f"{value['value']:.4f} ({low:.4f} to {high:.4f}), {value['count']} of {value['of']}"
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from numbers(part, f"{name}.{key}" if name else key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, f"{value:.5g}"


def embedded(path: Path) -> str:
    """A PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
