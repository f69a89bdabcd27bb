"""mask.tif: 255 where a crack is, 128 where a joint is, 0 elsewhere; the place on the earth copied from the picture."""

from __future__ import annotations

import functools
from pathlib import Path

import imagecodecs
import numpy as np

from aoienet.report.kinds import CRACK, JOINT
from aoienet.report.pyramid import Rows, halve_max, write_pyramid
from aoienet.report.records import Scale
from aoienet.scan.sources import GeoReference

LEGEND = f"{CRACK}: crack, {JOINT}: joint, 0: neither"
LEVEL = 6  # of deflate


def write_mask(path: Path, kind_rows: Rows, height: int, width: int, geo: GeoReference | None, scale: Scale) -> None:
    """The mask as a tiled deflate TIFF with overviews (a pixel of an overview is set where any below it is).

    Args     kind_rows: (y0, y1) -> uint8 [y1-y0, W], CRACK, JOINT or 0; called top to bottom.
             scale: without a place, the pixel size is written as the resolution in pixels per centimetre.
    """
    resolution = None if geo is not None or scale.mm_per_px is None else (10 / scale.mm_per_px,) * 2
    write_pyramid(
        path,
        kind_rows,
        height,
        width,
        rgb=False,
        halve=halve_max,
        compression={"compression": "zlib"},
        encode=_deflate,
        tags=() if geo is None else geo.tags,
        resolution=resolution,
        description=LEGEND,
    )


def _deflate(tile: np.ndarray) -> bytes:
    return _compressed(tile) if tile.any() else _empty(tile.shape)


@functools.cache
def _empty(shape: tuple[int, ...]) -> bytes:
    """A tile without a crack: most tiles are, so it is compressed once."""
    return _compressed(np.zeros(shape, np.uint8))


def _compressed(tile: np.ndarray) -> bytes:
    return bytes(imagecodecs.zlib_encode(tile.tobytes(), level=LEVEL))
