"""The width along a crack as a random process: what it may have been, given widths that are noisy and correlated.

The largest of many noisy widths is too large, by more the longer the crack. So the whole profile is estimated, not its
single places. Along each branch the width is mean + f, f a Gaussian process with a Matern covariance (nu = 3/2), seen
with noise whose size the fits of the profiles tell. How far f reaches, how large it is, and how much the noise exceeds
what the fits tell is not known: a grid of values is weighed by its marginal likelihood. Profiles are then drawn from
the posterior (conditional simulation), and the largest, the quantiles and the mean of each drawn profile are one draw of
those of the crack. Places that could not be measured (junctions, ends) are places without an observation.

Source   Rasmussen, Williams 2006, Gaussian Processes for Machine Learning, 2.2, 5.4; the process as a Markov chain of
         (f, f'): Hartikainen, Sarkka 2010, MLSP, so that precisions are banded and the cost grows with the length;
         extremes by conditional simulation: Chiles, Delfiner 2012, Geostatistics, 7.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky_banded
from scipy.linalg.lapack import dtbtrs

BLOCK_PX = 8.0  # profiles are averaged along 5 px: the medians of longer blocks hardly share their noise
REACHES_PX = (30.0, 80.0, 200.0)  # of the process along the crack
SWINGS = (0.002, 0.02, 0.06, 0.18, 0.5)  # its standard deviation, share of the mean width
EXCESSES = (0.7, 1.2, 2.2, 4.0)  # noise over what the fits tell
DRAWS = 64  # of each member of the grid that counts
LEAST = 0.01  # weight of a member that counts


@dataclass(frozen=True)
class Blocks:
    """Stretches of about BLOCK_PX along the branches, [N] each. variance: of the noise, inf where nothing was measured;
    gap: to the block before, inf at the first one of a branch."""

    value: np.ndarray
    variance: np.ndarray
    length: np.ndarray
    gap: np.ndarray


@dataclass(frozen=True)
class Draws:
    """Widths of the blocks, px: their expectation [N] and draws [N, DRAWS], of a member that weighs `weight`."""

    centre: np.ndarray
    widths: np.ndarray
    weight: float


@dataclass(frozen=True)
class _Member:
    """A member of the grid: the factor of the posterior's precision, what the mean and the values pull, and the mean's."""

    factor: np.ndarray
    pulls: np.ndarray
    mean: float
    told: float
    log_evidence: float


def blocks(
    value: np.ndarray, variance: np.ndarray, weights: np.ndarray, branch: np.ndarray, seen: np.ndarray
) -> Blocks:
    """Places [N] in order along the branches -> blocks: the median of each against outliers, and its mean variance.

    weights: length that a place stands for; branch: its number; seen: whether there is a value.
    """
    first = np.append(True, branch[1:] != branch[:-1])
    ends = np.cumsum(weights)
    middle = ends - weights / 2
    middle = middle - (ends - weights)[first][np.cumsum(first) - 1]
    step = np.floor(middle / BLOCK_PX)
    starts = np.flatnonzero(first | np.append(True, step[1:] != step[:-1]))
    number = np.zeros(len(value), np.int64)
    number[starts[1:]] = 1
    number = np.cumsum(number)
    count = np.bincount(number, seen, len(starts)).astype(np.int64)
    ordered = np.append(value[np.lexsort((np.where(seen, value, np.inf), number))], 0.0)
    low, high = starts + np.maximum(count - 1, 0) // 2, starts + np.minimum(count // 2, np.maximum(count - 1, 0))
    length = np.bincount(number, weights)
    at = np.bincount(number, middle * weights) / length
    gap = np.append(np.inf, np.maximum(np.diff(at), 1e-3))
    gap[first[starts]] = np.inf
    mean = np.bincount(number, np.where(seen, variance, 0.0)) / np.maximum(count, 1)
    return Blocks(
        np.where(count > 0, (ordered[low] + ordered[high]) / 2, 0.0), np.where(count > 0, mean, np.inf), length, gap
    )


def draws(line: Blocks, mean_px: float) -> Iterator[Draws]:
    """Profiles of the width from the posterior. The same input gives the same draws."""
    members = [member for reach in REACHES_PX for member in _members(line, reach, mean_px)]
    weight = np.exp(np.array([m.log_evidence for m in members]) - max(m.log_evidence for m in members))
    weight /= weight.sum()
    generator = np.random.default_rng(0)
    noise, shift = generator.standard_normal((2 * len(line.value), DRAWS)), generator.standard_normal(DRAWS)
    for member, share in zip(members, weight.tolist(), strict=True):
        if share >= LEAST:
            mean = member.mean + np.append(0.0, shift / math.sqrt(member.told))
            pull = member.pulls[:, 1:] - member.pulls[:, :1] * mean
            pull[:, 1:] += noise
            widths = dtbtrs(member.factor, pull, uplo="U")[0][::2] + mean
            yield Draws(widths[:, 0], widths[:, 1:], share)


def _members(line: Blocks, reach_px: float, mean_px: float) -> list[_Member]:
    """All members of one reach. The systems stand behind each other in one banded matrix, factored by one call."""
    prior, log_det = _precision(line.gap, reach_px)
    grid = [((swing * mean_px) ** 2, excess**2) for swing in SWINGS for excess in EXCESSES]
    swings, excesses = (np.array(v)[:, None] for v in zip(*grid, strict=True))
    n, many = len(line.value), len(grid)
    seen = np.isfinite(line.variance)
    told = np.where(seen, 1 / np.where(seen, line.variance, 1.0), 0.0) / excesses  # [G, N]
    bands = prior[:, None, :] / swings[None]
    bands[3, :, ::2] += told
    factor = cholesky_banded(bands.reshape(4, -1), check_finite=False)
    right = np.zeros((many, 2 * n, 2))
    right[:, ::2, 0], right[:, ::2, 1] = told, told * line.value
    pulls = dtbtrs(factor, right.reshape(-1, 2), uplo="U", trans="T")[0].reshape(many, 2 * n, 2)
    factor = factor.reshape(4, many, 2 * n)
    inner = np.einsum("gni,gnj->gij", pulls, pulls)
    ones = told.sum(1) - inner[:, 0, 0]
    mixed = (told * line.value).sum(1) - inner[:, 0, 1]
    squares = (told * line.value**2).sum(1) - inner[:, 1, 1]
    evidence = np.log(np.where(seen, told, 1.0)).sum(1) - 2 * np.log(factor[3]).sum(1)
    evidence += log_det - 2 * n * np.log(swings[:, 0]) - squares + mixed**2 / ones - np.log(ones)
    return [
        _Member(factor[:, g], pulls[g], float(mixed[g] / ones[g]), float(ones[g]), float(evidence[g] / 2))
        for g in range(many)
    ]


def _precision(gap: np.ndarray, reach_px: float) -> tuple[np.ndarray, float]:
    """Precision of (f, f' reach / sqrt 3) at all blocks, variance 1, as upper bands [4, 2 N], and the log of its
    determinant."""
    joined = np.isfinite(gap)
    a = np.where(joined, math.sqrt(3) / reach_px * np.where(joined, gap, 0.0), 0.0)
    fade = np.where(joined, np.exp(-a), 0.0)
    step = np.empty((len(gap), 2, 2))
    step[:, 0, 0], step[:, 0, 1], step[:, 1, 0], step[:, 1, 1] = (
        fade * (1 + a), fade * a, -fade * a, fade * (1 - a)
    )  # fmt: skip
    fresh = np.eye(2) * (1 + 1e-9) - step @ step.transpose(0, 2, 1)
    inverse = np.linalg.inv(fresh)
    back = step.transpose(0, 2, 1) @ inverse
    own = inverse.copy()
    own[:-1] += (back @ step)[1:]
    bands = np.zeros((4, 2 * len(gap)))
    bands[3, ::2], bands[3, 1::2], bands[2, 1::2] = own[:, 0, 0], own[:, 1, 1], own[:, 0, 1]
    bands[1, 2::2], bands[2, 2::2] = -back[1:, 0, 0], -back[1:, 1, 0]
    bands[0, 3::2], bands[1, 3::2] = -back[1:, 0, 1], -back[1:, 1, 1]
    return bands, -float(np.linalg.slogdet(fresh)[1].sum())
