"""Which part of a picture is passed on to the second stage, and why.

Passed on is a cell (aoienet.cells) whose fused score reaches the threshold; every cell of a block that is too badly photographed, or
too unlike the training pictures, to be judged; and where a crack that the second stage found goes on (follow.py). Where no second stage
follows, the 8 neighbours of a cell that reaches the threshold are. Never a cell of which nothing was photographed.
"""

from __future__ import annotations

from enum import IntFlag

import numpy as np

from aoienet.cells import around, fused, largest, side_px
from aoienet.scan.quality import Quality
from aoienet.scan.tiles import Geometry


class Reason(IntFlag):
    """Why a cell was passed on; several may hold."""

    SCORE = 1
    NEIGHBOUR = 2
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
    Reason.NEIGHBOUR: "beside such a cell",
    Reason.BLURRED: "too blurred to judge",
    Reason.OVEREXPOSED: "over-exposed",
    Reason.UNDEREXPOSED: "under-exposed",
    Reason.UNFAMILIAR: "unlike the training pictures",
    Reason.FOLLOWED: "a crack that was found goes on there",
}


def reasons(
    scores_HW: np.ndarray, threshold: float, quality: Quality, row0: int, geometry: Geometry, rescue: bool
) -> np.ndarray:
    """uint8 [Hc, Wc], bits of Reason or OUTSIDE, for the cells of rows of blocks from row0 on. rescue: the neighbours too, as nothing
    follows. Cells at the upper and lower end are covered by blocks that are not there, and their neighbours too: the caller cuts them
    off."""
    sizes = geometry.block_px, geometry.stride_px
    hit = fused(scores_HW, *sizes) >= threshold
    out = np.where(hit, Reason.SCORE, 0).astype(np.uint8)
    if rescue:
        out[around(hit) & ~hit] |= np.uint8(Reason.NEIGHBOUR)
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


def cell_px(geometry: Geometry) -> int:
    """Side of a cell in pixels."""
    return side_px(geometry.block_px, geometry.stride_px)
