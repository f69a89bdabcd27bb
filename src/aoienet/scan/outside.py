"""Where nothing was photographed, as beside a mosaic: areas of it, and pictures whose networks do not see its border.

A black border hides cracks up to 60 px inside of it from the second stage, and black and white ones are edges that look like
cracks; so the networks are handed a middle level there. What they find within BESIDE_PX is dropped all the same.
"""

from __future__ import annotations

import numpy as np

from aoienet.scan.mask import Rectangle
from aoienet.scan.sources import Source

LEVEL = 128  # handed to the networks
HOLE_PX = 16  # fewer pixels side by side at the level for no data are just black
BESIDE_PX = 12  # no crack is told so near: edges of mosaics gave false ones up to 8 px inside


def areas(source: Source, box: Rectangle) -> np.ndarray | None:
    """Bool [h, w] of a rectangle of the picture, True where nothing was photographed; None: all of it was.

    Where a level stands for no data, only squares of HOLE_PX at that level, and its pixels as near to them: a crack may be as black.
    """
    x0, y0, x1, y1 = box
    if not source.outside or source.outside_exact:
        return source.absent(y0, y1, x0, x1)
    reach = 2 * HOLE_PX  # what decides lies no further
    left, right = max(0, x0 - reach), min(source.width, x1 + reach)
    top, bottom = max(0, y0 - reach), min(source.height, y1 + reach)
    parts = [source.absent(a, b, left, right) for a, b in ((top, y0), (y0, y1), (y1, bottom)) if a < b]
    level = np.concatenate([part for part in parts if part is not None])
    return _grown(level)[y0 - top : y1 - top, x0 - left : x1 - left]


def filled(source: Source, y0: int, pixels: np.ndarray) -> np.ndarray:
    """Rows of a picture from y0 on, for a network."""
    gone = areas(source, (0, y0, source.width, y0 + len(pixels)))
    if gone is None or not gone.any():
        return pixels
    out = pixels.copy()
    out[gone] = LEVEL
    return out


def beside(source: Source, box: Rectangle) -> np.ndarray | None:
    """Bool [h, w] of a rectangle of the picture: within BESIDE_PX of such an area; None: nowhere."""
    from scipy.ndimage import maximum_filter

    x0, y0, x1, y1 = box
    left, right = max(0, x0 - BESIDE_PX), min(source.width, x1 + BESIDE_PX)
    top, bottom = max(0, y0 - BESIDE_PX), min(source.height, y1 + BESIDE_PX)
    gone = areas(source, (left, top, right, bottom))
    if gone is None or not gone.any():
        return None
    near = maximum_filter(gone.astype(np.uint8), 2 * BESIDE_PX + 1, mode="constant")
    return np.asarray(near[y0 - top : y1 - top, x0 - left : x1 - left] != 0)


def _grown(level: np.ndarray) -> np.ndarray:
    """Squares of HOLE_PX that are True all over (beyond the edges everything is), and what is True within HOLE_PX of them: the
    fringe of a ragged border."""
    from scipy.ndimage import maximum_filter, minimum_filter

    padded = np.pad(level, HOLE_PX - 1, constant_values=True).astype(np.uint8)
    corners = minimum_filter(padded, HOLE_PX, mode="constant", origin=-(HOLE_PX // 2))
    squares = maximum_filter(corners, HOLE_PX, mode="constant", origin=HOLE_PX // 2 - 1)
    near = maximum_filter(squares, 2 * HOLE_PX + 1, mode="constant")
    inner = np.s_[HOLE_PX - 1 : -(HOLE_PX - 1), HOLE_PX - 1 : -(HOLE_PX - 1)]
    return np.asarray(squares[inner] != 0) | (level & (near[inner] != 0))
