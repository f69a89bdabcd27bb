"""Which part of a picture is passed on to the second stage, and why.

Cell    the squares that overlapping blocks consist of (side: the greatest common divisor of block and step). Its score
        is fused in log-odds: the mean over the blocks that cover it. A crack in a cell is seen by all of them, a mark
        that only one of them takes for a crack is outvoted.
Passed  on is a cell whose score reaches the threshold; its 8 neighbours (the tip of a crack may only graze a cell);
        and every cell of a block that is too badly photographed to be judged.
"""

from __future__ import annotations

from enum import IntFlag

import numpy as np

from aoienet.scan.quality import Quality
from aoienet.scan.tiles import Geometry


class Reason(IntFlag):
    """Why a cell was passed on; several may hold."""

    SCORE = 1
    NEIGHBOUR = 2
    BLURRED = 4
    OVEREXPOSED = 8
    UNDEREXPOSED = 16

    @property
    def words(self) -> str:
        """For a report."""
        return WORDS[self]


WORDS = {
    Reason.SCORE: "score at or above the threshold",
    Reason.NEIGHBOUR: "beside such a cell",
    Reason.BLURRED: "too blurred to judge",
    Reason.OVEREXPOSED: "over-exposed",
    Reason.UNDEREXPOSED: "under-exposed",
}


def reasons(scores_HW: np.ndarray, threshold: float, quality: Quality, row0: int, geometry: Geometry) -> np.ndarray:
    """uint8 [Hc, Wc], bits of Reason, for the cells of rows of blocks from row0 on. Cells at the upper and lower end are
    covered by blocks that are not there, and their neighbours too: the caller cuts them off."""
    hit = fused(scores_HW, geometry) >= threshold
    out = np.where(hit, Reason.SCORE, 0).astype(np.uint8)
    out[around(hit) & ~hit] |= np.uint8(Reason.NEIGHBOUR)
    light, dark, soft = quality.blocks(row0, row0 + len(scores_HW))
    for found, reason in ((soft, Reason.BLURRED), (light, Reason.OVEREXPOSED), (dark, Reason.UNDEREXPOSED)):
        if found.any():
            out[largest(found, geometry)] |= np.uint8(reason)
    return out


def fused(scores_HW: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Mean log-odds of the blocks that cover a cell, float64 [Hc, Wc].

    Example: blocks of 64 px every 32 px: fused([[0., 4.]]) -> [[0, 2, 4], [0, 2, 4]]
    """
    total, count = (_over_cells(v, geometry, np.add, 0.0) for v in (scores_HW, np.ones(scores_HW.shape)))
    return total / count


def largest(values_HW: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The largest value of the blocks that cover a cell: bool or float32 [H, W] -> [Hc, Wc]."""
    return _over_cells(values_HW, geometry, np.maximum, False if values_HW.dtype == bool else -np.inf)


def _over_cells(values_HW: np.ndarray, geometry: Geometry, join: np.ufunc, start: float) -> np.ndarray:
    cell = cell_px(geometry)
    step, span = geometry.stride_px // cell, geometry.block_px // cell
    rows, cols = ((n - 1) * step + span for n in values_HW.shape)
    out = np.full((rows, cols), start, bool if values_HW.dtype == bool else np.float64)
    for dy in range(span):
        for dx in range(span):
            place = np.s_[dy : dy + rows - span + 1 : step, dx : dx + cols - span + 1 : step]
            join(out[place], values_HW, out=out[place])
    return out


def around(hit: np.ndarray) -> np.ndarray:
    """True where a cell or one of its 8 neighbours is.

    Example: around(np.array([[True, False, False]])).tolist() == [[True, True, False]]
    """
    framed = np.pad(hit, 1)
    tall = framed[:-2] | framed[1:-1] | framed[2:]
    return tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]


def cell_px(geometry: Geometry) -> int:
    """Side of a cell in pixels."""
    return int(np.gcd(geometry.block_px, geometry.stride_px))
