"""Centre lines: thinning, the graph of the thinned pixels, pruning of spurs, smooth paths and their length.

Points are int [N, 2] (x, y), sorted by y, then x, without repeats. All decisions are local (a few widths), so that a
picture may be thinned in pieces with a halo around them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from aoienet.measure.line import connected

HOLE_PX = 8  # smaller holes of a mask are filled before thinning: each would become a loop of the centre line
SPUR_WIDTHS = 1.0  # a free branch up to this many local widths long is roughness of the border, not a branch
SPUR_PX = 3.0  # and whatever is no longer than this
SIGMAS_PX = (3.0, 6.0, 12.0)  # smoothing of a path, by local half width: a crack does not wriggle within its width
ROUNDS = 12


@dataclass(frozen=True)
class Graph:
    """branches: indices into the points, from end to end; ends: (first, last) cluster of the junction there, or -1 at
    a free end; a closed branch repeats its first point. centres: [C, 2] (x, y) of the junctions."""

    branches: tuple[np.ndarray, ...]
    ends: tuple[tuple[int, int], ...]
    centres: np.ndarray
    cluster: np.ndarray  # [N] junction of a point, -1: none


def fill_small_holes(mask: np.ndarray) -> np.ndarray:
    """The mask with holes of at most HOLE_PX pixels filled."""
    holes, count = ndimage.label(~mask)
    if not count:
        return mask
    small = np.bincount(holes.ravel(), minlength=count + 1) <= HOLE_PX
    small[0] = False
    return mask | small[holes]


def thin(mask: np.ndarray) -> np.ndarray:
    """Pixels of the centre line, bool [H, W] (Zhang and Suen 1984, Commun. ACM 27(3), as in scikit-image)."""
    from skimage.morphology import skeletonize

    return skeletonize(np.ascontiguousarray(mask))


def points_of(lines: np.ndarray) -> np.ndarray:
    """Set pixels as points."""
    y, x = np.nonzero(lines)
    return np.stack([x, y], axis=1).astype(np.int64)


def links(points: np.ndarray) -> np.ndarray:
    """Neighbouring points, int [E, 2]: the 8-neighbourhood without diagonals that a third point already makes."""
    if not len(points):
        return np.empty((0, 2), np.int64)
    x, y = points[:, 0], points[:, 1]
    stride = int(x.max() - x.min()) + 3
    keys = y * stride + (x - x.min() + 1)

    def find(wanted: np.ndarray) -> np.ndarray:
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[place] == wanted, place, -1)

    right, below = find(keys + 1), find(keys + stride)
    left = find(keys - 1)
    found = [right, below]
    found.append(np.where((right < 0) & (below < 0), find(keys + stride + 1), -1))
    found.append(np.where((left < 0) & (below < 0), find(keys + stride - 1), -1))
    pairs = [np.stack([np.nonzero(to >= 0)[0], to[to >= 0]], axis=1) for to in found]
    return np.concatenate(pairs)


def graph(points: np.ndarray) -> Graph:
    """Branches between junctions and free ends."""
    n, pairs = len(points), links(points)
    neighbours: list[list[int]] = [[] for _ in range(n)]
    for a, b in pairs.tolist():
        neighbours[a].append(b)
        neighbours[b].append(a)
    degree = np.array([len(near) for near in neighbours], np.int64)
    cluster, centres = _clusters(points, pairs, degree)
    branches, ends = _trace(neighbours, degree.tolist(), cluster.tolist())
    return Graph(tuple(branches), tuple(ends), centres, cluster)


def _clusters(points: np.ndarray, pairs: np.ndarray, degree: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Junction points that touch each other are one junction: its number for each point, and its centre."""
    junction = degree >= 3
    label = connected(len(points), pairs[junction[pairs].all(axis=1)])
    cluster = np.full(len(points), -1, np.int64)
    if not junction.any():
        return cluster, np.empty((0, 2))
    _, cluster[junction] = np.unique(label[junction], return_inverse=True)
    members = cluster[junction]
    total = np.stack([np.bincount(members, points[junction, k]) for k in (0, 1)], axis=1)
    return cluster, total / np.bincount(members)[:, None]


def _trace(
    neighbours: list[list[int]], degree: list[int], cluster: list[int]
) -> tuple[list[np.ndarray], list[tuple[int, int]]]:
    branches: list[np.ndarray] = []
    ends: list[tuple[int, int]] = []
    seen: set[tuple[int, int]] = set()
    passed = [False] * len(neighbours)
    for start, count in enumerate(degree):
        if count == 2:
            continue
        if count == 0:
            branches.append(np.array([start]))
            ends.append((-1, -1))
        for step in neighbours[start]:
            inside = cluster[start] >= 0 and cluster[start] == cluster[step]
            if inside or (start, step) in seen:
                continue
            path = _walk(start, step, neighbours, degree, passed)
            seen.add((path[-1], path[-2]))
            branches.append(np.array(path))
            ends.append((cluster[start], cluster[path[-1]]))
    for start, count in enumerate(degree):
        if count == 2 and not passed[start]:  # a closed line without junction
            path = _walk(start, neighbours[start][0], neighbours, degree, passed)
            branches.append(np.array(path))
            ends.append((-1, -1))
    return branches, ends


def _walk(start: int, step: int, neighbours: list[list[int]], degree: list[int], passed: list[bool]) -> list[int]:
    """From start over step to the next point that is not in the middle of a line, or back to start."""
    path = [start, step]
    passed[start] = True
    while degree[path[-1]] == 2 and path[-1] != start:
        passed[path[-1]] = True
        a, b = neighbours[path[-1]]
        path.append(b if a == path[-2] else a)
    return path


def prune(points: np.ndarray, radius: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Which points stay, bool [N], when spurs are taken off, shortest measure first decided by the local width.

    A spur is a branch with one free end that is no longer than SPUR_WIDTHS times the width at its junction (2 radius),
    or SPUR_PX. A junction of nothing but spurs keeps the two longest. keep [N]: a free end there is no end (the border
    of a piece), its branch stays.
    """
    alive = np.ones(len(points), bool)
    for _ in range(ROUNDS):
        index = np.nonzero(alive)[0]
        drop = _spurs(points[index], radius[index], keep[index])
        if not len(drop):
            break
        alive[index[drop]] = False
    return alive


def _spurs(points: np.ndarray, radius: np.ndarray, keep: np.ndarray) -> np.ndarray:
    lines = graph(points)
    at: list[list[int]] = [[] for _ in lines.centres]  # branches of a junction
    size = np.zeros(len(lines.centres))
    np.maximum.at(size, lines.cluster[lines.cluster >= 0], radius[lines.cluster >= 0])
    length, spur = {}, set()
    for k, (branch, (first, last)) in enumerate(zip(lines.branches, lines.ends, strict=True)):
        for junction in {first, last} - {-1}:
            at[junction].append(k)
        if (first < 0) == (last < 0):
            continue
        junction, free = (last, branch[0]) if first < 0 else (first, branch[-1])
        length[k] = float(np.hypot(*np.diff(points[branch], axis=0).T).sum())
        if length[k] <= max(SPUR_PX, SPUR_WIDTHS * 2 * size[junction]) and not keep[free]:
            spur.add(k)
    for branches in at:
        if all(k in spur for k in branches):
            spur -= set(sorted(branches, key=lambda k: (-length[k], k))[:2])
    drop = [lines.branches[k] for k in sorted(spur)]
    if not drop:
        return np.empty(0, np.int64)
    dropped = np.concatenate(drop)
    return dropped[lines.cluster[dropped] < 0]


def smooth(path: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """A path [N, 2] with the staircase of the pixels taken out; its ends stay, a closed path stays closed.

    Gaussian along the path, sigma between SIGMAS_PX by the local half width.
    """
    n = len(path)
    if n < 3:
        return path.astype(np.float64)
    closed = bool((path[0] == path[-1]).all())
    pad = int(4 * SIGMAS_PX[-1])
    far = np.arange(-pad, n + pad)
    if closed:
        wide = path[far % (n - 1)].astype(np.float64)
    else:  # mirrored through the end points, so that these do not move
        inner = np.clip(np.where(far < 0, -far, np.where(far >= n, 2 * (n - 1) - far, far)), 0, n - 1)
        around = np.where((far < 0)[:, None], 2 * path[0], 2 * path[-1])
        inside = ((far >= 0) & (far < n))[:, None]
        wide = np.where(inside, path[inner], around - path[inner]).astype(np.float64)
    layers = np.stack([ndimage.gaussian_filter1d(wide, s, axis=0)[pad : pad + n] for s in SIGMAS_PX])
    level = np.interp(np.log(np.maximum(radius, 1)), np.log(SIGMAS_PX), np.arange(len(SIGMAS_PX)))
    low = np.minimum(level.astype(np.int64), len(SIGMAS_PX) - 2)
    part, rows = (level - low)[:, None], np.arange(n)
    return layers[low, rows] * (1 - part) + layers[low + 1, rows] * part


def tangents(path: np.ndarray) -> np.ndarray:
    """Unit direction at each point of a smooth path [N, 2]."""
    if len(path) < 2:
        return np.tile([1.0, 0.0], (len(path), 1))
    along = np.gradient(path, axis=0)
    if (path[0] == path[-1]).all():
        along[0] = along[-1] = (path[1] - path[-2]) / 2
    size = np.hypot(along[:, 0], along[:, 1])
    return along / np.where(size > 0, size, 1)[:, None]


def end_of(path: np.ndarray, first: bool, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """The first or last point of a path and the direction in which the path leaves there."""
    path = path if first else path[::-1]
    back = min(len(path) - 1, max(4, int(2 * radius)))
    away = path[0] - path[back] if back else np.array([1.0, 0.0])
    size = float(np.hypot(*away))
    return path[0], away / (size if size > 0 else 1.0)


def length_of(path: np.ndarray) -> float:
    """Length of the polyline [N, 2]."""
    return float(np.hypot(*np.diff(path, axis=0).T).sum()) if len(path) > 1 else 0.0
