"""Pictures as sources of row bands, always 8-bit grey HW or RGB HWC: JPEG, PNG, JPEG 2000, TIFF and BigTIFF, also
GeoTIFF; one file per way of storing.

A TIFF is read tile row by tile row or strip by strip and never as a whole; the others are decoded once, up to
`base.MAX_WHOLE_PX`. What was changed on the way (alpha dropped, palette converted, 16 bit reduced, orientation
applied) stands in `Source.notes`. `find` turns folders, globs and lists into paths; `stream` turns rows on standard
input into pictures.
"""

from __future__ import annotations

import os
from pathlib import Path

from aoienet.scan.sources.base import (
    AUTO,
    Source,
    SourceError,
    file_sha256,
    grey_of_rgb,
    level_table,
    orient,
    sampled_sha256,
)
from aoienet.scan.sources.find import RAW, WILD, find_pictures
from aoienet.scan.sources.geo import GeoReference
from aoienet.scan.sources.part import Part
from aoienet.scan.sources.stream import RawRows, frames, stored
from aoienet.scan.sources.tiff import TiffSource
from aoienet.scan.sources.whole import JPEG2000, WholeSource

__all__ = [
    "AUTO",
    "GeoReference",
    "Part",
    "RawRows",
    "Source",
    "SourceError",
    "file_sha256",
    "find_pictures",
    "frames",
    "grey_of_rgb",
    "level_table",
    "open_source",
    "orient",
    "sampled_sha256",
    "stored",
]


def open_source(path: str | Path, channels: int = 1, white_level: int | None = None, nodata: str = AUTO) -> Source:
    """Open a picture by its content, not by its name; a camera's raw files alone are known by theirs, and refused.

    Args     channels: 1 (grey) or 3 (RGB), what the model takes. white_level: largest sample of a picture of more than 8 bits;
             None: what the file says, else all of its bits. nodata: level of all color samples where nothing was photographed;
             "auto": as the file tells, by alpha, a mask or a level; "none": all of it was.
    Raises   SourceError: missing, not a picture of a known format, a raw file, broken, too large to decode in one piece.
    """
    path = Path(path)
    if channels not in (1, 3):
        raise SourceError(f"a picture is handed out with 1 or 3 channels; received channels={channels}.")
    try:
        with open(path, "rb") as handle:
            magic = handle.read(32)
    except FileNotFoundError:
        raise SourceError(f"no such file: {path}; next: {_instead(path)}") from None
    except IsADirectoryError:
        raise SourceError(
            f"a picture is a file; received the folder {path}; next: name it on the command line, not in a list, or make it readable"
        ) from None
    except OSError as error:
        raise SourceError(f"cannot open {path}: {error.strerror}; next: make it readable") from None
    if path.suffix.lower() in RAW:  # many are TIFF files whose first page is a small preview
        raise SourceError(f"{path} is a camera's raw file; next: develop it to TIFF or JPEG.")
    if magic[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _not_empty(TiffSource(path, channels, white_level, nodata))
    if magic[:3] == b"\xff\xd8\xff" or magic[:8] == b"\x89PNG\r\n\x1a\n" or magic.startswith(JPEG2000):
        return _not_empty(WholeSource(path, channels, magic, white_level, nodata))
    what = "an empty file" if not magic else f"a file that begins with {magic[:4]!r}"
    raise SourceError(
        f"{path} is neither JPEG, PNG, JPEG 2000 nor TIFF; received {what}; next: convert it to one of these."
    )


def _instead(path: Path) -> str:
    """What to do about a file that is not there."""
    if path.is_symlink():
        return f"mend the link, which leads to {os.readlink(path)}"
    return "name a pattern on the command line, not in a list" if WILD & set(str(path)) else "look at its name"


def _not_empty(source: Source) -> Source:
    if source.height < 1 or source.width < 1:
        source.close()
        raise SourceError(f"{source.path}: a picture needs at least 1x1 px; received {source.width}x{source.height}.")
    return source
