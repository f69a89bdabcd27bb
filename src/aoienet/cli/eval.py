"""aoienet eval: accuracy, precision, recall, F1, exact intervals of a packed model. Needs no PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aoienet.cli import _common

if TYPE_CHECKING:
    import numpy as np

    from aoienet.data.evaluate import Subject
    from aoienet.engine import Model


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("eval")(evaluate_model)


def evaluate_model(
    model: Annotated[str, typer.Argument(help="A .aoie file or the name of a model that ships.")],
    data: Annotated[
        Path, typer.Option(help="Class folders, NEU-CLS, CIFAR-10, a block set, or the folder that holds them.")
    ],
    split: Annotated[str, typer.Option(help="Part of the data; by default its test part.")] = "",
    split_seed: Annotated[int, typer.Option(help="Seed of the split of NEU-CLS and of the brickwork.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Measure a packed model on labelled pictures."""
    from aoienet.data import evaluate

    opened = _common.open_model(model)
    with _common.wrong_use_is_exit_1(ValueError, OSError), _common.progress_bar(False) as bar:
        report = evaluate.evaluate(subject(opened), data, split, split_seed, bar("pictures"))
    report = {"model": model, "data": str(data), **report}
    typer.echo(json.dumps(_finite(report)) if as_json else _text(report))
    for name, reason in report.get("unreadable", {}).items():
        typer.echo(f"left out: {name}: {reason}", err=True)
    if report.get("other_folders"):
        typer.echo(f"left out: {', '.join(report['other_folders'])}: no class of the model", err=True)
    if report.get("unreadable"):
        raise typer.Exit(2)


def subject(model: Model) -> Subject:
    """What evaluation calls: grey or RGB pictures in; colour and size as the file's header asks."""
    from functools import partial

    import numpy as np

    from aoienet.data import photos, transform
    from aoienet.data.datasets import folders
    from aoienet.data.evaluate import Subject
    from aoienet.data.stores import SUFFIXES

    entry = model.header["input"]
    size, channels = (int(entry["width"]), int(entry["height"])), int(entry["channels"])

    def run(image: np.ndarray) -> np.ndarray:
        if channels == 3 and image.ndim == 2:
            image = np.repeat(image[:, :, None], 3, axis=2)
        return model.run(image)

    def read(path: Path) -> np.ndarray:
        if "resize_px" in entry and path.suffix.lower() in SUFFIXES:  # decoded as in training, to the last bit
            return photos.centre_view(path.read_bytes(), size, int(entry["resize_px"]))
        return transform.fit(folders.read_picture(path, channels)[0], entry)

    classes, scan = tuple(model.header["classes"]), model.header.get("scan")
    return Subject(run, classes, scan, partial(transform.fit, entry=entry), read)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and value != value else value


def _share(entry: dict) -> str:
    low, high = entry["interval95"]
    return f"{entry['value']:.4f} ({low:.4f} to {high:.4f}), {entry['count']} of {entry['of']}"


def _text(report: dict) -> str:
    low, high = report["accuracy_interval95"]
    lines = [
        f"{report['model']} on {report['data']}: {report['split']}",
        f"accuracy {report['accuracy']:.4f} ({low:.4f} to {high:.4f}), {report['correct']} of {report['count']}",
        f"{'class':<18}{'precision':>10}{'recall':>10}{'F1':>10}{'count':>8}",
    ]
    for name, row in report["per_class"].items():
        numbers = "".join(f"{row[k]:>10.4f}" for k in ("precision", "recall", "f1"))
        lines.append(f"{name:<18}{numbers}{row['count']:>8}")
    lines.append("confusion (rows truth, columns prediction)")
    width = max(len(str(n)) for row in report["confusion"] for n in row) + 2
    lines += ["".join(f"{n:>{width}}" for n in row) for row in report["confusion"]]
    for source, entry in report.get("sources", {}).items():
        for key in ("auc", "clean_dropped", "block_recall", "picture_recall"):
            if key in entry:
                value = entry[key]
                text = f"{value:.4f}" if isinstance(value, float) else _share(value)
                lines.append(f"{source} {key.replace('_', ' ')}: {text}")
    if "certificate" in report:
        from aoienet.deploy.card import certificate_text

        lines.append(certificate_text(report["certificate"]))
    return "\n".join(lines)
