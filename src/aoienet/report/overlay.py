"""A heat map over the picture: color only where a score is near the threshold or above, what was passed on outlined."""

from __future__ import annotations

import numpy as np

from aoienet.scan.keep import cell_px, passed_on
from aoienet.scan.runner import ScanResult

NEAR = 2.0  # log-odds below the threshold at which color begins
FAR = 4.0  # log-odds above the threshold at which color is full
STRENGTH = 0.55  # largest share of color in a pixel
RAMP = np.array([[255, 225, 90], [255, 150, 30], [235, 45, 35], [190, 0, 70]], np.float32)  # low to high
OUTLINE = np.array([255, 70, 40], np.uint8)


def render(result: ScanResult, *, rows_at_once: int = 256) -> np.ndarray:
    """The small picture with the heat map: uint8 [h, w, 3], made in strips of rows to stay small in memory."""
    thumb = result.thumb if result.thumb.ndim == 3 else np.repeat(result.thumb[..., None], 3, axis=2)
    out = np.array(thumb)
    heat = np.clip((result.scores_HW - result.decision.threshold + NEAR) / (NEAR + FAR), 0.0, 1.0)
    x_low, x_high, x_share = _taps(out.shape[1], result, heat.shape[1])
    for top in range(0, len(out), rows_at_once):
        y_low, y_high, y_share = (t[top : top + rows_at_once] for t in _taps(len(out), result, heat.shape[0]))
        rows = heat[y_low] * (1 - y_share[:, None]) + heat[y_high] * y_share[:, None]
        level = rows[:, x_low] * (1 - x_share) + rows[:, x_high] * x_share
        _paint(out[top : top + rows_at_once], level.astype(np.float32))
    _outline(out, result)
    return out


def _taps(size: int, result: ScanResult, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear interpolation between block centres, for each pixel of the small picture."""
    centre = (np.arange(size) + 0.5) * result.factor
    place = np.clip((centre - result.geometry.block_px / 2) / result.geometry.stride_px, 0, count - 1)
    low = np.floor(place).astype(np.int64)
    return low, np.minimum(low + 1, count - 1), (place - low).astype(np.float32)


def _paint(pixels: np.ndarray, level: np.ndarray) -> None:
    hot = level > 0.01
    if not hot.any():
        return
    values = level[hot]
    place = values * (len(RAMP) - 1)
    low = np.minimum(place.astype(np.int64), len(RAMP) - 2)
    color = RAMP[low] + (RAMP[low + 1] - RAMP[low]) * (place - low)[:, None]
    share = (STRENGTH * np.minimum(1.0, values * 2.0))[:, None]
    pixels[hot] = (pixels[hot] * (1 - share) + color * share + 0.5).astype(np.uint8)


def _outline(pixels: np.ndarray, result: ScanResult) -> None:
    """Border of the area that was passed on, one or two pixels wide."""
    cells, cell = passed_on(result.reasons_HW), cell_px(result.geometry)
    ys = np.minimum(((np.arange(pixels.shape[0]) * result.factor) // cell), cells.shape[0] - 1)
    xs = np.minimum(((np.arange(pixels.shape[1]) * result.factor) // cell), cells.shape[1] - 1)
    area = cells[ys[:, None], xs[None, :]]
    inner = area.copy()
    width = 2 if max(pixels.shape[:2]) > 1500 else 1
    for _ in range(width):
        shrunk = inner.copy()
        shrunk[1:] &= inner[:-1]
        shrunk[:-1] &= inner[1:]
        shrunk[:, 1:] &= inner[:, :-1]
        shrunk[:, :-1] &= inner[:, 1:]
        shrunk[0], shrunk[-1], shrunk[:, 0], shrunk[:, -1] = False, False, False, False
        inner = shrunk
    pixels[area & ~inner] = OUTLINE
