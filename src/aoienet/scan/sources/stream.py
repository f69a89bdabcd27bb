"""A line-scan stream: raw rows without a header become pictures on disk while they arrive.

Each picture is an uncompressed BigTIFF of one strip, which is read row by row later, so a scan can look back, be
resumed and be checked by hash like any other. Its directory stands before the rows, so the length of a file tells its rows
also where a process was killed in the middle. Memory: CHUNK_BYTES, whatever the length of the stream.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from aoienet.scan.sources.base import SourceError

CHUNK_BYTES = 4 << 20
DATA_AT = 256  # bytes before the first row; header and directory take 16 and at most 216
PART = ".part"  # ending of a picture that is not whole yet; it is no .tmp, which a restart throws away
DTYPES = {"u1": "uint8", "uint8": "uint8", "u2": "<u2", "uint16": "<u2", "<u2": "<u2", ">u2": ">u2"}
SHORT, LONG, LONG8 = 3, 4, 16  # types of TIFF fields


@dataclass(frozen=True)
class RawRows:
    """How rows come: pixels per row, samples per pixel (1 grey, 3 RGB, interleaved), type of a sample, white level.

    dtype: uint8, uint16 (little endian) or >u2 (big endian). white_level: largest sample, 4095 for a 12-bit camera.
    """

    width: int
    channels: int = 1
    dtype: str = "uint8"
    white_level: int | None = None

    def __post_init__(self) -> None:
        if self.width < 1 or self.channels not in (1, 3):
            raise SourceError(
                f"a row needs a width of at least 1 and 1 or 3 channels; "
                f"received width={self.width}, channels={self.channels}."
            )
        if self.dtype not in DTYPES:
            raise SourceError(f"the type of a sample must be one of {', '.join(DTYPES)}; received {self.dtype!r}.")
        most = int(np.iinfo(self.sample).max)
        if self.white_level is not None and not 1 <= self.white_level <= most:
            raise SourceError(f"the white level must lie in 1..{most}; received {self.white_level}.")
        if self.white_level not in (None, most) and self.sample.itemsize == 1:
            raise SourceError(f"8-bit rows have the white level 255; received {self.white_level}.")

    @property
    def sample(self) -> np.dtype:
        """Type of one sample."""
        return np.dtype(DTYPES[self.dtype])

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.width * self.channels * self.sample.itemsize


def frames(stream: BinaryIO, form: RawRows, folder: Path, rows: int | None = None) -> Iterator[Path]:
    """Write the stream as pictures of `rows` rows into a folder and hand out each path as soon as it is whole.

    Args     rows: rows per picture; None: one picture up to the end of the stream. The last one may be shorter.
             Files are named by their first row: rows-0000000000.tif.
    Raises   SourceError: no row at all; the stream ends inside a row, cannot be read further or not be stored (after the last
             picture was handed out).
    """
    if rows is not None and rows < 1:
        raise SourceError(f"a picture needs at least 1 row; received rows={rows}.")
    folder.mkdir(parents=True, exist_ok=True)
    first = 0
    while True:
        path = folder / f"rows-{first:010d}.tif"
        for taken in (path, _part_of(path)):
            if taken.exists():
                raise SourceError(
                    f"a stream never writes over a picture; received {taken}, which exists; use a new folder."
                )
        count, rest, error = _one_picture(stream, form, path, rows)
        first += count
        if count:
            yield path
        if error is not None:
            unread = isinstance(error, _UnreadError)
            raise SourceError(
                f"cannot {'read' if unread else 'store the rows of'} the stream after row {first}: {error.strerror}; next: "
                f"{'look at what sends it' if unread else 'free some space'}, and scan what comes after that row into another folder"
            )
        if rest:
            raise SourceError(
                f"the stream must hold whole rows of {form.row_bytes} bytes ({form.width} px x {form.channels} x "
                f"{form.sample.itemsize} byte); received {rest} bytes after row {first}; check width, channels and type."
            )
        if rows is None or count < rows:
            break
    if not first:
        raise SourceError(f"the stream must hold at least one row of {form.row_bytes} bytes; received none.")


def stored(folder: Path, form: RawRows) -> tuple[list[Path], int]:
    """The pictures of an earlier stream in order, and how many rows they hold. What a killed process left of a picture is made one of
    its whole rows first, which can be killed and done again.

    Raises   OSError: it cannot be read or written.
    """
    for part in folder.glob(f".rows-*{PART}"):
        _finish(part, form)
    paths = sorted(folder.glob("rows-*.tif"))
    return paths, sum((path.stat().st_size - DATA_AT) // form.row_bytes for path in paths)


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}{PART}")


def _one_picture(stream: BinaryIO, form: RawRows, path: Path, rows: int | None) -> tuple[int, int, OSError | None]:
    """One BigTIFF from the stream; gives the rows written, the bytes of an unfinished row, and what ended it early.

    Rows cannot be asked for twice: what has come in is kept as a picture also when reading is interrupted, and nothing waits in a
    buffer that a kill would take.
    """
    limit = None if rows is None else rows * form.row_bytes
    part, size, error = _part_of(path), 0, None
    out = open(part, "xb", buffering=0)
    try:
        with out:
            _write(out, bytes(DATA_AT))
            while limit is None or size < limit:
                piece = _read(stream, CHUNK_BYTES if limit is None else min(CHUNK_BYTES, limit - size))
                if not piece:
                    break
                size += len(piece)
                _write(out, piece)
    except OSError as reason:
        error = reason
    finally:
        count, rest = _finish(part, form)
    return count, rest, error


class _UnreadError(OSError):
    """It is the stream that failed, not the disk."""


def _read(stream: BinaryIO, size: int) -> bytes:
    try:
        return stream.read(size)
    except OSError as error:
        raise _UnreadError(*error.args) from None


def _write(out: FileIO, data: bytes) -> None:
    """All of it; a disk that fills up takes a part first and says so at the rest."""
    while data:
        data = data[out.write(data) :]


def _finish(part: Path, form: RawRows) -> tuple[int, int]:
    """Make a picture of the whole rows in a file, by its length alone; gives their number and the bytes of an unfinished row. It takes no
    space, so a full disk does not hinder it."""
    count, rest = divmod(max(0, part.stat().st_size - DATA_AT), form.row_bytes)
    if not count:
        part.unlink()
        return count, rest
    with open(part, "r+b", buffering=0) as out:
        out.truncate(DATA_AT + count * form.row_bytes)
        _write(out, _head(form, count))
    os.replace(part, part.with_name(part.name.removeprefix(".").removesuffix(PART)))
    return count, rest


def _head(form: RawRows, count: int) -> bytes:
    """What comes before the rows: the header of a BigTIFF, and the directory right behind it."""
    order = b"MM\0+" if form.sample.byteorder == ">" else b"II+\0"
    head = order + struct.pack(_order(form) + "HHQ", 8, 0, 16) + _directory(form, count)
    return head.ljust(DATA_AT, b"\0")


def _order(form: RawRows) -> str:
    return ">" if form.sample.byteorder == ">" else "<"


def _directory(form: RawRows, count: int) -> bytes:
    """The image file directory of an uncompressed strip that begins at DATA_AT; every value fits into its field."""
    bits, order = 8 * form.sample.itemsize, _order(form)
    fields: list[tuple[int, int, tuple[int, ...]]] = [
        (256, LONG, (form.width,)),
        (257, LONG, (count,)),
        (258, SHORT, (bits,) * form.channels),
        (259, SHORT, (1,)),
        (262, SHORT, (1 if form.channels == 1 else 2,)),
        (273, LONG8, (DATA_AT,)),
        (277, SHORT, (form.channels,)),
        (278, LONG, (max(1, count),)),
        (279, LONG8, (count * form.row_bytes,)),
    ]
    if form.white_level is not None and bits > 8:
        fields.append((281, SHORT, (form.white_level,) * form.channels))
    out = struct.pack(order + "Q", len(fields))
    for tag, kind, values in fields:
        data = struct.pack(f"{order}{len(values)}{ {SHORT: 'H', LONG: 'I', LONG8: 'Q'}[kind] }", *values)
        out += struct.pack(order + "HHQ", tag, kind, len(values)) + data.ljust(8, b"\0")
    return out + bytes(8)
