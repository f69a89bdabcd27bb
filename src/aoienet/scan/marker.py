"""The markers of a picture of any size: found in a small copy of it, refined at full size in a window around each."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from aoienet.measure.marker import MODULES, Marked, Marker, candidates, refined, scale_from
from aoienet.scan.runner import Shrinker, shrink_factor
from aoienet.scan.sources import Source, grey_of_rgb
from aoienet.scan.sources.cost import BAND_BYTES, aligned_rows

DIGITS = 3  # decimals of a corner, the same on every machine
MARGIN = 0.5  # of a side, around a marker
WINDOW_PX = 16 << 20  # a marker that needs a larger window has 250 px a side or more in the small copy


def marked(source: Source, side_mm: float) -> Marked:
    """The scale that markers of side_mm give a picture.

    Raises   ScaleError: no marker, or none that gives one scale. SourceError: broken picture.
    """
    factor = shrink_factor(source.height, source.width)
    small = _grey(_shrunk(source, factor))
    markers = []
    for name, number, quad in candidates(small):
        corners = (refined(small, quad, MODULES[name]) + 0.5) * factor - 0.5
        markers.append(Marker(name, number, _rounded(_at_full_size(source, corners, name) if factor > 1 else corners)))
    return scale_from(sorted(markers, key=astuple), side_mm)


def _shrunk(source: Source, factor: int) -> np.ndarray:
    rows = aligned_rows(source, BAND_BYTES)
    shrinker, parts = Shrinker(factor), []
    for y in range(0, source.height, rows):
        last = min(y + rows, source.height)
        shrinker.add(source.read(y, last))
        parts += shrinker.take(ends=last == source.height)
    return np.concatenate(parts)


def _at_full_size(source: Source, quad: np.ndarray, name: str) -> np.ndarray:
    """Corners refined once more; as they are where the marker is so large that its small copy is as good."""
    margin = MARGIN * np.linalg.norm(quad - np.roll(quad, 1, axis=0), axis=1).mean()
    x0, y0 = np.maximum(np.floor(quad.min(axis=0) - margin).astype(int), 0).tolist()
    x1, y1 = np.minimum(np.ceil(quad.max(axis=0) + margin).astype(int) + 1, [source.width, source.height]).tolist()
    if (x1 - x0) * (y1 - y0) > WINDOW_PX:
        return quad
    return refined(_grey(source.window(y0, y1, x0, x1)), quad - [x0, y0], MODULES[name]) + [x0, y0]


def _rounded(quad: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), DIGITS), round(float(y), DIGITS)) for x, y in quad)


def _grey(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels if pixels.ndim == 2 else grey_of_rgb(pixels))
