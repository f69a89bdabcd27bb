"""Cells: the squares that overlapping blocks consist of (side: the greatest common divisor of block and step).

The score of a cell is fused in log-odds: the mean over the blocks that cover it. A crack in a cell is seen by all of them, a mark that
only one of them takes for a crack is outvoted. The tip of a crack may only graze a cell, so one counts as passed on when it or one of
its 8 neighbours reaches the threshold: `around(fused(...))` is the threshold up to which it does. A first stage alone passes all of
these on; with a second stage the crack is followed into the neighbours (aoienet.scan.follow).
"""

from __future__ import annotations

from math import gcd

import numpy as np


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


def around(values_HW: np.ndarray) -> np.ndarray:
    """The largest value of a cell and its 8 neighbours; of bool: whether one of them is.

    Example: around(np.array([[True, False, False]])).tolist() == [[True, True, False]]
    """
    framed = np.pad(values_HW, 1, constant_values=_least(values_HW))
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
