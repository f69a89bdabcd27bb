"""ImageNet-style sets: a training and a validation part of labelled color photographs, as class folders or tar shards.

The pictures of ImageNet are Stanford's and Princeton's, for non-commercial research (Deng 2009); a set of the same form may be
anybody's. Classes are the folders' names, sorted (the wnids), or the lines of classes.txt beside the shards.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from aoienet.data.stores import Store, open_store

NAME = "imagenet"
CLASSES = ()  # the folders decide


@dataclass(frozen=True)
class ImageNet:
    """Both parts; `data_hash` is over names, labels and lengths, not over pixels."""

    train: Store
    val: Store
    split: str
    data_hash: str

    @property
    def classes(self) -> tuple[str, ...]:
        return self.train.classes


def load(root: Path, seed: int = 0, train: str = "train", val: str = "val", broken_shards: bool = False) -> ImageNet:
    """Open both parts; no picture is read. `seed` decides nothing: the split is the folders'.

    Raises    as stores.open_store; ValueError: the parts have other classes.
    """
    parts = open_store(root, train, broken_shards), open_store(root, val, broken_shards)
    first, second = (part.classes for part in parts)
    if first != second:
        differ = sorted(set(first) ^ set(second))
        names = ", ".join(differ[:5]) + (f" and {len(differ) - 5} more" if len(differ) > 5 else "")
        raise ValueError(
            f"the training and the validation part have the same classes in the same order; {len(first)} and {len(second)}, "
            f"in one of them only: {names if differ else 'none, the order differs'}."
        )
    text = f"as given by {train} and {val}: {len(parts[0]):,} train, {len(parts[1]):,} validation, {len(first)} classes"
    hashed = hashlib.sha256((parts[0].digest() + parts[1].digest()).encode()).hexdigest()
    return ImageNet(*parts, text, hashed)
