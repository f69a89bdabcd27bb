"""A connected part of the mask as lines: what merge.py makes of the pieces and split.py cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class Branch:
    """A centre line between junctions, free ends and cuts.

    path     [N, 2] smooth, to the end of the mask
    samples  [n] indices into the points of the picture: places where a width was measured
    weights  [n] length of the line that a sample stands for
    cosines  [n] of the angle between the profile there and the line across the path
    radius   [n] half width by the mask
    ends     number of the junction at the first and the last end; -1: none
    first    index of the first sample in the path
    """

    path: np.ndarray
    samples: np.ndarray
    weights: np.ndarray
    cosines: np.ndarray
    radius: np.ndarray
    ends: tuple[int, int]
    first: int

    @property
    def inner(self) -> np.ndarray:
        """The path at the samples, [n, 2]."""
        return self.path[self.first : self.first + len(self.samples)]


@dataclass(frozen=True)
class Line:
    """A connected part of the mask, or what is left of it when a joint is taken out.

    tips         [K, 2] free ends
    edges        [E, 3] of the outline
    area         pixels; box: x0, y0, x1, y1; probability: sum over the pixels
    count        branches, those that go on across a joint counted once
    links        [2, 2] each: where the line goes on across a joint
    cuts         ends at a joint
    """

    branches: list[Branch]
    tips: np.ndarray
    edges: np.ndarray
    area: int
    box: np.ndarray
    probability: float
    count: int
    links: tuple[np.ndarray, ...] = ()
    cuts: int = 0


def connected(count: int, pairs: np.ndarray | Sequence[tuple[int, int]]) -> np.ndarray:
    """Number of the connected set of each of `count` things. pairs: [P, 2], of what is connected."""
    at = np.array(pairs, np.int64).reshape(-1, 2)
    ones = np.ones(len(at), bool)
    return connected_components(coo_matrix((ones, (at[:, 0], at[:, 1])), (count, count)), directed=False)[1]
