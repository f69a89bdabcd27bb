"""NEU-CLS: six classes of hot-rolled steel, 200x200 grey, split by groups of overlapping crops."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aoienet.data import splits
from aoienet.data.datasets import digest, folder, read_grey

NAME = "neu_cls"
CLASSES = ("crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches")
DROPPED = ("Pa_105",)  # the exact copy of Pa_101


@dataclass(frozen=True)
class NeuCls:
    """All pictures with one split; `part` is 0 train, 1 validation, 2 test."""

    names: tuple[str, ...]
    images_NHW: np.ndarray
    labels_N: np.ndarray
    part_N: np.ndarray
    split: str
    data_hash: str

    def indices(self, part: str) -> np.ndarray:
        """The pictures of `train`, `val`, `test` or `all`."""
        if part == "all":
            return np.arange(len(self.names))
        return np.flatnonzero(self.part_N == ("train", "val", "test").index(part))


def load(root: Path, seed: int = 0, val_fraction: float = 0.05, split: str = "grouped") -> NeuCls:
    """The set under root/neu_cls (or root itself), split 80/20 by whole groups or at random."""
    base = Path(root) if (Path(root) / "groups.csv").is_file() else folder(root, "neu_cls")
    with open(base / "groups.csv", newline="", encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f) if r["image"] not in DROPPED]
    labels = [CLASSES.index(r["class"]) for r in rows]
    groups = [r["group"] if split == "grouped" else str(i) for i, r in enumerate(rows)]
    if split not in ("grouped", "random"):
        raise ValueError(f"unknown split {split!r}; known: grouped, random")
    test = splits.grouped(labels, groups, 0.2, seed)
    rest = np.flatnonzero(~test)
    part = np.where(test, 2, 0)
    if val_fraction > 0:
        rest_labels = [labels[i] for i in rest]
        part[rest[splits.grouped(rest_labels, [groups[i] for i in rest], val_fraction, seed)]] = 1
    images = np.stack([read_grey(base / "images" / r["class"] / f"{r['image']}.png") for r in rows])
    counts = [int((part == p).sum()) for p in range(3)]
    text = (
        f"{split} stratified 80/20, seed {seed}, {', '.join(DROPPED)} dropped: "
        f"{counts[0]} train, {counts[1]} validation, {counts[2]} test"
    )
    names = tuple(r["image"] for r in rows)
    hashed = digest([images, np.array(labels), part])
    return NeuCls(names, images, np.array(labels), part, text, hashed)
