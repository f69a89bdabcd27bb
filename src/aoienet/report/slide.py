"""overlay.tif: the picture with what was found drawn in, as a tiled TIFF with overviews for a deep-zoom viewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aoienet.report.pyramid import Rows, halve_mean, shrink, shrink_any, write_pyramid
from aoienet.scan.sources import Source

MAX_PX = 400_000_000  # a larger picture is made smaller by a whole number, so that time and disk stay bounded
CHUNK_ROWS = 64  # rows of the overlay made at once
CRACK = np.array([255, 0, 55], np.float32)
TINT = 0.6  # share of color where a crack is; the picture shines through
EDGE = np.array([255, 190, 0], np.uint8)  # border of the area that the second stage looked at
EDGE_PX = 2
JPEG_LEVEL = 85


def write_slide(
    path: Path, source: Source, mask_rows: Rows, looked_HW: np.ndarray, cell_px: int, *, max_px: int = MAX_PX
) -> int:
    """Write the overlay and give the factor by which it is smaller than the picture.

    Args     source: opened with 3 channels, read top to bottom. mask_rows: (y0, y1) -> [y1-y0, W], not 0 where a
             crack is. looked_HW: bool, cells of cell_px pixels.
    """
    factor = _factor(source.height * source.width, max_px)
    height, width = -(-source.height // factor), -(-source.width // factor)

    def rows(y0: int, y1: int) -> np.ndarray:
        chunks = range(y0, y1, CHUNK_ROWS)
        return np.concatenate(
            [_chunk(source, mask_rows, looked_HW, cell_px, factor, y, min(y + CHUNK_ROWS, y1)) for y in chunks]
        )

    write_pyramid(
        path,
        rows,
        height,
        width,
        rgb=True,
        halve=halve_mean,
        compression={"compression": "jpeg", "compressionargs": {"level": JPEG_LEVEL}},
    )
    return factor


def _factor(pixels: int, max_px: int) -> int:
    factor = 1
    while -(-pixels // factor**2) > max_px:
        factor += 1
    return factor


def _chunk(
    source: Source, mask_rows: Rows, looked_HW: np.ndarray, cell_px: int, factor: int, y0: int, y1: int
) -> np.ndarray:
    """Rows y0 ... y1 - 1 of the overlay."""
    top, bottom = y0 * factor, min(y1 * factor, source.height)
    picture = source.read(top, bottom)
    mask = np.asarray(mask_rows(top, bottom)) != 0
    out = np.array(shrink(picture, factor))
    mask = shrink_any(mask, factor)
    out[_edges(looked_HW, cell_px, factor, y0, y0 + len(out), out.shape[1])] = EDGE
    if mask.any():
        out[mask] = (out[mask] * (1 - TINT) + CRACK * TINT + 0.5).astype(np.uint8)
    return out


def _edges(looked_HW: np.ndarray, cell_px: int, factor: int, y0: int, y1: int, width: int) -> np.ndarray:
    """True on the inner border, EDGE_PX wide, of the looked-at area, for rows y0 ... y1 - 1 of the overlay."""
    framed = np.pad(looked_HW, 1)
    ys = np.clip(np.arange(y0 - EDGE_PX, y1 + EDGE_PX) * factor // cell_px, -1, len(looked_HW)) + 1
    xs = np.clip(np.arange(-EDGE_PX, width + EDGE_PX) * factor // cell_px, -1, looked_HW.shape[1]) + 1
    if not framed[ys].any():
        return np.zeros((y1 - y0, width), bool)
    area = framed[ys][:, xs]
    n, m = EDGE_PX, 2 * EDGE_PX
    middle = area[n:-n, n:-n]
    return middle & ~(area[:-m, n:-n] & area[m:, n:-n] & area[n:-n, :-m] & area[n:-n, m:])
