"""curves.png and confusion.png."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def _save(figure, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    figure.savefig(part, format="png", dpi=110)
    os.replace(part, path)


def _figure(width: float, height: float):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def curves(history: list[dict], path: Path) -> None:
    """Loss to the left, accuracy and AUC to the right, by epoch."""
    figure = _figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    for key in dict.fromkeys(k for row in history for k in row):
        axis = left if "loss" in key else right if "accuracy" in key or "auc" in key else None
        if axis is not None:
            axis.plot(epochs, [row.get(key, np.nan) for row in history], label=key, marker=".")
    for axis, title in ((left, "loss"), (right, "accuracy, AUC")):
        axis.set_xlabel("epoch")
        axis.set_title(title)
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend()
    _save(figure, path)


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
