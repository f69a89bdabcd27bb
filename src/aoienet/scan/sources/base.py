"""What every picture reader shares: the interface, the error, grey and 8 bit by fixed integer rules."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aoienet.scan.sources.geo import GeoReference

AUTO, NONE = "auto", "none"  # where nothing was photographed: as the file tells, or nowhere
MAX_WHOLE_PX = 400_000_000  # pixels decoded in one piece; RGB of this size is 1.2 GB
ADVICE_TILED = (
    "convert it to a tiled TIFF, which is read in bands "
    "(for example: vips tiffsave IN OUT.tif --tile --compression deflate)"
)
ADVICE_SAMPLES = "next: save it with samples of 8 or 16 bits"

SAMPLES, SAMPLE_BYTES = 16, 64 << 10  # of a file: places, and bytes at each, that tell it from others

Decoded = tuple[np.ndarray, np.ndarray | None]  # pixels as handed out; bool, True where nothing was photographed


class SourceError(ValueError):
    """A picture that cannot be read; the message says which rule failed and what to do."""


def grey_of_rgb(rgb_HWC: np.ndarray) -> np.ndarray:
    """Grey of RGB by the integer formula of docs/format.md: (19595 R + 38470 G + 7471 B + 32768) >> 16.

    Shapes   rgb_HWC uint8 [H, W, 3] -> uint8 [H, W]
    Example: grey_of_rgb(np.full((1, 1, 3), 255, np.uint8))[0, 0] == 255
    """
    acc = rgb_HWC[..., 0].astype(np.uint32)
    acc *= 19595
    acc += rgb_HWC[..., 1] * np.uint32(38470)
    acc += rgb_HWC[..., 2] * np.uint32(7471)
    acc += 32768
    acc >>= 16
    return acc.astype(np.uint8)


def level_table(white_level: int, size: int = 65536) -> np.ndarray:
    """8-bit value of each integer level: (v * 255 + white_level // 2) // white_level, at most 255."""
    levels = np.arange(size, dtype=np.int64)
    return np.minimum((levels * 255 + white_level // 2) // white_level, 255).astype(np.uint8)


def checked_white_level(wanted: int | None, bits: int, told: int | None = None) -> int:
    """Largest sample: the wanted one for more than 8 bits, else the one that the file tells, else all bits.

    Raises   SourceError: no sample of so many bits.
    """
    most = (1 << bits) - 1
    if bits <= 8 or wanted is None:
        return most if told is None else told
    if not 1 <= wanted <= most:
        raise SourceError(f"the white level of samples of {bits} bits must lie in 1..{most}; received {wanted}.")
    return wanted


def checked_nodata(nodata: str, bits: int, told: int | None = None) -> int | None:
    """The level of all color samples where nothing was photographed: AUTO as the file tells, NONE, or a number. None: there
    is no such level.

    Raises   SourceError: no sample of so many bits, or no number.
    """
    if nodata in (AUTO, NONE):
        return told if nodata == AUTO else None
    most = (1 << bits) - 1
    if not nodata.isdecimal() or int(nodata) > most:
        raise SourceError(f"the level of no data must be {AUTO}, {NONE} or lie in 0..{most}; received {nodata}.")
    return int(nodata)


def grey_or_rgb(pixels_HWC: np.ndarray, channels: int) -> np.ndarray:
    """uint8 [H, W, 1 or 3] -> what a source hands out: [H, W] for channels = 1, [H, W, 3] for channels = 3."""
    if pixels_HWC.shape[2] == 1:
        return pixels_HWC[..., 0] if channels == 1 else np.repeat(pixels_HWC, 3, axis=2)
    return grey_of_rgb(pixels_HWC) if channels == 1 else pixels_HWC


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as handle:
        made = hashlib.sha256()
        while piece := handle.read(1 << 20):
            made.update(piece)
        return made.hexdigest()


def sampled_sha256(path: Path) -> str:
    """SHA-256 of 1 MiB of a file: of parts of 64 KiB at 16 places equally far apart, from its beginning to its end; of all of it where it
    is no longer. Together with the length it tells another picture at the cost of 16 reads from a network disk. What it does not see
    is a spot between these places that was retouched in a file without compression.
    """
    with open(path, "rb") as handle:
        last = max(0, handle.seek(0, os.SEEK_END) - SAMPLE_BYTES)
        made = hashlib.sha256()
        for k in range(SAMPLES):
            handle.seek(last * k // (SAMPLES - 1))
            made.update(handle.read(SAMPLE_BYTES))
        return made.hexdigest()


class Source:
    """A picture of height x width that hands out bands of rows with `channels` channels (1 or 3).

    lane_rows: rows decoded together (a row of tiles, a strip, the whole picture); bands that begin at multiples of it
    decode nothing twice. held_bytes: what the reader itself keeps at most while bands are read, in bytes. notes: what reading
    changes; warnings: what of the file is not in the picture.
    geo: place on the earth, where the file tells it. outside: what tells where nothing was photographed (an alpha channel, a
    mask, a level that stands for no data); "": all of it was. outside_exact: each pixel is told by itself, not by a level
    that others may have.
    """

    path: Path
    format: str
    height: int
    width: int
    channels: int
    notes: list[str]
    warnings: list[str]
    white_level: int
    stored: dict[str, Any]
    lane_rows: int = 1
    held_bytes: int = 0
    geo: GeoReference | None = None
    outside: str = ""
    outside_exact: bool = False

    def read(self, y0: int, y1: int) -> np.ndarray:
        """Rows y0 ... y1 - 1 as uint8 [y1-y0, W] (channels = 1) or [y1-y0, W, 3]."""
        raise NotImplementedError

    def window(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """Rows y0 ... y1 - 1 and columns x0 ... x1 - 1; a reader of tiles decodes only those that it needs."""
        return self.read(y0, y1)[:, x0:x1]

    def absent(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> np.ndarray | None:
        """bool [y1-y0, x1-x0], True where nothing was photographed; None: the whole picture was. Of the rows that were read
        last, it costs nothing."""
        return None

    def _tell_outside(self, told: str, exact: bool) -> None:
        """Set `outside` and its note; "" where nothing tells it."""
        self.outside, self.outside_exact = told, exact
        if told:
            self.notes.append(f"where nothing was photographed is told by its {told}")

    def close(self) -> None:
        """Give the file back."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def orient(pixels: np.ndarray, code: int) -> np.ndarray:
    """Pixels as stored -> pixels as seen, for EXIF orientation 1 to 8."""
    if code >= 5:
        pixels = pixels.swapaxes(0, 1)
        code = {5: 1, 6: 2, 7: 3, 8: 4}.get(code, 1)
    if code in (2, 3):
        pixels = pixels[:, ::-1]
    if code in (3, 4):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


@contextlib.contextmanager
def refuse(path: Path) -> Iterator[None]:
    """Turn whatever a reader raises on a broken file into one SourceError."""
    try:
        yield
    except (SourceError, MemoryError):
        raise
    except Exception as error:
        raise SourceError(
            f"{path} is broken or truncated: {type(error).__name__}: {error}; next: copy it anew from the camera or the archive"
        ) from None
