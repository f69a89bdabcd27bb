"""CIFAR-10: 50,000 + 10,000 pictures of 32x32 RGB in ten classes, as lossless WebP sheets with raw labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from aoienet.data.datasets import decoding, digest, folder

NAME = "cifar10"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
SHEETS = {"train": 10, "test": 2}
PER_SHEET = 5000


@dataclass(frozen=True)
class Cifar10:
    """images u8 [N,32,32,3] per part ("train", "val", "test") with labels [N]."""

    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    split: str
    data_hash: str


def read_part(root: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """The official "train" or "test" part in its original order: u8 [N,32,32,3], labels int64 [N].

    Raises    FileNotFoundError, ValueError (a sheet of another size, a label count that does not fit).
    """
    base = Path(root) if (Path(root) / "train_labels.u8").is_file() else folder(root, "cifar10")
    sheets = []
    for i in range(SHEETS[part]):
        path = base / f"{part}_{i:02d}.webp"
        with decoding(path), Image.open(path) as sheet:
            pixels = np.asarray(sheet.convert("RGB"))
        rows, columns = pixels.shape[0] // SIDE, pixels.shape[1] // SIDE
        if rows * columns != PER_SHEET:
            raise ValueError(
                f"a sheet holds {PER_SHEET} pictures of {SIDE}x{SIDE}; {path.name} has {pixels.shape[:2]}."
            )
        tiles = pixels.reshape(rows, SIDE, columns, SIDE, 3).transpose(0, 2, 1, 3, 4)
        sheets.append(tiles.reshape(PER_SHEET, SIDE, SIDE, 3))
    images = np.concatenate(sheets)
    path = base / f"{part}_labels.u8"
    with decoding(path):
        labels = np.fromfile(path, np.uint8).astype(np.int64)
    if len(labels) != len(images) or labels.max() >= len(CLASSES):
        raise ValueError(
            f"{path} holds one label 0..9 for each of {len(images)} pictures; received {len(labels)}, the largest "
            f"{labels.max(initial=0)}; next: fetch it again"
        )
    return images, labels


def load(root: Path, seed: int = 0, val_fraction: float = 0.1) -> Cifar10:
    """The official split; the validation part is drawn from the training part, never from the test part."""
    images, labels = read_part(root, "train")
    test_images, test_labels = read_part(root, "test")
    order = np.random.default_rng(seed).permutation(len(labels))
    val, train = np.split(order, [round(val_fraction * len(labels))])
    train = np.sort(train)
    text = f"official; validation {len(val)} of the training part, seed {seed}: {len(train)} train, {len(test_labels)} test"
    return Cifar10(
        {"train": images[train], "val": images[val], "test": test_images},
        {"train": labels[train], "val": labels[val], "test": test_labels},
        text,
        digest([images, labels, test_images, test_labels, val]),
    )
