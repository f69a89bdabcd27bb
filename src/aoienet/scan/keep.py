"""Which part of a picture is passed on to the second stage, and why.

Passed on is a cell (aoienet.cells) whose fused score reaches the threshold, or that is nearly as suspicious and linked to such a cell;
every cell of a block that is too badly photographed, or too unlike the training pictures, to be judged; and where a crack that the
second stage found goes on (follow.py). Never a cell of which nothing was photographed.
"""

from __future__ import annotations

from enum import IntFlag

import numpy as np

from aoienet.cells import fused, largest, linked, side_px
from aoienet.scan.quality import Quality
from aoienet.scan.tiles import Geometry


class Reason(IntFlag):
    """Why a cell was passed on; several may hold."""

    SCORE = 1
    LINKED = 2
    BLURRED = 4
    OVEREXPOSED = 8
    UNDEREXPOSED = 16
    UNFAMILIAR = 32
    FOLLOWED = 64

    @property
    def words(self) -> str:
        """For a report."""
        return WORDS[self]


OUTSIDE = np.uint8(1 << len(Reason))  # a cell of which nothing was photographed: neither passed on nor dropped
WORDS = {
    Reason.SCORE: "score at or above the threshold",
    Reason.LINKED: "nearly as suspicious, and linked to such a cell",
    Reason.BLURRED: "too blurred to judge",
    Reason.OVEREXPOSED: "over-exposed",
    Reason.UNDEREXPOSED: "under-exposed",
    Reason.UNFAMILIAR: "unlike the training pictures",
    Reason.FOLLOWED: "a crack that was found goes on there",
}


def reasons(scores_HW: np.ndarray, threshold: float, quality: Quality, row0: int, geometry: Geometry) -> np.ndarray:
    """uint8 [Hc, Wc], bits of Reason or OUTSIDE, for the cells of rows of blocks from row0 on. Cells at the upper and lower end are
    covered by blocks that are not there, and so are cells that they may be linked to: the caller cuts off LINKS cells more."""
    sizes = geometry.block_px, geometry.stride_px
    fused_HW = fused(scores_HW, *sizes)
    hit = fused_HW >= threshold
    out = np.where(hit, Reason.SCORE, 0).astype(np.uint8)
    out[(linked(fused_HW) >= threshold) & ~hit] = Reason.LINKED
    unjudged = quality.blocks(row0, row0 + len(scores_HW))
    for found, reason in (
        (unjudged.blurred, Reason.BLURRED),
        (unjudged.overexposed, Reason.OVEREXPOSED),
        (unjudged.underexposed, Reason.UNDEREXPOSED),
        (unjudged.unfamiliar, Reason.UNFAMILIAR),
    ):
        if found.any():
            out[largest(found, *sizes)] |= np.uint8(reason)
    out[quality.outside(row0, row0 + len(scores_HW))] = OUTSIDE
    return out


def passed_on(reasons_HW: np.ndarray) -> np.ndarray:
    """True where a cell was passed on."""
    return np.asarray((reasons_HW != 0) & (reasons_HW != OUTSIDE))


def rectangles(
    cells_HW: np.ndarray, cell_row0: int, cell: int, top: int, bottom: int, width: int
) -> list[tuple[int, int, int, int]]:
    """Runs of cells as rectangles of pixels, cut at rows top and bottom."""
    out = []
    for i, row in enumerate(cells_HW):
        y0, y1 = max(top, (cell_row0 + i) * cell), min(bottom, (cell_row0 + i + 1) * cell)
        if y0 < y1 and row.any():
            edge = np.diff(np.concatenate([[0], row.astype(np.int8), [0]]))
            runs = zip(np.flatnonzero(edge == 1).tolist(), np.flatnonzero(edge == -1).tolist(), strict=True)
            out += [(a * cell, y0, min(b * cell, width), y1) for a, b in runs]
    return out


def cell_px(geometry: Geometry) -> int:
    """Side of a cell in pixels."""
    return side_px(geometry.block_px, geometry.stride_px)
