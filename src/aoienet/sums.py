"""What blocks look like: sums over cells, the squares that overlapping blocks consist of, of every fourth row.

All sums are integers held exactly in floating point, so they do not depend on the order of adding: a block has the same
sums wherever a picture is cut. D(k) is the mean squared difference of pixels k apart, along rows (x) or columns (y).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from aoienet.cells import side_px

LIGHT, DARK = 250, 5  # grey levels from which on a pixel lies at the end of the scale
EVERY = 4  # rows
DISTANCES = (1, 4, 8)  # k of D(k); all are taken over the same pairs' first pixels
FAR = DISTANCES[-1]
EXACT = 1 << 24  # integers up to here are exact in float32


class Sum(IntEnum):
    """Columns of the sums. X1 ... Y8: squared differences; PAIRS: how many of them, the same for every distance."""

    PIXELS, LIGHT, DARK, LEVEL, SQUARE, PAIRS_X, PAIRS_Y, X1, X4, X8, Y1, Y4, Y8 = range(13)


def cell_sums(rows: np.ndarray, cell_px: int) -> np.ndarray:
    """uint8 [h, W] with h <= cell_px -> float64 [columns of cells, len(Sum)] of one row of cells. Pairs along x may reach
    into the next cell, pairs along y stay within the rows."""
    width = rows.shape[1]
    some = rows[::EVERY]
    kind = np.float32 if len(some) * cell_px * 255**2 < EXACT else np.float64
    a = some.astype(kind)
    cells = -(-width // cell_px)
    whole = np.zeros((len(Sum), cells * cell_px), kind)
    out = whole[:, :width]
    out[Sum.LIGHT] = (some >= LIGHT).sum(axis=0, dtype=np.uint16)
    out[Sum.DARK] = (some <= DARK).sum(axis=0, dtype=np.uint16)
    out[Sum.PIXELS] = len(some)
    out[Sum.LEVEL] = a.sum(axis=0)
    square = _products(a, a)
    out[Sum.SQUARE] = square
    inner = max(0, width - FAR)  # columns with a partner at every distance
    out[Sum.PAIRS_X, :inner] = len(some)
    for k, column in zip(DISTANCES, (Sum.X1, Sum.X4, Sum.X8), strict=True):
        last = inner + k
        out[column, :inner] = square[:inner] + square[k:last] - 2 * _products(a[:, :inner], a[:, k:last])
    upper = a[: -(-max(0, len(rows) - FAR) // EVERY)]  # rows with a partner at every distance
    out[Sum.PAIRS_Y] = len(upper)
    for k, column in zip(DISTANCES, (Sum.Y1, Sum.Y4, Sum.Y8), strict=True):
        lower = a[k // EVERY :] if k % EVERY == 0 else rows[k::EVERY].astype(kind)
        away = upper - lower[: len(upper)]
        out[column] = _products(away, away)
    return np.einsum("ijk->ji", whole.reshape(len(Sum), cells, cell_px)).astype(np.float64)


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum over rows of a * b."""
    return np.asarray(np.einsum("ij,ij->j", a, b))


def over_windows(sums_HWS: np.ndarray, step: int, span: int) -> np.ndarray:
    """Sums of windows of span x span cells, one every `step` cells."""
    return _along(_along(sums_HWS, 0, step, span), 1, step, span)


def _along(sums: np.ndarray, axis: int, step: int, span: int) -> np.ndarray:
    """Sums of `span` neighbours along an axis, one every `step`, as differences of sums from the beginning."""
    first = np.zeros_like(sums, shape=tuple(1 if k == axis else n for k, n in enumerate(sums.shape)))
    so_far = np.moveaxis(np.concatenate([first, np.cumsum(sums, axis=axis)], axis=axis), axis, 0)
    return np.moveaxis(so_far[span::step] - so_far[:-span:step], 0, axis)


def of_picture(image_HW: np.ndarray, block_px: int, stride_px: int, around_px: int) -> np.ndarray:
    """Sums [Hb, Wb, len(Sum)] of every whole block of a picture and what lies within around_px of it."""
    cell = side_px(block_px, stride_px)
    step, span, margin = stride_px // cell, block_px // cell, around_px // cell
    cells = np.stack([cell_sums(image_HW[y : y + cell], cell) for y in range(0, len(image_HW), cell)])
    framed = np.pad(cells, ((margin, margin), (margin, margin), (0, 0)))
    rows, cols = (((n - block_px) // stride_px * step) + span + 2 * margin for n in image_HW.shape)
    return over_windows(framed[:rows, :cols], step, span + 2 * margin)
