"""Which blocks nobody could judge: over- or under-exposed, out of focus, or unlike what the network was trained on.

Every fourth row of a picture is looked at, in cells that blocks consist of (aoienet.sums), so the cost is a fraction of
a first stage.

Exposure   at least half of a block's pixels lie at the end of the scale: LIGHT or more, DARK or less.
Focus      D(k) is the mean squared difference of pixels k apart, along rows and columns. An edge that is blurred by a
           Gaussian of sigma s has D(1) / D(8) = 0.039, 0.024, 0.020, 0.018 for s = 1, 2, 3, 4 px (and 1/64 at most
           blurred); grain and noise raise it to 1. A block is out of focus where D(8) shows contrast and the ratio is
           below SOFT, that of s = 2 px. A block without any contrast has no focus to be judged and is not reported.
Unfamiliar statistics of the block and its surroundings lie beyond the limit of the model file (aoienet.familiar); a file
           without such statistics calls nothing unfamiliar.

What was never photographed (the empty border of a mosaic, where the file tells it: Source.absent) is no picture to be judged: a
block that has some of it is not, nor called unfamiliar where its surroundings have some.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aoienet.cells import side_px
from aoienet.familiar import Familiar
from aoienet.scan.tiles import Geometry, Grid
from aoienet.sums import Sum, cell_sums, over_windows

CLIPPED = 0.5  # share of a block from which on it is badly exposed
CONTRAST = 225.0  # D(8) from which on a block shows something: 15 grey levels
LEAST_ABSENT_PX = 64  # fewer pixels that were not photographed, as single black ones, do not hinder a judgement
SOFT = 0.0243  # D(1) / D(8) of an edge with sigma = 2 px


@dataclass(frozen=True)
class Unjudged:
    """Blocks that nobody could judge, bool [rows, columns] each."""

    overexposed: np.ndarray
    underexposed: np.ndarray
    blurred: np.ndarray
    unfamiliar: np.ndarray


class Quality:
    """Sums over cells of a picture; rows go in from top to bottom, beginning with row `top_px` of the picture, which lies
    at least familiar.around_px above the first rows of blocks that are asked for."""

    def __init__(self, grid: Grid, geometry: Geometry, top_px: int, familiar: Familiar | None = None) -> None:
        self.cell = side_px(geometry.block_px, geometry.stride_px)
        self._grid, self._familiar = grid, familiar
        self._step, self._span = geometry.stride_px // self.cell, geometry.block_px // self.cell
        self._margin = 0 if familiar is None else familiar.around_px // self.cell
        self._rows, self._columns = (-(-side // self.cell) for side in (grid.height, grid.width))
        self._first = -(-top_px // self.cell)  # first whole row of cells
        self._held = np.empty((0, 0), np.uint8)
        self._top = top_px
        self._sums: list[np.ndarray] = []
        self._absent_held = np.empty((0, grid.width), bool)
        self._absent: list[np.ndarray] = []  # pixels of each cell that were not photographed; empty: all were

    def add(self, rows: np.ndarray, absent: np.ndarray | None = None) -> None:
        """Take the next rows, uint8 [h, W] or [h, W, 3] (of colours, green is looked at), and where nothing was photographed, bool
        [h, W], always or never."""
        grey = rows if rows.ndim == 2 else rows[..., 1]
        held = np.concatenate([self._held, grey]) if len(self._held) else grey
        gone = None if absent is None else np.concatenate([self._absent_held, absent])
        while True:
            start = (self._first + len(self._sums)) * self.cell - self._top
            bottom = min(start + self.cell, self._grid.height - self._top)
            if start >= bottom or bottom > len(held):
                break
            self._sums.append(cell_sums(held[start:bottom], self.cell))
            if gone is not None:
                across = np.arange(0, self._grid.width, self.cell)
                self._absent.append(np.add.reduceat(gone[start:bottom].sum(axis=0), across))
        if gone is not None:
            self._absent_held = gone[max(0, start) :].copy()
        self._held, self._top = held[max(0, start) :].copy(), self._top + max(0, min(start, len(held)))

    def blocks(self, row0: int, row1: int) -> Unjudged:
        """Of the rows of blocks row0 ... row1 - 1; rows that went in reach familiar.around_px beyond them."""
        m, step, span = self._margin, self._step, self._span
        wanted = range(row0 * step - m, (row1 - 1) * step + span + m)
        if max(0, wanted[0]) < self._first:
            raise ValueError(
                f"rows of blocks from {row0} on need pixels from row {max(0, wanted[0]) * self.cell} on; "
                f"the first that went in is row {self._first * self.cell}."
            )
        cells = self._framed(self._sums, wanted, len(Sum))
        own = over_windows(cells[m : len(cells) - m, m : cells.shape[1] - m], step, span)
        pixels, pairs = np.maximum(own[..., Sum.PIXELS], 1), own[..., Sum.PAIRS_X] + own[..., Sum.PAIRS_Y]
        near, far = own[..., Sum.X1] + own[..., Sum.Y1], own[..., Sum.X8] + own[..., Sum.Y8]
        unfamiliar = np.zeros(pixels.shape, bool)
        if self._familiar is not None:
            unfamiliar = self._familiar.unlike(over_windows(cells, step, span + 2 * m))
        whole = np.ones(pixels.shape, bool)
        if self._absent:
            gone = self._framed(self._absent, wanted, 1)
            whole = over_windows(gone[m : len(gone) - m, m : gone.shape[1] - m], step, span)[..., 0] < LEAST_ABSENT_PX
            unfamiliar &= over_windows(gone, step, span + 2 * m)[..., 0] < LEAST_ABSENT_PX
        return Unjudged(
            overexposed=(own[..., Sum.LIGHT] >= CLIPPED * pixels) & whole,
            underexposed=(own[..., Sum.DARK] >= CLIPPED * pixels) & whole,
            blurred=(far >= CONTRAST * np.maximum(pairs, 1)) & (near < SOFT * far) & whole,
            unfamiliar=unfamiliar,
        )

    def outside(self, row0: int, row1: int) -> np.ndarray:
        """Bool, the cells of the rows of blocks row0 ... row1 - 1 of which not one pixel was photographed."""
        m, step, span = self._margin, self._step, self._span
        rows, columns = range(row0 * step, (row1 - 1) * step + span), range((self._grid.cols - 1) * step + span)
        if not self._absent:
            return np.zeros((len(rows), len(columns)), bool)
        heights, widths = (
            np.clip(side - np.array(at) * self.cell, 0, self.cell)
            for side, at in ((self._grid.height, rows), (self._grid.width, columns))
        )
        gone = self._framed(self._absent, rows, 1)[:, m : m + len(columns), 0]
        return (gone == np.outer(heights, widths)) & (gone > 0)

    def _framed(self, of_rows: list[np.ndarray], wanted: range, width: int) -> np.ndarray:
        """Rows of cells with a margin at both sides, [rows, columns, width]; 0 outside of the picture."""
        m = self._margin
        beyond = max(0, (self._grid.cols - 1) * self._step + self._span + m - self._columns)
        cells = np.zeros((len(wanted), m + self._columns + beyond, width))
        for at, row in enumerate(wanted):
            if 0 <= row < self._rows:
                cells[at, m : m + self._columns] = of_rows[row - self._first].reshape(self._columns, width)
        return cells

    def forget(self, row0: int) -> None:
        """Drop what only rows of blocks above row0 need."""
        first = row0 * self._step - self._margin
        gone = max(0, min(first - self._first, len(self._sums) - 1))
        self._sums, self._absent, self._first = self._sums[gone:], self._absent[gone:], self._first + gone
