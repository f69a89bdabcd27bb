"""Cells: the squares that overlapping blocks consist of (side: the greatest common divisor of block and step).

The score of a cell is fused in log-odds: the mean over the blocks that cover it. A crack in a cell is seen by all of them, a mark that
only one of them takes for a crack is outvoted.

Two thresholds pass a cell on (hysteresis, as in Canny 1986): its score reaches the one, or it is linked to a cell whose score does by
cells that reach the other, WEAKER below. A tip and a faint stretch are weak but have a sure cell nearby; what is weak by itself is
mostly no crack. `linked(fused(...))` is the upper threshold up to which a cell is passed on.
"""

from __future__ import annotations

from math import gcd

import numpy as np

LINKS = 2  # steps from a cell that is passed on by its own score, each to one of 8 neighbours
WEAKER = 2.5  # log-odds


def side_px(block_px: int, stride_px: int) -> int:
    """Side of a cell."""
    return gcd(block_px, stride_px)


def fused(scores_HW: np.ndarray, block_px: int, stride_px: int) -> np.ndarray:
    """Mean log-odds of the blocks that cover a cell, float64 [Hc, Wc].

    Example: fused([[0., 4.]], 64, 32) -> [[0, 2, 4], [0, 2, 4]]
    """
    values = (scores_HW, np.ones(scores_HW.shape))
    total, count = (_over_cells(v, block_px, stride_px, np.add, 0.0) for v in values)
    return total / count


def largest(values_HW: np.ndarray, block_px: int, stride_px: int) -> np.ndarray:
    """The largest value of the blocks that cover a cell: bool or float32 [H, W] -> [Hc, Wc]."""
    return _over_cells(values_HW, block_px, stride_px, np.maximum, _least(values_HW))


def linked(fused_HW: np.ndarray) -> np.ndarray:
    """The threshold up to which a cell is passed on, as fused_HW.

    Example: linked(np.array([[4.0, 2.0, 1.0, 0.0]])) -> [[4, 4, 3.5, 1]]
    """
    out = fused_HW
    for _ in range(LINKS):
        out = np.maximum(out, np.minimum(_around(out), fused_HW + WEAKER))
    return out


def _around(values_HW: np.ndarray) -> np.ndarray:
    """The largest value of a cell and its 8 neighbours."""
    framed = np.pad(values_HW, 1, constant_values=-np.inf)
    tall = np.maximum(np.maximum(framed[:-2], framed[1:-1]), framed[2:])
    return np.maximum(np.maximum(tall[:, :-2], tall[:, 1:-1]), tall[:, 2:])


def _least(values: np.ndarray) -> float | bool:
    return False if values.dtype == bool else -np.inf


def _over_cells(
    values_HW: np.ndarray, block_px: int, stride_px: int, join: np.ufunc, start: float | bool
) -> np.ndarray:
    cell = side_px(block_px, stride_px)
    step, span = stride_px // cell, block_px // cell
    rows, cols = ((n - 1) * step + span for n in values_HW.shape)
    out = np.full((rows, cols), start, bool if values_HW.dtype == bool else np.float64)
    for dy in range(span):
        for dx in range(span):
            place = np.s_[dy : dy + rows - span + 1 : step, dx : dx + cols - span + 1 : step]
            join(out[place], values_HW, out=out[place])
    return out
