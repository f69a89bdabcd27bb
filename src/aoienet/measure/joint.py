"""Joints among the lines of a picture: formwork and expansion joints, cut with a saw or made by a straight edge.

A joint is straight over a long way and hardly changes its width; a crack wanders. Short straight pieces of the centre
lines (chunks) are grown along their own direction, over gaps and across the borders of what is connected, and a line that
is long and straight enough is a joint. In doubt it is a crack. The constants are set on generated surfaces (seeds 101 to 106)
and on the masks of the training parts of DeepCrack and Crack500, at their size and doubled; benchmarks/joints.py tells what they
do to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

LEAST_PX = 256.0  # of what is seen of a joint; up to 0.2 % of the length of real cracks is that straight over 192 px
OFF_PX = 1.5  # a place lies on a line up to this far from its axis
RMS_PX = 0.5  # of the distances from the axis: joints have 0.2 to 0.35 px, straight real cracks mostly 0.6 and more
COVERED = 0.2  # share of its length on which a joint must be seen
GAP_PX = 96.0  # a joint may be interrupted for this long, and for as long as it was seen up to there: so far its direction tells
SPREAD = 0.4  # between the quartiles of its width, share of the median: joints have up to 0.27
TURN_DEG = 15.0  # between a chunk and the axis
CHUNK_PX = 24
SHORT_PX = 8.0  # the direction of a chunk below this length says nothing
STEPS = 24  # of growing; each may double the length


@dataclass(frozen=True)
class Strokes:
    """Places along all branches of a picture, one branch after the other, [N] each.

    xy: [N, 2] of the smooth centre line; branch: its number; weights: length that a place stands for, px; width: px; steady:
    where a width makes sense.
    """

    xy: np.ndarray
    branch: np.ndarray
    weights: np.ndarray
    width: np.ndarray
    steady: np.ndarray


@dataclass(frozen=True)
class Joint:
    """A straight line through `middle` along the unit vector `along`, `width` px wide; places: indices of those on it."""

    middle: np.ndarray
    along: np.ndarray
    width: float
    places: np.ndarray

    def away(self, xy: np.ndarray) -> np.ndarray:
        """Signed distance of points [N, 2] from the axis, px."""
        return (xy - self.middle) @ np.array([-self.along[1], self.along[0]])


@dataclass(frozen=True)
class _Chunks:
    """Pieces of about CHUNK_PX of the branches: places first ... last - 1; bend: largest distance from its own line."""

    first: np.ndarray
    last: np.ndarray
    middle: np.ndarray
    along: np.ndarray
    length: np.ndarray
    bend: np.ndarray


def find(strokes: Strokes) -> list[Joint]:
    """All joints of a picture, the straightest chunks first; a place lies on one at most."""
    if not len(strokes.xy):
        return []
    chunks = _chunks(strokes)
    tree, free = cKDTree(chunks.middle), np.ones(len(chunks.first), bool)
    seeds = np.flatnonzero((chunks.length >= CHUNK_PX / 2) & (chunks.bend <= OFF_PX))
    joints = []
    for seed in seeds[np.argsort(chunks.bend[seeds], kind="stable")].tolist():
        if not free[seed]:
            continue
        run, middle, along = _grown(chunks, tree, free, seed, True)
        found = _joint(strokes, chunks, *_trimmed(chunks, run, middle, along))
        if found is None and (_gaps(chunks, run, (chunks.middle[run] - middle) @ along) > GAP_PX).any():
            # Pieces far away that do not fit may not cost a joint that is one without them.
            found = _joint(strokes, chunks, *_trimmed(chunks, *_grown(chunks, tree, free, seed, False)))
        if found is not None:
            joints.append(found[0])
            free[found[1]] = False
    return joints


def _chunks(strokes: Strokes) -> _Chunks:
    starts = np.flatnonzero(np.append(True, strokes.branch[1:] != strokes.branch[:-1]))
    first, last = [], []
    for a, b in zip(starts.tolist(), [*starts[1:].tolist(), len(strokes.xy)], strict=True):
        edges = np.linspace(a, b, max(1, round((b - a) / CHUNK_PX)) + 1).round().astype(int).tolist()
        first += edges[:-1]
        last += edges[1:]
    count = len(first)
    middle, along, bend = np.empty((count, 2)), np.empty((count, 2)), np.empty(count)
    for k, (a, b) in enumerate(zip(first, last, strict=True)):
        places = strokes.xy[a:b]
        middle[k], along[k] = _axis(places, strokes.weights[a:b])
        bend[k] = np.abs((places - middle[k]) @ [-along[k, 1], along[k, 0]]).max()
    length = np.add.reduceat(strokes.weights, first)
    return _Chunks(np.array(first), np.array(last), middle, along, length, bend)


def _axis(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle and direction of the line with the least weighed squares of distances."""
    w = np.maximum(weights, 1e-3)
    middle = w @ points / w.sum()
    away = points - middle
    return middle, np.linalg.eigh((away * w[:, None]).T @ away)[1][:, 1]


def _axis_of_chunks(chunks: _Chunks, run: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half = chunks.along[run] * chunks.length[run, None] / 2
    return _axis(np.concatenate([chunks.middle[run] - half, chunks.middle[run] + half]), np.tile(chunks.length[run], 2))


def _grown(
    chunks: _Chunks, tree: cKDTree, free: np.ndarray, seed: int, far: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Free chunks on one line through the seed without a larger gap, in order along it, and its axis; far: as _without_gaps."""
    run, middle, along = np.array([seed]), chunks.middle[seed], chunks.along[seed]
    for _ in range(STEPS):
        t = (chunks.middle[run] - middle) @ along
        reach = float(np.ptp(t)) + 2 * CHUNK_PX
        steps = np.arange(t.min() - reach, t.max() + reach + CHUNK_PX, CHUNK_PX)
        near = tree.query_ball_point(middle + steps[:, None] * along, CHUNK_PX / 2 + 2 * OFF_PX)
        found = np.array(sorted(set().union(*near)), np.int64)
        off = np.abs((chunks.middle[found] - middle) @ [-along[1], along[0]])
        turned = (np.abs(chunks.along[found] @ along) < np.cos(np.deg2rad(TURN_DEG))) & (
            chunks.length[found] >= SHORT_PX
        )
        found = found[free[found] & (off <= OFF_PX) & ~turned]
        longer = _without_gaps(chunks, found, (chunks.middle[found] - middle) @ along, seed, far)
        if len(longer) < 2 or np.array_equal(longer, run):
            break
        run = longer
        middle, along = _axis_of_chunks(chunks, run)
    return run, middle, along


def _gaps(chunks: _Chunks, run: np.ndarray, t: np.ndarray) -> np.ndarray:
    """In front of each chunk of a run in order, at t along its line, px; below 0 where chunks overlap."""
    half = chunks.length[run] / 2
    return np.append(0.0, (t - half)[1:] - np.maximum.accumulate(t + half)[:-1])


def _without_gaps(chunks: _Chunks, found: np.ndarray, t: np.ndarray, seed: int, far: bool) -> np.ndarray:
    """Those of the chunks at t along a line that no gap parts from the seed, in order: none of more than GAP_PX or, if far, of more
    than is seen of the line up to it, nearer gaps first."""
    order = np.argsort(t, kind="stable")
    found, t = found[order], t[order]
    if not (found == seed).any():
        return found[:0]
    gap = _gaps(chunks, found, t)
    part = np.cumsum(gap > GAP_PX)
    seen = np.bincount(part, chunks.length[found])
    after = np.append(gap[gap > GAP_PX], np.inf)  # each part; after[-1]: before the first
    low = high = int(part[found == seed][0])
    while far and min(after[low - 1], after[high]) <= seen[low : high + 1].sum():
        low, high = (low, high + 1) if after[high] <= after[low - 1] else (low - 1, high)
    return found[(part >= low) & (part <= high)]


def _trimmed(
    chunks: _Chunks, run: np.ndarray, middle: np.ndarray, along: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The run without its ends, as far as they bend away: a lens makes long lines curved."""
    while len(run) > 2:
        off = np.abs((chunks.middle[run] - middle) @ [-along[1], along[0]])
        length = chunks.length[run]
        if length.sum() < LEAST_PX / 2 or off @ (off * length) <= RMS_PX**2 * length.sum():
            break
        run = run[1:] if off[0] >= off[-1] else run[:-1]
        middle, along = _axis_of_chunks(chunks, run)
    return run, middle, along


def _joint(
    strokes: Strokes, chunks: _Chunks, run: np.ndarray, middle: np.ndarray, along: np.ndarray
) -> tuple[Joint, np.ndarray] | None:
    """The joint that the chunks make and those chunks, or None."""
    if len(run) < 2:
        return None
    places = np.concatenate([np.arange(a, b) for a, b in zip(chunks.first[run], chunks.last[run], strict=True)])
    off = (strokes.xy[places] - middle) @ [-along[1], along[0]]
    places, off = places[np.abs(off) <= OFF_PX], off[np.abs(off) <= OFF_PX]
    weights, steady = strokes.weights[places], places[strokes.steady[places]]
    if not len(steady) or weights.sum() < LEAST_PX:
        return None
    length = float(np.ptp((strokes.xy[places] - middle) @ along))
    low, width, high = np.quantile(strokes.width[steady], [0.25, 0.5, 0.75])
    straight = weights @ off**2 <= RMS_PX**2 * weights.sum()
    if not straight or weights.sum() < COVERED * length or high - low > SPREAD * width:
        return None
    return Joint(middle, along, float(width), places), run


def strokes_of(paths: Sequence[np.ndarray], weights: np.ndarray, width: np.ndarray, steady: np.ndarray) -> Strokes:
    """Strokes from the smooth paths of all branches."""
    branch = np.repeat(np.arange(len(paths)), [len(path) for path in paths])
    xy = np.concatenate(paths) if len(paths) else np.empty((0, 2))
    return Strokes(xy, branch, weights, width, steady)
