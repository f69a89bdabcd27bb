"""Following a crack: where one that was segmented runs to the edge of what was passed on, the dropped cells there are looked at too.

A first stage judges blocks by themselves and drops tips, faint ends and branches; the second stage sees them as soon as it looks. It
goes on from cell to cell, at most CELLS times, so that a unit needs to know no more than CELLS cells around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from aoienet.scan.keep import Reason, rectangles
from aoienet.scan.mask import TILE_PX, Rectangle, TileMask
from aoienet.segment import Segmenter, regions

CELLS = 4  # steps; a crack is followed so many cells far
REACH_PX = 8  # a crack that comes so near to a cell goes on in it

Segment = Callable[[np.ndarray], TileMask]  # bool [Hc, Wc], cells: their mask
Parts = Callable[
    [list[Rectangle]], Iterable[tuple[Rectangle, np.ndarray, np.ndarray]]
]  # boxes, crack, probability: as TileMask.put


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


def look(why_HW: np.ndarray, cell_px: int, size_hw: tuple[int, ...], parts: Parts) -> TileMask:
    """The mask of a picture that is held in memory: of the cells that were passed on and of those in which cracks go on, which are
    added to why_HW."""

    def segment(cells_HW: np.ndarray) -> TileMask:
        made = TileMask()
        for box, crack, probability in parts(rectangles(cells_HW, 0, cell_px, 0, size_hw[0], size_hw[1])):
            made.put(box, crack, probability)
        return made

    mask = segment(why_HW != 0)
    follow(why_HW, 0, cell_px, mask, segment)
    return mask


def parts_of(image: np.ndarray, segmenter: Segmenter) -> Parts:
    """What a second stage says of parts of a picture, uint8 [H, W] or [H, W, 3] as it takes them."""

    def parts(boxes: list[Rectangle]) -> Iterator[tuple[Rectangle, np.ndarray, np.ndarray]]:
        for box, probability in regions(segmenter, lambda a, b: image[a:b], image.shape[:2], boxes):
            yield box, probability >= segmenter.threshold, probability

    return parts


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
