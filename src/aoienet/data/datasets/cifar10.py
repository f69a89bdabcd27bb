"""CIFAR-10: 50,000 + 10,000 pictures of 32x32 RGB in ten classes (Krizhevsky 2009; free for research, no licence stated).

The authors' binary version, or lossless WebP sheets with raw labels; both in the original order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from aoienet.data.datasets import GUIDE, decoding, digest

NAME = "cifar10"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
SHEETS = {"train": 10, "test": 2}
PER_SHEET = 5000
BATCHES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
PER_BATCH = 10_000
RECORD = 1 + 3 * SIDE * SIDE
Part = tuple[np.ndarray, np.ndarray, Path]  # u8 [N,32,32,3], labels u8, where the labels lie


@dataclass(frozen=True)
class Cifar10:
    """images u8 [N,32,32,3] per part ("train", "val", "test") with labels [N]."""

    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    split: str
    data_hash: str


def read_part(root: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """The official "train" or "test" part in its original order: u8 [N,32,32,3], labels int64 [N].

    Raises    FileNotFoundError, ValueError (a file of another size, a label count that does not fit).
    """
    base, read = find(Path(root))
    images, labels, path = read(base, part)
    if len(labels) != len(images) or labels.max() >= len(CLASSES):
        raise ValueError(
            f"{path} holds one label 0..9 for each of {len(images)} pictures; received {len(labels)}, the largest "
            f"{labels.max(initial=0)}; next: fetch it again"
        )
    return images, labels.astype(np.int64)


def found(root: Path) -> tuple[Path, Callable[[Path, str], Part]] | None:
    """Where the set lies, at `root` or below root/cifar10, and what reads it."""
    for base in (root, root / NAME):
        if (base / "train_labels.u8").is_file():
            return base, read_sheets
        for inner in (base, base / "cifar-10-batches-bin"):
            if any(inner.glob("*_batch*.bin")):
                return inner, read_batches
    return None


def find(root: Path) -> tuple[Path, Callable[[Path, str], Part]]:
    """The same. Raises FileNotFoundError."""
    if (there := found(root)) is not None:
        return there
    raise FileNotFoundError(
        f"no CIFAR-10 in {root} or {root / NAME}: it is the binary version, cifar-10-batches-bin/*.bin, or sheets with "
        f"train_labels.u8; next: {GUIDE}"
    )


def read_sheets(base: Path, part: str) -> Part:
    """PART_00.webp and so on: 5,000 pictures each, row by row; and PART_labels.u8."""
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
    path = base / f"{part}_labels.u8"
    with decoding(path):
        return np.concatenate(sheets), np.fromfile(path, np.uint8), path


def read_batches(base: Path, part: str) -> Part:
    """The binary version: records of a label and the red, green and blue plane."""
    batches = []
    for name in BATCHES[part]:
        path = base / name
        with decoding(path):
            content = np.fromfile(path, np.uint8)
        if content.size != PER_BATCH * RECORD:
            raise ValueError(
                f"a batch of the binary version holds {PER_BATCH} records of {RECORD} bytes, {PER_BATCH * RECORD} bytes; received "
                f"{path} of {content.size}; next: fetch it again"
            )
        batches.append(content.reshape(PER_BATCH, RECORD))
    records = np.concatenate(batches)
    planes = records[:, 1:].reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, 0], base


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
