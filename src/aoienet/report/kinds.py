"""Which pixels of a mask are of a crack and which of a joint, row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aoienet.measure import crack as kind
from aoienet.report.pyramid import Rows

if TYPE_CHECKING:
    from aoienet.measure.crack import Crack

CRACK, JOINT = 255, 128  # in mask.tif; the larger one wins in its overviews
STRIP_ROWS = 64  # parted at once, so that what is in between stays small


def kind_rows(mask_rows: Rows, found: Sequence[Crack]) -> Callable[[int, int], np.ndarray]:
    """(y0, y1) -> uint8 [y1-y0, W]: CRACK, JOINT, or 0 where the mask is.

    Args     mask_rows: (y0, y1) -> [y1-y0, W], not 0 where a crack or joint is. found: the outlines of the joints among them
             part the mask.
    """
    walls = _walls([ring for one in found if one.kind == kind.JOINT for rings in one.polygons_px for ring in rings])

    def rows(y0: int, y1: int) -> np.ndarray:
        out = (np.asarray(mask_rows(y0, y1)) != 0).view(np.uint8)
        out *= np.uint8(CRACK)
        for top in range(y0, y1, STRIP_ROWS):
            strip = out[top - y0 : top - y0 + STRIP_ROWS]
            some = walls[(walls[:, 1] < top + len(strip)) & (walls[:, 2] > top)]
            if len(some) and strip.any():
                strip[(strip != 0) & _inside(some, top, strip.shape)] = JOINT
        return out

    return rows


def _walls(rings: list[np.ndarray]) -> np.ndarray:
    """The upright sides of rings, int [S, 4]: x, upper and lower end as corners of pixels, 1 where the inside begins to
    the right of it and -1 where it ends."""
    sides = [np.empty((0, 4), np.int64)]
    for ring in rings:
        (x, y), (_, later) = np.rint(ring[:-1] + 0.5).astype(np.int64).T, np.rint(ring[1:] + 0.5).astype(np.int64).T
        every = np.stack([x, np.minimum(y, later), np.maximum(y, later), np.sign(y - later)], axis=1)
        sides.append(every[y != later])
    return np.concatenate(sides)


def _inside(walls: np.ndarray, y0: int, shape: tuple[int, ...]) -> np.ndarray:
    """bool [H, W] of the rows from y0 on: between a side where the inside begins and one where it ends."""
    steps = np.zeros((shape[0], shape[1] + 1), np.int8)
    for x, top, bottom, step in walls.tolist():
        steps[max(0, top - y0) : bottom - y0, x] += step
    return np.cumsum(steps[:, :-1], axis=1, dtype=np.int8) > 0
