"""Rows on standard input as pictures of a batch, while they arrive."""

from __future__ import annotations

import contextlib
import json
import queue
import select
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from aoienet.files import OutputError, write_json
from aoienet.scan.batch import WORK
from aoienet.scan.cascade import Stages
from aoienet.scan.sources import RawRows, SourceError, frames, stored
from aoienet.scan.work import Picture, plan_picture

FOLDER = "rows"  # of the pictures that the stream becomes
END = "stream.json"  # in the work folder: how the stream ended
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
    wait for the scan. With `resume` nothing is read: the pictures that an interrupted scan had stored are done.

    A stream that did not come to its end is a picture that failed, now and after every `resume`: rows are missing, and nobody can ask for
    them again. Raises OutputError: what was stored cannot be read.
    """

    def __init__(self, form: Form, out: Path, stages: Stages, resume: bool) -> None:
        self._out, self._stages = out, stages
        self._ready: queue.Queue[Path | SourceError | None] = queue.Queue()
        self._stop, self._count, self._over = threading.Event(), 0, False
        self._thread: threading.Thread | None = None
        if resume:
            self._recall(form.raw())
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
        stream = _Polled(sys.stdin.buffer, self._stop)
        wrong = "the reader of the stream ended by itself, usually for lack of memory"
        try:
            for path in frames(cast(BinaryIO, stream), form.raw(), self._out / FOLDER, form.rows):
                self._ready.put(path)
            wrong = ""
        except SourceError as error:
            wrong = str(error)
        except OSError as error:
            wrong = f"cannot store the rows of the stream: {error.strerror}; next: free some space"
        finally:
            if not stream.cut:
                with contextlib.suppress(OutputError):  # a full disk; --resume takes it for an end that nobody saw
                    write_json(self._out / WORK / END, {"error": wrong})
            self._put_end(wrong)

    def _recall(self, raw: RawRows) -> None:
        """What was stored, and how the stream had ended, if it had while somebody saw it."""
        end = self._out / WORK / END
        try:
            paths, rows = stored(self._out / FOLDER, raw)
            wrong = json.loads(end.read_text("utf-8"))["error"] if end.is_file() else _cut_off(rows)
        except OSError as error:
            raise OutputError(
                f"cannot take up the rows in {self._out / FOLDER}: {error.strerror}; next: make it writable"
            ) from None
        for path in paths:
            self._ready.put(path)
        self._put_end(wrong)

    def _put_end(self, wrong: str) -> None:
        if wrong:
            self._ready.put(SourceError(wrong))
        self._ready.put(None)


def _cut_off(rows: int) -> str:
    return (
        f"a stream must come to its end; received {rows} rows, which are kept, before the scan was interrupted or killed; "
        "next: scan what came after them into another folder"
    )


class _Polled:
    """A stream that ends when it is told to, even while no row comes; `cut` tells that it did before its own end."""

    def __init__(self, stream: Any, stop: threading.Event) -> None:
        self._stream, self._stop, self.cut = stream, stop, False

    def read(self, size: int) -> bytes:
        while not self._stop.is_set():
            try:
                ready = bool(select.select([self._stream], [], [], POLL_S)[0])
            except (OSError, ValueError, TypeError):  # not a pipe or a terminal: it does not block
                ready = True
            if ready:
                return self._stream.read1(size)
        self.cut = True
        return b""
