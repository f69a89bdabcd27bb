"""From the widths along a crack to those of the crack: mean, median, p95, max, each with a standard uncertainty.

1. Blur. Each place tells a little about the blur; together they tell much. The widths are moved to the pooled blur;
   what stays unknown of it is common to all places.
2. Noise. The value is that of the expected profile of the width (along.py), the uncertainty that of profiles drawn from
   what the noisy widths leave open: how far theirs lie from it, root mean square. The largest width of a draw is larger
   than that of the expected profile, where several places may be the widest one; this is part of it.
3. What the model does not know (SYSTEMATIC_PX and a part that grows as the width nears one pixel) is common to all places.
   Where the crack ends is not known to the pixel, which moves the quantiles.

The constants are set on drawn cracks (benchmarks/measure.py) with seeds other than those that are reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from aoienet.measure import along, width
from aoienet.measure.crack import Measured, Widths
from aoienet.measure.width import Places

ALIKE_PX = 6.0  # neighbours within this length share their noise: profiles are averaged along 5 px
SYSTEMATIC_PX = 0.025  # of every width
NARROW_PX2 = 0.05  # divided by the width: what the grid of pixels does to a narrow slit
# Below this many sigmas of the blur, at the upper end of its interval, a slit has no flat bottom: a profile does not tell
# the two apart.
RESOLVED_SIGMAS = 4.0
POOLED_BLUR = 0.05  # standard uncertainty of log sigma that does not average out: edges are no perfect steps
LENGTH_SHARE = 0.004  # smoothing and the staircase, share of the length
END_PX, END_WIDTHS = 0.7, 0.1  # each free end: px, and widths


@dataclass(frozen=True)
class Samples:
    """Places in order along the branches, [N] each. weights: length that a place stands for; steady: away from junctions
    and ends, the others count only where there are none; branch: its number; tips: free ends of all branches."""

    places: Places
    steady: np.ndarray
    weights: np.ndarray
    branch: np.ndarray
    tips: int


def summary(samples: Samples, blur_px: float | None) -> Widths:
    """Widths of one crack."""
    places, weights = samples.places, np.maximum(samples.weights, 1e-3)
    use = samples.steady if samples.steady.any() else np.ones(len(weights), bool)
    grey = use & places.grey
    if not grey.any() or weights[grey].sum() < 0.5 * weights[use].sum():
        return _summary(samples, use, places.width, np.full(len(weights), 0.3), width.MASK_U_PX, False)
    some, w = _pick(places, grey), weights[grey]
    blur, u_log = pooled_blur(some, w, blur_px)
    value = places.width.copy()
    value[grey] = np.sqrt(np.maximum(some.width**2 + _follow(some) * (blur**2 - some.blur**2), 0.04))
    mean = float(np.average(value[grey], weights=w))
    open_px = float(np.average(np.abs(some.slope), weights=w)) * u_log
    if blur_px is None and mean < max(width.TELLABLE_PX, RESOLVED_SIGMAS * blur * math.exp(1.96 * u_log)):
        bound = np.where(np.isnan(places.bound), value, np.maximum(places.bound, value))
        return _summary(samples, grey, bound, places.u, SYSTEMATIC_PX, True)
    floor = math.sqrt(SYSTEMATIC_PX**2 + (NARROW_PX2 / max(mean, 0.5)) ** 2 + open_px**2)
    return _summary(samples, grey, value, places.u, floor, False)


def of_area(area_px: int, length_px: float) -> Widths:
    """Widths where there is no centre line: area by length, half of it uncertain."""
    value = Measured(area_px / max(length_px, 1.0), area_px / max(length_px, 1.0) / 2)
    return Widths(value, value, value, value, False)


def pooled_blur(places: Places, weights: np.ndarray, blur_px: float | None) -> tuple[float, float]:
    """Sigma that suits all places of a crack, and the standard uncertainty of its logarithm."""
    middle, spread = width.prior_of(blur_px)
    if blur_px is not None:  # a fit to single profiles would only add what the grid of pixels does to them
        return middle, spread
    prior = 1 / spread**2
    told = np.minimum(places.told, 1e4) * weights / ALIKE_PX
    # a fit lies between the prior and what the profile alone says
    alone = math.log(middle) + (np.log(places.blur) - math.log(middle)) * (places.told + prior) / np.maximum(
        places.told, 1e-9
    )
    alone = np.clip(alone, math.log(0.2), math.log(12.0))
    total = float(told.sum()) + prior
    # the median by length: a fit that errs towards a sharp edge also says that it tells more
    best = (total - prior) / total * quantile(alone, weights, 0.5) + prior / total * math.log(middle)
    scatter = float((told * (alone - best) ** 2).sum()) / total / max(1.0, float(weights.sum()) / ALIKE_PX)
    return math.exp(best), math.sqrt(1 / total + scatter + POOLED_BLUR**2)


def _follow(places: Places) -> np.ndarray:
    """d width^2 / d sigma^2: -12 for a slit much narrower than the blur, 0 for a wide one."""
    return np.clip(places.width * places.slope / places.blur**2, -12.0, 0.0)


def _pick(places: Places, which: np.ndarray) -> Places:
    return replace(places, **{name: value[which] for name, value in vars(places).items()})


def _summary(samples: Samples, seen: np.ndarray, value: np.ndarray, u: np.ndarray, floor: float, bound: bool) -> Widths:
    weights = np.maximum(samples.weights, 1e-3)
    line = along.blocks(value, np.minimum(u, 2.0) ** 2, weights, samples.branch, seen)
    mean = float(np.average(value[seen], weights=weights[seen]))
    share = line.length / line.length.sum()
    end = math.sqrt(max(samples.tips, 1)) * (END_PX + END_WIDTHS * mean) / float(line.length.sum())
    middle = np.array([0.5, max(0.5 - end, 0.0), min(0.5 + end, 1.0), 0.95, max(0.95 - end, 0.0), min(0.95 + end, 1.0)])
    drawn, weight = [], []
    centre = np.zeros(len(share))
    for draws in along.draws(line, mean):
        drawn.append(_of_profiles(draws.widths, share, middle))
        weight.append(np.full(along.DRAWS, draws.weight))
        centre += draws.weight * draws.centre
    every, w = np.concatenate(drawn), np.concatenate(weight)
    value_of = _of_profiles(centre[:, None] / w.sum() * along.DRAWS, share, middle)[0]
    spread = np.sqrt(np.average((every - value_of) ** 2, axis=0, weights=w))

    def measured(column: int, more: float = 0.0) -> Measured:
        return Measured(float(value_of[column]), math.hypot(float(spread[column]), floor, more))

    return Widths(
        max=measured(0),
        mean=measured(1),
        median=measured(2, float(value_of[4] - value_of[3]) / 2),
        p95=measured(5, float(value_of[7] - value_of[6]) / 2),
        upper_bound=bound,
    )


def _of_profiles(widths: np.ndarray, share: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Largest, mean and the quantiles `at` of profiles [N, K] whose blocks have these shares of the length [N]: [K, 2 + Q]."""
    order = np.argsort(widths, axis=0, kind="stable")
    sizes = np.take_along_axis(widths, order, axis=0)
    part = share[order]
    reached = np.cumsum(part, axis=0) - part / 2
    return np.column_stack([sizes[-1], share @ widths, _between(at, reached, sizes)])


def _between(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """np.interp(at, x[:, k], y[:, k]) of every column k of [N, K] at once: [K, Q], the same bits."""
    last, columns = len(x) - 1, np.arange(x.shape[1])[:, None]
    below = np.stack([(x <= a).sum(axis=0) for a in at], axis=1) - 1
    low = np.clip(below, 0, max(last - 1, 0))
    high = np.minimum(low + 1, last)
    x0, y0 = x[low, columns], y[low, columns]
    step = np.where(high > low, x[high, columns] - x0, 1.0)
    inside = (y[high, columns] - y0) / step * (at - x0) + y0
    return np.where(below < 0, y[0][:, None], np.where(below >= last, y[last][:, None], inside))


def quantile(value: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Value below which `share` of the weight lies, between neighbours by the middle of their weights."""
    order = np.argsort(value, kind="stable")
    edge = np.cumsum(weights[order])
    return float(np.interp(share * edge[-1], edge - weights[order] / 2, value[order]))


def length_u(length_px: float, tips: int, width_px: float) -> float:
    """Standard uncertainty of a length with `tips` free ends."""
    return math.hypot(LENGTH_SHARE * length_px, math.sqrt(tips) * (END_PX + END_WIDTHS * width_px))
