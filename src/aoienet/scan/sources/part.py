"""A part of another picture, as a picture."""

from __future__ import annotations

import numpy as np

from aoienet.scan.sources.base import Source

Box = tuple[int, int, int, int]  # y0, y1, x0, x1


class Part(Source):
    """Rows y0 ... y1 - 1 and columns x0 ... x1 - 1 of `whole`, which it reads and does not close."""

    def __init__(self, whole: Source, box: Box) -> None:
        self._whole, (self._y0, y1, self._x0, x1) = whole, box
        self.path, self.format, self.channels, self.stored = whole.path, whole.format, whole.channels, whole.stored
        self.notes, self.warnings, self.white_level = whole.notes, whole.warnings, whole.white_level
        self.height, self.width = y1 - self._y0, x1 - self._x0
        self.outside, self.outside_exact = whole.outside, whole.outside_exact

    def read(self, y0: int, y1: int) -> np.ndarray:
        return self._whole.window(self._y0 + y0, self._y0 + y1, self._x0, self._x0 + self.width)

    def absent(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> np.ndarray | None:
        last = self.width if x1 is None else x1
        return self._whole.absent(self._y0 + y0, self._y0 + y1, self._x0 + x0, self._x0 + last)
