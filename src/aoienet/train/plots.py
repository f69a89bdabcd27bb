"""curves.png, layers.png and confusion.png of a run folder."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aoienet.train import runs

# panel -> the numbers of a row of the metrics that belong there, by a part of their names
PANELS = {
    "loss": ("loss",),
    "accuracy, AUC, F1": ("accuracy", "auc", "f1", "precision"),
    "learning rate": ("lr",),
    "share of bits": ("weight_flips", "plane_distance"),
}


MOST_NAMED = 8  # lines of a panel; a legend of more hides them


def _save(figure: Figure, path: Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    runs.write_atomic(path, content.getvalue())


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panel(axis: Any, title: str) -> None:
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_title(title)
    axis.grid(alpha=0.3)
    if 0 < len(axis.lines) <= MOST_NAMED:
        axis.legend(fontsize=7)


def panel_of(key: str) -> str | None:
    """The panel of a number of the metrics, or None: it is not drawn."""
    return next((title for title, parts in PANELS.items() if any(part in key for part in parts)), None)


def curves(history: list[dict], path: Path) -> None:
    """By epoch: loss, accuracy, learning rate; signs that flipped and the distance of the planes."""
    figure = _figure(9, 6)
    axes = dict(zip(PANELS, figure.subplots(2, 2).ravel(), strict=True))
    epochs = [row["epoch"] for row in history]
    for key in dict.fromkeys(k for row in history for k, v in row.items() if not isinstance(v, dict)):
        title = panel_of(key)
        if title is not None:
            axes[title].plot(epochs, [row.get(key, np.nan) for row in history], label=key, marker=".")
    for title, axis in axes.items():
        _panel(axis, title)
    _save(figure, path)


def layers(history: list[dict], path: Path) -> bool:
    """alpha, beta and distance of planes of every layer by epoch; False, and no file, where the network has none."""
    rows = [row for row in history if row.get("layers")]
    if not rows:
        return False
    figure = _figure(13, 4)
    keys = ("alpha", "beta", "plane_distance")
    for axis, key in zip(figure.subplots(1, 3), keys, strict=True):
        for name in (name for name, values in rows[-1]["layers"].items() if key in values):
            values = [row["layers"].get(name, {}).get(key, np.nan) for row in rows]
            weights = name.endswith("conv")
            axis.plot([row["epoch"] for row in rows], values, "--" if weights else "-", label=name, linewidth=1)
        _panel(axis, f"{key} (weights dashed)" if key != "plane_distance" else "distance of the planes")
    _save(figure, path)
    return True


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str], path: Path) -> None:
    """Rows truth, columns prediction, counts written in."""
    values = np.asarray(matrix)
    figure = _figure(1.8 + 0.8 * len(classes), 1.4 + 0.7 * len(classes))
    axis = figure.subplots()
    shares = values / np.maximum(values.sum(1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(*values.shape):
        axis.text(j, i, str(values[i, j]), ha="center", va="center", color="white" if shares[i, j] > 0.5 else "black")
    axis.set_xticks(range(len(classes)), classes, rotation=40, ha="right")
    axis.set_yticks(range(len(classes)), classes)
    axis.set_xlabel("predicted")
    axis.set_ylabel("truth")
    _save(figure, path)
