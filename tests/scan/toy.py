"""A model in NumPy with a known receptive field: darkness of a smoothed, downsampled picture, averaged over each block."""

from __future__ import annotations

import numpy as np

from aoienet.scan.runner import Decision
from aoienet.scan.tiles import Geometry

GEOMETRY = Geometry(block_px=32, stride_px=16, halo_px=16, total_stride=8)
DECISION = Decision(defect=1, temperature=2.0, threshold=-10.0)
REACH_PX = 9  # how far the smoothing sees; zeros outside of what it is handed


def run(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W] or [H, W, 3] -> float32 [Hb, Wb, 2]; sees REACH_PX beyond a block, less than the halo."""
    dark = (255 - (image if image.ndim == 2 else image[..., 0])).astype(np.int64)
    padded = np.pad(dark, REACH_PX)
    for axis in (0, 1):
        size = dark.shape[axis]
        parts = [np.take(padded, range(k, k + size), axis) for k in range(0, 2 * REACH_PX + 1, 3)]
        padded = sum(parts)
    smooth = padded
    cells = smooth.reshape(smooth.shape[0] // 8, 8, smooth.shape[1] // 8, 8).max(axis=(1, 3))
    rows, cols = (cells.shape[0] - 4) // 2 + 1, (cells.shape[1] - 4) // 2 + 1
    out = np.zeros((rows, cols, 2), np.float32)
    for i in range(rows):
        for j in range(cols):
            out[i, j, 1] = np.float32(cells[2 * i : 2 * i + 4, 2 * j : 2 * j + 4].sum() * 1e-3)
    return out
