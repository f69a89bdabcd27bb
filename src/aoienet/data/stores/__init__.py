"""Where many labelled pictures are kept: class folders, or tar shards. Both give their bytes by number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SUFFIXES = (".jpg", ".jpeg", ".png")
TOGETHER = 16  # shards whose pictures are shuffled among each other: about 16 GB of the usual shards of 1 GB


@dataclass(frozen=True)
class Store:
    """One part of a data set.

    names    of the pictures, for messages: a path below the root, or SHARD.tar/KEY
    read     the bytes of a picture by its number; safe to call from several threads
    shards   how many pictures each shard holds, in order; one number for class folders
    broken   {shard: reason} of shards that were cut short and are used up to there
    """

    where: Path
    classes: tuple[str, ...]
    names: Sequence[str]
    label_N: np.ndarray
    bytes_N: np.ndarray
    read: Callable[[int], bytes]
    shards: tuple[int, ...]
    broken: dict[str, str]

    def __len__(self) -> int:
        return len(self.label_N)

    def digest(self) -> str:
        """SHA-256 over classes, names, labels and lengths in bytes; the pictures themselves are not read."""
        h = hashlib.sha256("\n".join(self.classes).encode())
        h.update("\n".join(self.names).encode())
        h.update(self.label_N.astype("<i8").tobytes())
        h.update(self.bytes_N.astype("<i8").tobytes())
        return h.hexdigest()

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """All numbers, shuffled; shards in random order, their pictures shuffled among TOGETHER shards, so that what is read
        at a time lies in a few files."""
        rng = np.random.default_rng([seed, epoch])
        ends = np.cumsum(self.shards)
        ranges = [np.arange(end - n, end) for end, n in zip(ends, self.shards, strict=True)]
        shards = rng.permutation(len(ranges))
        groups = [shards[i : i + TOGETHER] for i in range(0, len(shards), TOGETHER)]
        return np.concatenate([rng.permutation(np.concatenate([ranges[s] for s in group])) for group in groups])


def open_store(root: Path, part: str, broken_shards: bool = False) -> Store:
    """The part of the data set: ROOT/PART with class folders or with *.tar, or the shards that match a pattern below ROOT.

    Args      part: a folder, or a pattern of shards with braces, "train-{0000..0146}.tar".
              broken_shards: use a shard that was cut short up to there, and record it; otherwise it is an error.
    Raises    FileNotFoundError, ValueError: each names the place, the rule and the next step.
    """
    from aoienet.data.datasets import GUIDE
    from aoienet.data.stores import class_folders, shards

    if part.endswith(".tar"):
        return shards.open_shards(root, shards.expand(part), broken_shards)
    base = Path(root) / part
    if not base.is_dir():
        raise FileNotFoundError(
            f"{base} is not a folder; --data names the folder that holds {part}/ with one folder per class, or with shards "
            "(*.tar); shards that lie elsewhere are named by a pattern: -o data.train='train-{0000..0146}.tar'; "
            f"next: {GUIDE}"
        )
    tars = sorted(p.name for p in base.iterdir() if p.suffix == ".tar" and not p.name.startswith("."))
    return shards.open_shards(base, tars, broken_shards) if tars else class_folders.open_folders(base)


def check_classes(where: Path, classes: Sequence[str], label_N: np.ndarray) -> None:
    """Every class has pictures, and there are two classes or more. Raises ValueError."""
    if len(classes) < 2:
        raise ValueError(f"two classes or more are needed; {where} has {len(classes)}: {', '.join(classes)}.")
    counts = np.bincount(label_N, minlength=len(classes))
    empty = [name for name, n in zip(classes, counts, strict=True) if n == 0]
    if empty:
        more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
        raise ValueError(
            f"every class holds pictures ({', '.join(SUFFIXES)}); without one in {where}: {', '.join(empty[:5])}{more}; "
            "next: fill or remove the class, in all parts."
        )
