"""overlay.tif: the picture with what was found drawn in, as a tiled TIFF with overviews for a deep-zoom viewer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aoienet.report import kinds
from aoienet.report.pyramid import Rows, halve_mean, shrink, shrink_any, write_pyramid
from aoienet.scan.sources import GeoReference, Source
from aoienet.scan.sources.geo import Tag, transform_tag

MAX_PX = 400_000_000  # a larger picture is made smaller by a whole number, so that time and disk stay bounded
CHUNK_ROWS = 64  # rows of the overlay made at once
COLORS = {kinds.JOINT: np.array([0, 175, 110], np.float32), kinds.CRACK: np.array([255, 0, 55], np.float32)}
TINT = 0.6  # share of color where a crack or joint is; the picture shines through
LEGEND = "cracks red, joints green, border of the area that the second stage looked at yellow"
EDGE = np.array([255, 190, 0], np.uint8)  # border of the area that the second stage looked at
EDGE_PX = 2
JPEG_LEVEL = 85


def write_slide(
    path: Path, source: Source, kind_rows: Rows, looked_HW: np.ndarray, cell_px: int, *, max_px: int = MAX_PX
) -> int:
    """Write the overlay, at the place of the picture, and give the factor by which it is smaller than the picture.

    Args     source: opened with 3 channels, read top to bottom. kind_rows: (y0, y1) -> uint8 [y1-y0, W], CRACK, JOINT or 0
             (kinds.py). looked_HW: bool, cells of cell_px pixels.
    """
    factor = _factor(source.height * source.width, max_px)
    height, width = -(-source.height // factor), -(-source.width // factor)

    def rows(y0: int, y1: int) -> np.ndarray:
        chunks = range(y0, y1, CHUNK_ROWS)
        return np.concatenate(
            [_chunk(source, kind_rows, looked_HW, cell_px, factor, y, min(y + CHUNK_ROWS, y1)) for y in chunks]
        )

    write_pyramid(
        path,
        rows,
        height,
        width,
        rgb=True,
        halve=halve_mean,
        compression={"compression": "jpeg", "compressionargs": {"level": JPEG_LEVEL}},
        tags=_place(source.geo, factor),
        description=LEGEND,
    )
    return factor


def _factor(pixels: int, max_px: int) -> int:
    factor = 1
    while -(-pixels // factor**2) > max_px:
        factor += 1
    return factor


def _chunk(
    source: Source, kind_rows: Rows, looked_HW: np.ndarray, cell_px: int, factor: int, y0: int, y1: int
) -> np.ndarray:
    """Rows y0 ... y1 - 1 of the overlay."""
    top, bottom = y0 * factor, min(y1 * factor, source.height)
    picture = source.read(top, bottom)
    kind = kind_rows(top, bottom)
    out = np.array(shrink(picture, factor))
    out[_edges(looked_HW, cell_px, factor, y0, y0 + len(out), out.shape[1])] = EDGE
    plain = out.copy() if kind.any() else out
    for value, color in COLORS.items():  # cracks last: where both fall into one pixel, the crack is seen
        mask = shrink_any(kind == value, factor)
        if mask.any():
            out[mask] = (plain[mask] * (1 - TINT) + color * TINT + 0.5).astype(np.uint8)
    return out


def _place(geo: GeoReference | None, factor: int) -> Sequence[Tag]:
    """The tags of the picture's place for a picture that is smaller by `factor`; without a place, pixels of the picture
    with y negated, where defects.geojson lies too."""
    if geo is not None:
        return geo.tags_of_smaller(factor)
    return () if factor == 1 else (transform_tag((factor, 0, 0, 0, -factor, 0)),)


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
