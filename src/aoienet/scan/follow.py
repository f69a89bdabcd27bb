"""Following a crack: where one that was segmented runs to the edge of what was passed on, the dropped cells there are looked at too.

A first stage judges blocks by themselves and drops tips, faint ends and branches; the second stage sees them as soon as it looks. It
goes on from cell to cell, at most CELLS times, so that a unit needs to know no more than CELLS cells around it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aoienet.scan.keep import Reason
from aoienet.scan.mask import TILE_PX, TileMask

CELLS = 4  # steps; a crack is followed so many cells far
REACH_PX = 8  # a crack that comes so near to a cell goes on in it

Segment = Callable[[np.ndarray], TileMask]  # bool [Hc, Wc], cells: their mask


def follow(why_HW: np.ndarray, row0: int, cell_px: int, mask: TileMask, segment: Segment) -> None:
    """Add the cells in which cracks go on to what was passed on, and what is found there to the mask, both in place.

    Shapes   why_HW: uint8 [Hc, Wc], bits of Reason, rows of cells from row0 on. Cells within CELLS of its first and last
             row may lack what comes from beyond.
    """
    fresh = mask
    for _ in range(CELLS):
        new = _reached(fresh, why_HW.shape, row0, cell_px) & (why_HW == 0)
        if not new.any():
            return
        why_HW[new] = Reason.FOLLOWED
        fresh = segment(new)
        mask.add(fresh)


def _reached(mask: TileMask, shape: tuple[int, ...], row0: int, cell_px: int) -> np.ndarray:
    """Cells with a crack in them or within REACH_PX."""
    from scipy.ndimage import maximum_filter

    out = np.zeros(shape, bool)
    for (i, j), tile in mask.tiles.items():
        if tile.any():
            near = maximum_filter(np.pad(tile, REACH_PX), 2 * REACH_PX + 1, mode="constant")
            y, x = np.nonzero(near)
            rows = (y + i * TILE_PX - REACH_PX) // cell_px - row0
            columns = (x + j * TILE_PX - REACH_PX) // cell_px
            inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
            out[rows[inside], columns[inside]] = True
    return out
