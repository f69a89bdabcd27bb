"""Outlines: the borders of crack pixels, linked to polygons with holes that no reader of maps calls invalid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

STEPS_XY = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])  # directions of an edge; the crack lies on its right
Polygon = tuple[np.ndarray, ...]  # rings [M, 2] (x, y), closed: the outer one, then those of its holes


def polygons(edges: np.ndarray) -> list[Polygon]:
    """What the edges enclose, float64, corners only, the largest outer ring first.

    Pixels that touch at a corner only belong to different polygons: no ring meets itself, and the area inside of each
    polygon is connected, as OGC 06-103r4 (6.1.11) asks. Outer rings have the crack on their right, and so do holes.

    Args    edges: int [E, 3] x, y of the corner where an edge of unit length starts (corner (x, y) is the upper left
            one of pixel (x, y)), and its direction.
    """
    order = np.lexsort((edges[:, 2], edges[:, 0], edges[:, 1]))
    edges = edges[order]
    outer: list[np.ndarray] = []
    holes: list[tuple[np.ndarray, np.ndarray]] = []
    for walk in _walks(edges):
        for way in _simple(edges, walk):
            corners = edges[way, :2].astype(np.float64) - 0.5
            closed = np.concatenate([corners, corners[:1]])
            if area_of(closed) > 0:
                outer.append(closed)
            else:
                holes.append((closed, _inside(edges[way[0]])))
    outer.sort(key=lambda ring: -area_of(ring))
    found: list[list[np.ndarray]] = [[ring] for ring in outer]
    boxes = np.array([[*ring.min(axis=0), *ring.max(axis=0)] for ring in outer]).reshape(-1, 4)
    for hole, pixel in holes:
        around = np.flatnonzero((boxes[:, :2] < pixel).all(axis=1) & (boxes[:, 2:] > pixel).all(axis=1))
        found[next(k for k in around[::-1].tolist() if _encloses(outer[k], pixel))].append(hole)  # the smallest one
    return [tuple(rings) for rings in found]


def area_of(ring: np.ndarray) -> float:
    """Signed area of a closed ring; positive where the inside lies on the right (y down)."""
    shifted = ring - ring[0]
    return float(np.sum(shifted[:-1, 0] * shifted[1:, 1] - shifted[1:, 0] * shifted[:-1, 1])) / 2


def _walks(edges: np.ndarray) -> Iterator[list[int]]:
    """Edges that follow each other back to the first, as the indices of those that begin at a turn."""
    follow, direction = _next(edges).tolist(), edges[:, 2].tolist()
    passed = [False] * len(edges)
    for start in range(len(edges)):
        walk, at = [], start
        while not passed[at]:
            passed[at] = True
            after = follow[at]
            if direction[after] != direction[at]:
                walk.append(after)
            at = after
        if walk:
            yield walk


def _simple(edges: np.ndarray, walk: list[int]) -> Iterator[list[int]]:
    """A walk parted where it comes to the same corner twice."""
    way: list[int] = []
    place: dict[tuple[int, int], int] = {}
    for edge in walk:
        corner = (int(edges[edge, 0]), int(edges[edge, 1]))
        if corner in place:
            loop = way[place[corner] :]
            for passed in loop:
                del place[int(edges[passed, 0]), int(edges[passed, 1])]
            del way[-len(loop) :]
            yield loop
        place[corner] = len(way)
        way.append(edge)
    yield way


def _inside(edge: np.ndarray) -> np.ndarray:
    """The pixel on the right of an edge (x, y, direction)."""
    return np.asarray(edge[:2] + np.array([(0, 0), (-1, 0), (-1, -1), (0, -1)])[edge[2]])


def _encloses(ring: np.ndarray, pixel: np.ndarray) -> bool:
    """Whether a ring lies around the centre of a pixel: it crosses the row to the right of it an odd number of times."""
    x, y = (ring - pixel).T
    return bool(np.count_nonzero((x[:-1] > 0) & (x[1:] > 0) & ((y[:-1] > 0) != (y[1:] > 0))) % 2)


def _next(edges: np.ndarray) -> np.ndarray:
    """Index of the edge that follows each: turning into the crack first, which keeps to the same pixel at a corner where
    two touch."""
    low = edges[:, :2].min(axis=0)
    stride = int(edges[:, 0].max() - low[0]) + 3

    def key(corner: np.ndarray, direction: np.ndarray) -> np.ndarray:
        return ((corner[:, 1] - low[1] + 1) * stride + corner[:, 0] - low[0] + 1) * 4 + direction

    keys = key(edges[:, :2], edges[:, 2])
    end = edges[:, :2] + STEPS_XY[edges[:, 2]]
    out = np.full(len(edges), -1, np.int64)
    for turn in (-1, 0, 1):  # the last one found wins
        wanted = key(end, (edges[:, 2] + turn) % 4)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        out = np.where(keys[place] == wanted, place, out)
    return out
