"""What the tasks on crack pictures share: parts cut to a limit, and the pictures of an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aoienet.data.datasets.crack_blocks import MASKED, CrackBlocks, Picture
from aoienet.train.recipes import Recipe

Pictures = tuple[Picture, ...]


def limited(recipe: Recipe, parts: CrackBlocks) -> tuple[str, Pictures, Pictures, Pictures]:
    """The words of the split, and train, val and test with at most `data.limit` pictures each (0: all)."""
    limit = recipe.data.limit
    if not limit:
        return parts.split, parts.train, parts.val, parts.test
    rng = np.random.default_rng(recipe.seed)
    train, val, test = (
        tuple(part[i] for i in sorted(rng.permutation(len(part))[:limit]))
        for part in (parts.train, parts.val, parts.test)
    )
    return f"{parts.split}; limited to {limit} per part", train, val, test


def epoch_order(
    recipe: Recipe, epoch: int, train: Sequence[Picture], repeats: int, draws: Mapping[str, int]
) -> list[int]:
    """Indices into train: all masked pictures `repeats` times, and a draw from each other source."""
    rng, limit = np.random.default_rng([recipe.seed, epoch]), recipe.data.limit
    order: list[int] = []
    for source in sorted({p.source for p in train}):
        index = np.array([i for i, p in enumerate(train) if p.source == source])
        if source in MASKED:
            order += list(index) * repeats
        else:
            count = min(draws[source], limit) if limit else draws[source]
            order += list(rng.choice(index, count, replace=count > len(index)))
    return [int(i) for i in rng.permutation(np.array(order))]
