"""Leak-free splits: whole groups, whole photographs, whole runs of numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np


def grouped(labels: Sequence[int], groups: Sequence[Hashable], fraction: float, seed: int) -> np.ndarray:
    """Mask of the held-out part: whole groups, close to `fraction` of each class."""
    members: dict[Hashable, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    wanted: dict[int, float] = defaultdict(float)
    for label in labels:
        wanted[label] += fraction
    rng = np.random.default_rng(seed)
    held = np.zeros(len(labels), bool)
    names = sorted(members, key=str)
    for k in rng.permutation(len(names)):
        items = members[names[k]]
        counts: dict[int, int] = defaultdict(int)
        for i in items:
            counts[labels[i]] += 1
        if all(wanted[label] >= n - 0.5 for label, n in counts.items()):
            held[items] = True
            for label, n in counts.items():
                wanted[label] -= n
    return held


def photograph(name: str) -> str:
    """The photograph a picture was cut from: its name without a `-k` suffix."""
    return re.sub(r"-\d+$", "", name)


def by_number(numbers: Sequence[int], run: int, fraction: float, seed: int) -> np.ndarray:
    """Mask of the held-out part: whole runs of `run` consecutive numbers."""
    blocks = [n // run for n in numbers]
    names = sorted(set(blocks))
    rng = np.random.default_rng(seed)
    count = max(1, round(fraction * len(names)))
    chosen = {names[i] for i in rng.permutation(len(names))[:count]}
    return np.array([b in chosen for b in blocks], bool)


def thumbnail(image_HW: np.ndarray, side: int = 32) -> np.ndarray:
    """A thumbnail of zero mean and unit length."""
    from PIL import Image

    small = Image.fromarray(np.ascontiguousarray(image_HW)).resize((side, side), Image.Resampling.BOX)
    vector = np.asarray(small, np.float64).ravel()
    vector = vector - vector.mean()
    length = float(np.sqrt(vector @ vector))
    return vector / length if length > 0 else vector


def near_duplicates(
    images: Sequence[np.ndarray], others: Sequence[np.ndarray], correlation: float = 0.95
) -> np.ndarray:
    """Mask over `images`: those whose thumbnail correlates above `correlation` with one of `others`."""
    if not len(images) or not len(others):
        return np.zeros(len(images), bool)
    a = np.stack([thumbnail(i) for i in images])
    b = np.stack([thumbnail(i) for i in others])
    return np.asarray((a @ b.T).max(axis=1) > correlation)
