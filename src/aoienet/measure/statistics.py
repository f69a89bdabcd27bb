"""From the widths along a crack to those of the crack: mean, median, p95, max, each with a standard uncertainty.

1. Blur. Each place tells a little about the blur; together they tell much. The widths are moved to the pooled blur;
   what stays unknown of it is common to all places.
2. Noise of one place averages out along the crack. What the model does not know (SYSTEMATIC_PX and a part that grows
   as the width nears one pixel) does not.
3. For max and p95 the widths are smoothed along the crack and drawn towards their mean by the share of their spread
   that is noise: else the largest of many noisy values would be too large.

The constants are set on drawn cracks (benchmarks/measure.py) with seeds other than those that are reported.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import ndimage

from aoienet.measure import width
from aoienet.measure.crack import Measured, Widths
from aoienet.measure.width import Places

ALIKE_PX = 6.0  # neighbours within this length share their noise: profiles are averaged along 5 px
MEDIAN_OF = 9  # samples along the crack
SYSTEMATIC_PX = 0.025  # of every width
NARROW_PX2 = 0.05  # divided by the width: what the grid of pixels does to a narrow slit
RESOLVED_SIGMAS = (
    4.0  # below this many sigmas of the blur a slit has no flat bottom: a profile does not tell the two apart
)
POOLED_BLUR = 0.05  # standard uncertainty of log sigma that does not average out: edges are no perfect steps
LARGEST_PX = 0.04  # more of the largest width: it may stand where the border is rough
UNSEEN = 0.7  # how unlike the measured places the others are, in standard deviations of the width
LENGTH_SHARE = 0.004  # smoothing and the staircase, share of the length
END_PX, END_WIDTHS = 0.7, 0.06  # each free end: px, and widths


def summary(places: Places, steady: np.ndarray, weights: np.ndarray, blur_px: float | None) -> Widths:
    """Widths of one crack from its places in order along the branches. weights: length that a place stands for;
    steady: away from junctions and ends; the others count only where there are none."""
    use = steady & (weights > 0)
    if not use.any():
        use = np.ones(len(weights), bool)
    unseen = 1 - float(weights[use].sum() / max(weights.sum(), 1e-9))
    grey = use & places.grey
    if not grey.any() or weights[grey].sum() < 0.5 * weights[use].sum():
        value, w = places.width[use], np.maximum(weights[use], 1e-3)
        return _summary(value, np.full(len(value), 0.3), w, width.MASK_U_PX, unseen, False)
    places, w = _pick(places, grey), np.maximum(weights[grey], 1e-3)
    blur, u_log = pooled_blur(places, w, blur_px)
    value = np.sqrt(np.maximum(places.width**2 + _follow(places) * (blur**2 - places.blur**2), 0.04))
    mean = float(np.average(value, weights=w))
    open_px = float(np.average(np.abs(places.slope), weights=w)) * u_log
    if blur_px is None and mean < max(width.TELLABLE_PX, RESOLVED_SIGMAS * blur):
        bound = np.where(np.isnan(places.bound), value, np.maximum(places.bound, value))
        return _summary(bound, places.u, w, SYSTEMATIC_PX, unseen, True)
    floor = math.sqrt(SYSTEMATIC_PX**2 + (NARROW_PX2 / max(mean, 0.5)) ** 2 + open_px**2)
    return _summary(value, places.u, w, floor, unseen, False)


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
    best = (float((told * alone).sum()) + prior * math.log(middle)) / total
    scatter = float((told * (alone - best) ** 2).sum()) / total / max(1.0, float(weights.sum()) / ALIKE_PX)
    return math.exp(best), math.sqrt(1 / total + scatter + POOLED_BLUR**2)


def _follow(places: Places) -> np.ndarray:
    """d width^2 / d sigma^2: -12 for a slit much narrower than the blur, 0 for a wide one."""
    return np.clip(places.width * places.slope / places.blur**2, -12.0, 0.0)


def _pick(places: Places, which: np.ndarray) -> Places:
    return replace(places, **{name: value[which] for name, value in vars(places).items()})


def _summary(value: np.ndarray, u: np.ndarray, weights: np.ndarray, floor: float, unseen: float, bound: bool) -> Widths:
    total = float(weights.sum())
    mean = float(np.average(value, weights=weights))
    noise2 = float(np.average(np.minimum(u, 2.0) ** 2, weights=weights))
    calm = ndimage.median_filter(value, min(MEDIAN_OF, len(value)), mode="nearest")
    calm2 = noise2 * ALIKE_PX / (ALIKE_PX + MEDIAN_OF)  # noise that the median leaves
    spread2 = float(np.average((calm - mean) ** 2, weights=weights))
    real = max(0.0, spread2 - calm2) / spread2 if spread2 > 0 else 0.0
    drawn = mean + (calm - mean) * math.sqrt(real)
    places = max(1.0, total / ALIKE_PX)
    rest = UNSEEN * unseen * math.sqrt(real * spread2)  # the widths of the places that could not be measured

    def u_of(share: float, local: float = 0.0) -> float:
        return math.sqrt(floor**2 + noise2 / max(1.0, places * share) + rest**2 + local**2)

    local = math.sqrt(calm2 * real)
    return Widths(
        max=Measured(float(drawn.max()), u_of(1, math.hypot(local, rest, LARGEST_PX))),
        mean=Measured(mean, u_of(1)),
        median=Measured(quantile(value, weights, 0.5), u_of(2 / math.pi, rest)),
        p95=Measured(quantile(drawn, weights, 0.95), u_of(0.2, local / 2)),
        upper_bound=bound,
    )


def quantile(value: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Value below which `share` of the weight lies, between neighbours by the middle of their weights."""
    order = np.argsort(value, kind="stable")
    edge = np.cumsum(weights[order])
    return float(np.interp(share * edge[-1], edge - weights[order] / 2, value[order]))


def length_u(length_px: float, tips: int, width_px: float) -> float:
    """Standard uncertainty of a length with `tips` free ends."""
    return math.hypot(LENGTH_SHARE * length_px, math.sqrt(tips) * (END_PX + END_WIDTHS * width_px))
