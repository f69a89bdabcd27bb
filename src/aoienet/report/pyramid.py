"""A tiled, compressed TIFF with overviews, written band by band: memory of a few rows of tiles, whatever its size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np

from aoienet.files import atomic

TILE_PX = 512
SMALLEST_PX = 512  # no further overview below this side
CLASSIC_BYTES = 2 << 30  # raw size from which on the file is a BigTIFF
Rows = Callable[[int, int], np.ndarray]
Halve = Callable[[np.ndarray], np.ndarray]


def write_pyramid(
    path: Path,
    rows: Rows,
    height: int,
    width: int,
    *,
    rgb: bool,
    halve: Halve,
    compression: dict[str, Any],
    encode: Callable[[np.ndarray], bytes] | None = None,
    tags: Sequence[tuple[int, str, int, Any]] = (),
    resolution: tuple[float, float] | None = None,
    description: str,
) -> None:
    """Write a picture that exists as bands of rows; overviews are pages of half the size each, as in a cloud-optimised
    GeoTIFF.

    Args     rows: called once per row of tiles, top to bottom: (y0, y1) -> uint8 [y1-y0, W] or [y1-y0, W, 3].
             halve: [2h, 2w, ...] -> [h, w, ...]. compression: options of tifffile. encode: makes the bytes of a
             tile where tifffile shall not do it. tags: extra ones of the full picture. resolution: px per cm.
             description: what the values mean.
    """
    import tifffile

    bands: Iterable[np.ndarray] = (rows(y, min(y + TILE_PX, height)) for y in range(0, height, TILE_PX))
    with (
        atomic(path) as temporary,
        tempfile.TemporaryFile(dir=path.parent) as even,
        tempfile.TemporaryFile(dir=path.parent) as odd,
        tifffile.TiffWriter(temporary, bigtiff=height * width * (3 if rgb else 1) >= CLASSIC_BYTES) as out,
    ):
        for level, spool in zip(range(64), _alternate(even, odd), strict=False):
            last = max(height, width) <= SMALLEST_PX
            next_level = None if last else _Spool(spool)
            tiles: Iterator[Any] = _tiles(bands, width, halve, next_level)
            out.write(
                tiles if encode is None else map(encode, tiles),
                shape=(height, width, 3) if rgb else (height, width),
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                photometric="rgb" if rgb else "minisblack",
                subfiletype=1 if level else 0,
                extratags=[(code, kind, count, value, True) for code, kind, count, value in tags] if not level else [],
                resolution=None if resolution is None or level else resolution,
                resolutionunit=None if resolution is None or level else "CENTIMETER",
                metadata=None,
                description=None if level else description,
                software=False,
                maxworkers=1,
                **compression,
            )
            if next_level is None:
                break
            height, width = -(-height // 2), -(-width // 2)
            bands = next_level.bands()


def halve_mean(pixels: np.ndarray) -> np.ndarray:
    """Mean of 2 x 2 pixels, rounded."""
    sums = pixels[::2].astype(np.uint16) + pixels[1::2]
    return ((sums[:, ::2] + sums[:, 1::2] + 2) >> 2).astype(np.uint8)


def halve_max(pixels: np.ndarray) -> np.ndarray:
    """Largest of 2 x 2 pixels: a thin crack stays visible."""
    high = np.maximum(pixels[::2], pixels[1::2])
    return np.maximum(high[:, ::2], high[:, 1::2])


def shrink(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Mean of factor x factor pixels, rounded; the last row and column may stand for fewer. uint8 in and out."""
    if factor == 1:
        return pixels
    whole = _whole_blocks(pixels, factor)
    rows = whole[::factor].astype(np.uint16 if factor <= 257 else np.uint32)  # 257 x 255 fits into 16 bits
    for i in range(1, factor):
        rows += whole[i::factor]
    sums = rows[:, ::factor].astype(np.uint32)
    for j in range(1, factor):
        sums += rows[:, j::factor]
    sums += factor**2 // 2
    sums //= factor**2
    return sums.astype(np.uint8)


def shrink_any(mask: np.ndarray, factor: int) -> np.ndarray:
    """bool [H, W] -> [h, w]: any of factor x factor pixels, so that a crack does not vanish."""
    if factor == 1:
        return mask
    if not mask.any():
        return np.zeros((-(-mask.shape[0] // factor), -(-mask.shape[1] // factor)), bool)
    whole = _whole_blocks(mask, factor)
    rows = whole[::factor].copy()
    for i in range(1, factor):
        rows |= whole[i::factor]
    out = rows[:, ::factor].copy()
    for j in range(1, factor):
        out |= rows[:, j::factor]
    return out


def _whole_blocks(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Edges repeated up to the next multiple of factor."""
    pads = [(0, -pixels.shape[0] % factor), (0, -pixels.shape[1] % factor), (0, 0)][: pixels.ndim]
    return np.pad(pixels, pads, mode="edge") if any(p[1] for p in pads) else pixels


def _tiles(bands: Iterable[np.ndarray], width: int, halve: Halve, spool: _Spool | None) -> Iterator[np.ndarray]:
    for band in bands:
        if spool is not None:
            odd = [(0, band.shape[0] % 2), (0, width % 2), (0, 0)][: band.ndim]
            spool.add(halve(np.pad(band, odd, mode="edge") if any(o[1] for o in odd) else band))
        for x in range(0, width, TILE_PX):
            tile = band[:, x : x + TILE_PX]
            short = [(0, TILE_PX - tile.shape[0]), (0, TILE_PX - tile.shape[1]), (0, 0)][: tile.ndim]
            yield np.pad(tile, short) if any(s[1] for s in short) else np.ascontiguousarray(tile)


class _Spool:
    """Bands of the next level on disk, lightly compressed; read back as bands of TILE_PX rows."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sizes: list[tuple[int, tuple[int, ...]]] = []
        file.seek(0)
        file.truncate()

    def add(self, band: np.ndarray) -> None:
        data = imagecodecs.zstd_encode(np.ascontiguousarray(band).tobytes(), level=1)
        self._file.write(data)
        self._sizes.append((len(data), band.shape))

    def bands(self) -> Iterator[np.ndarray]:
        self._file.seek(0)
        held: list[np.ndarray] = []
        for size, shape in self._sizes:
            data = imagecodecs.zstd_decode(self._file.read(size))
            held.append(np.frombuffer(data, np.uint8).reshape(shape))
            if sum(len(h) for h in held) == TILE_PX:
                yield np.concatenate(held)
                held = []
        if held:
            yield np.concatenate(held)


def _alternate(even: BinaryIO, odd: BinaryIO) -> Iterator[BinaryIO]:
    while True:
        yield even
        yield odd
