"""Drawn cracks and a joint, measured by the measure room, for the tests of the writers."""

import functools

import numpy as np

from aoienet.measure import measure_picture
from aoienet.scan.runner import Decision, ScanResult
from aoienet.scan.tiles import Geometry, block_grid

HEIGHT, WIDTH = 420, 640
G = Geometry(64, 32, 64, 8)


@functools.cache
def surface():
    """Grey picture, mask and what was measured: a joint, a wavy crack, a short one."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    mask = (np.abs(y - (90 + 25 * np.sin(x / 40))) < 3) & (x > 40) & (x < 500)
    mask |= (np.abs(x - 560 - 0.2 * (y - 200)) < 2) & (y > 60) & (y < 390)
    mask |= (np.abs(y - 0.5 * x - 150) < 4) & (x > 100) & (x < 190)
    grey = np.where(mask, 60, 165 + 10 * np.sin(x / 7) * np.cos(y / 9)).astype(np.uint8)
    return grey, mask, measure_picture(mask, grey)


def scanned(height=HEIGHT, width=WIDTH, mask=None, factor=1):
    """A first stage that keeps the blocks with a crack in them, and the cells that it passes on."""
    grid = block_grid(height, width, G)
    scores = np.full((grid.rows, grid.cols), -6.0, np.float32)
    for i in range(grid.rows):
        for j in range(grid.cols):
            if mask is not None and mask[i * 32 : i * 32 + 64, j * 32 : j * 32 + 64].any():
                scores[i, j] = 3.0
    thumb = np.full((-(-height // factor), -(-width // factor)), 150, np.uint8)
    cells = np.zeros((-(-height // 32), -(-width // 32)), bool)
    kept = scores >= 0.5
    for dy in range(2):
        for dx in range(2):
            part = cells[dy : dy + kept.shape[0], dx : dx + kept.shape[1]]
            part |= kept[: part.shape[0], : part.shape[1]]
    best = np.zeros(scores.shape, np.uint16)
    return ScanResult(grid, G, Decision(1, 1.0, 0.5), scores, best, cells.astype(np.uint8), thumb, factor), cells
