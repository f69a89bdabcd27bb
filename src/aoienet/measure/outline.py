"""Outlines: the borders of crack pixels, linked to closed rings."""

from __future__ import annotations

import numpy as np

STEPS_XY = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])  # directions of an edge; the crack lies on its right


def rings(edges: np.ndarray) -> list[np.ndarray]:
    """Outer outlines, float64 [M, 2] (x, y), closed, corners only, the largest first.

    Args    edges: int [E, 3] x, y of the corner where an edge of unit length starts (corner (x, y) is the upper left
            one of pixel (x, y)), and its direction. Pixels that touch at a corner belong together.
    """
    order = np.lexsort((edges[:, 2], edges[:, 0], edges[:, 1]))
    edges = edges[order]
    follow = _next(edges).tolist()
    direction = edges[:, 2].tolist()
    passed, out = [False] * len(edges), []
    for start in range(len(edges)):
        if passed[start]:
            continue
        ring, at = [], start
        while not passed[at]:
            passed[at] = True
            after = follow[at]
            if direction[after] != direction[at]:
                ring.append(after)
            at = after
        corners = edges[ring, :2].astype(np.float64) - 0.5
        closed = np.concatenate([corners, corners[:1]])
        if area_of(closed) > 0:  # holes run the other way
            out.append(closed)
    return sorted(out, key=lambda ring: -area_of(ring))


def area_of(ring: np.ndarray) -> float:
    """Signed area of a closed ring; positive where the inside lies on the right (y down)."""
    shifted = ring - ring[0]
    return float(np.sum(shifted[:-1, 0] * shifted[1:, 1] - shifted[1:, 0] * shifted[:-1, 1])) / 2


def _next(edges: np.ndarray) -> np.ndarray:
    """Index of the edge that follows each: turning away from the crack first, which joins pixels at a corner."""
    low = edges[:, :2].min(axis=0)
    stride = int(edges[:, 0].max() - low[0]) + 3

    def key(corner: np.ndarray, direction: np.ndarray) -> np.ndarray:
        return ((corner[:, 1] - low[1] + 1) * stride + corner[:, 0] - low[0] + 1) * 4 + direction

    keys = key(edges[:, :2], edges[:, 2])
    end = edges[:, :2] + STEPS_XY[edges[:, 2]]
    out = np.full(len(edges), -1, np.int64)
    for turn in (1, 0, -1):  # the last one found wins
        wanted = key(end, (edges[:, 2] + turn) % 4)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        out = np.where(keys[place] == wanted, place, out)
    return out
