"""Rows on standard input as pictures of a batch, while they arrive."""

from __future__ import annotations

import queue
import select
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from aoienet.scan.cascade import Stages
from aoienet.scan.sources import RawRows, SourceError, frames
from aoienet.scan.work import Picture, plan_picture

FOLDER = "rows"  # of the pictures that the stream becomes
POLL_S = 0.2


@dataclass(frozen=True)
class Form:
    """How rows come, and how many make a picture (None: all of them)."""

    width: int
    channels: int
    dtype: str
    white_level: int | None
    rows: int | None

    def raw(self) -> RawRows:
        """For the reader. Raises SourceError: impossible values."""
        return RawRows(self.width, self.channels, self.dtype, self.white_level)


class Stream:
    """An iterator of pictures, None where none is ready yet. Rows are read and stored by a thread, so the camera does not
    wait for the scan. With `resume` nothing is read: the pictures that an interrupted scan had stored are done."""

    def __init__(self, form: Form, out: Path, stages: Stages, resume: bool) -> None:
        self._out, self._stages = out, stages
        self._ready: queue.Queue[Path | SourceError | None] = queue.Queue()
        self._stop, self._count, self._over = threading.Event(), 0, False
        self._thread: threading.Thread | None = None
        if resume:
            for path in sorted((out / FOLDER).glob("rows-*.tif")):
                self._ready.put(path)
            self._ready.put(None)
        else:
            self._thread = threading.Thread(target=self._read, args=(form,), daemon=True)
            self._thread.start()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        """Rows that came in are stored as a picture, also when the scan is interrupted."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def __iter__(self) -> Iterator[Picture | None]:
        return self

    def __next__(self) -> Picture | None:
        if self._over:
            raise StopIteration
        try:
            item = self._ready.get_nowait()
        except queue.Empty:
            return None
        if item is None:
            self._over = True
            raise StopIteration
        self._count += 1
        if isinstance(item, SourceError):
            return Picture(self._count - 1, Path("-"), self._out, error=str(item))
        return plan_picture(self._count - 1, item, self._out / item.stem, self._stages)

    def _read(self, form: Form) -> None:
        try:
            stream = cast(BinaryIO, _Polled(sys.stdin.buffer, self._stop))
            for path in frames(stream, form.raw(), self._out / FOLDER, form.rows):
                self._ready.put(path)
        except SourceError as error:
            self._ready.put(error)
        except OSError as error:
            self._ready.put(SourceError(f"cannot store the rows of the stream: {error.strerror}; free some space"))
        finally:
            self._ready.put(None)


class _Polled:
    """A stream that ends when it is told to, even while no row comes."""

    def __init__(self, stream: Any, stop: threading.Event) -> None:
        self._stream, self._stop = stream, stop

    def read(self, size: int) -> bytes:
        while not self._stop.is_set():
            try:
                ready = bool(select.select([self._stream], [], [], POLL_S)[0])
            except (OSError, ValueError, TypeError):  # not a pipe or a terminal: it does not block
                ready = True
            if ready:
                return self._stream.read1(size)
        return b""
