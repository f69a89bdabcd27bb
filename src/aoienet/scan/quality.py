"""Which blocks are too badly photographed to be judged: over- or under-exposed, or out of focus.

Every fourth row of a picture is looked at, in cells that blocks consist of, so the cost is a fraction of a first stage.

Exposure   at least half of a block's pixels lie at the end of the scale: LIGHT or more, DARK or less.
Focus      D(k) is the mean squared difference of pixels k apart, along rows and columns. An edge that is blurred by a
           Gaussian of sigma s has D(1) / D(8) = 0.039, 0.024, 0.020, 0.018 for s = 1, 2, 3, 4 px (and 1/64 at most
           blurred); grain and noise raise it to 1. A block is out of focus where D(8) shows contrast and the ratio is
           below SOFT, that of s = 2 px. A block without any contrast has no focus to be judged and is not reported.
"""

from __future__ import annotations

import numpy as np

from aoienet.scan.tiles import Geometry, Grid

LIGHT, DARK = 250, 5  # grey levels
CLIPPED = 0.5  # share of a block from which on it is badly exposed
CONTRAST = 225.0  # D(8) from which on a block shows something: 15 grey levels
SOFT = 0.0243  # D(1) / D(8) of an edge with sigma = 2 px
EVERY, NEAR, FAR = 4, 1, 8
SUMS = 5  # pixels, light ones, dark ones, squared differences NEAR and FAR


class Quality:
    """Sums over cells of a picture; rows go in from top to bottom, beginning with row `top_px` of the picture."""

    def __init__(self, grid: Grid, geometry: Geometry, top_px: int) -> None:
        self.cell = int(np.gcd(geometry.block_px, geometry.stride_px))
        self._grid, self._geometry = grid, geometry
        self._first = -(-top_px // self.cell)  # first whole row of cells
        self._held = np.empty((0, 0), np.uint8)
        self._top = top_px
        self._sums: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> None:
        """Take the next rows, uint8 [h, W] or [h, W, 3] (of colours, green is looked at)."""
        grey = rows if rows.ndim == 2 else rows[..., 1]
        held = np.concatenate([self._held, grey]) if len(self._held) else grey
        while True:
            start = (self._first + len(self._sums)) * self.cell - self._top
            bottom = min(start + self.cell, self._grid.height - self._top)
            if start >= bottom or bottom > len(held):
                break
            self._sums.append(self._cells(held[start:bottom]))
        self._held, self._top = held[max(0, start) :].copy(), self._top + max(0, min(start, len(held)))

    def blocks(self, row0: int, row1: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Over-exposed, under-exposed, out of focus: bool [row1 - row0, columns] for rows of blocks that went in."""
        step, span = self._geometry.stride_px // self.cell, self._geometry.block_px // self.cell
        wanted = range(row0 * step, (row1 - 1) * step + span)
        last = self._first + len(self._sums) - 1  # rows of cells beyond the picture repeat the last one
        sums = np.stack([self._sums[min(i, last) - self._first] for i in wanted])
        across = (self._grid.cols - 1) * step + span
        sums = np.pad(sums, ((0, 0), (0, across - int(sums.shape[1])), (0, 0)))
        total = np.zeros((row1 - row0, self._grid.cols, SUMS))
        for dy in range(span):
            for dx in range(span):
                down, across = dy + (row1 - row0 - 1) * step + 1, dx + (self._grid.cols - 1) * step + 1
                total += sums[dy:down:step, dx:across:step]
        pixels, light, dark, near, far = np.moveaxis(total, 2, 0)
        pixels = np.maximum(pixels, 1)
        soft = (far >= CONTRAST * pixels) & (near < SOFT * far)
        return light >= CLIPPED * pixels, dark >= CLIPPED * pixels, soft

    def forget(self, row0: int) -> None:
        """Drop what only rows of blocks above row0 need."""
        first = row0 * self._geometry.stride_px // self.cell
        gone = max(0, min(first - self._first, len(self._sums) - 1))
        self._sums, self._first = self._sums[gone:], self._first + gone

    def _cells(self, rows: np.ndarray) -> np.ndarray:
        """Sums [columns of cells, SUMS] of one row of cells; differences within the cell alone."""
        width = rows.shape[1]
        some = rows[::EVERY]
        down = rows[: len(rows) - FAR : EVERY] if len(rows) > FAR else rows[:0]
        below = rows[NEAR : NEAR + len(rows) - FAR : EVERY] if len(down) else down
        far_below = rows[FAR::EVERY][: len(down)] if len(down) else down
        starts = np.arange(0, width, self.cell)

        def total(values: np.ndarray) -> np.ndarray:
            return np.add.reduceat(values.sum(axis=0, dtype=np.int64), starts)

        near_x, far_x = (
            _squares(some[:, :-FAR], some[:, NEAR : width - FAR + NEAR]),
            _squares(some[:, :-FAR], some[:, FAR:]),
        )
        missing = [(0, 0), (0, FAR)]
        near = np.pad(near_x, missing).sum(axis=0) + _squares(down, below).sum(axis=0)
        far = np.pad(far_x, missing).sum(axis=0) + _squares(down, far_below).sum(axis=0)
        count = np.diff(np.append(starts, width)) * len(some)
        ends = (total(some >= LIGHT), total(some <= DARK))
        # D(1) and D(8) are compared with each other and with the number of pairs, about two per pixel looked at
        pairs = 1 + len(down) / max(1, len(some))
        return np.stack(
            [count, *ends, np.add.reduceat(near, starts) / pairs, np.add.reduceat(far, starts) / pairs], axis=1
        )


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    away = a.astype(np.int16) - b
    return np.square(away.astype(np.int32))
