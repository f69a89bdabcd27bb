"""A binary segmentation network in an .aoie file, run by the packed runtime.

Its blocks are single positions of the last map (block_px = block_stride_px = total_stride = s), and its s * s classes are the log-odds
of crack of the s x s pixels of a block, row by row. So an .aoie file needs no word that docs/format.md does not have.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from aoienet.engine import Model
from aoienet.segment import SegmentError, check_sides

# A pixel inside of a window against one that is seen: `binary`, timed with windows of 32 to 1024 px (4.6 to 5.4).
INSIDE_COST = 5


class AoieSegmenter:
    """A Segmenter out of an .aoie file. Raises SegmentError where the file is no segmentation network."""

    side_px, inside_cost = 0, INSIDE_COST

    def __init__(self, path: str | Path):
        try:
            self._model = Model.open(path)
        except (ValueError, OSError) as error:
            raise SegmentError(str(error)) from None
        scan = self._model.scan or {}
        stride = int(scan.get("total_stride", 0))
        blocks = (scan.get("block_px"), scan.get("block_stride_px"), len(self._model.classes))
        if not scan or blocks != (stride, stride, stride * stride):
            raise SegmentError(
                f"{path}: a segmentation network has blocks of one position, each with a class for every of its pixels "
                f"(block_px = block_stride_px = total_stride = s, s * s classes); received block_px, block_stride_px, classes "
                f"{blocks} at total_stride {stride or None}: it classifies, use it as the first stage"
            )
        self.name, self.sha256 = self._model.name, self._model.sha256
        self.channels = int(self._model.header["input"]["channels"])
        self.align_px, self.halo_px, self._stride = int(scan.get("align_px", stride)), int(scan["halo_px"]), stride
        self._temperature = float(scan["temperature"])
        self.threshold = 1 / (1 + math.exp(-float(scan["threshold"])))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 [H, W] or [H, W, 3] -> float32 [H - 2 halo_px, W - 2 halo_px]."""
        if image.dtype != np.uint8 or image.shape[2:] != ((3,) if self.channels == 3 else ()) or 0 in image.shape:
            wanted = "[H, W]" if self.channels == 1 else f"[H, W, {self.channels}]"
            raise SegmentError(f"{self.name} takes uint8 {wanted}; received {image.shape} {image.dtype}")
        check_sides(self, image)
        edge, s = self.halo_px // self._stride, self._stride
        rows, columns = (side // s - 2 * edge for side in image.shape[:2])
        odds = self._model.run_part(image, edge, edge, rows, columns)
        pixels = odds.reshape(rows, columns, s, s).transpose(0, 2, 1, 3).reshape(rows * s, columns * s)
        with np.errstate(over="ignore"):
            return (1 / (1 + np.exp(-pixels / self._temperature))).astype(np.float32)
