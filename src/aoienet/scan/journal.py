"""journal.jsonl: one line per thing that is done, so that an interrupted scan goes on where it stopped.

A line is written after what it speaks of is whole on disk. A line that was cut off by a kill is not there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aoienet.files import OutputError, atomic

NAME = "journal.jsonl"
Entry = dict[str, Any]


class Journal:
    """The journal of an output folder; `entries` are those of earlier runs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self.entries = _entries(self._path)

    def add(self, entry: Entry) -> None:
        """Append one line and see that it is on disk."""
        try:
            with open(self._path, "a", encoding="utf-8", newline="\n") as out:
                out.write(_line(entry))
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}") from None

    def rewrite(self, entries: Iterable[Entry]) -> None:
        """Put these lines in place of all others."""
        with atomic(self._path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
            out.writelines(_line(entry) for entry in entries)


def _line(entry: Entry) -> str:
    return json.dumps(entry, allow_nan=False, ensure_ascii=False) + "\n"


def _entries(path: Path) -> list[Entry]:
    """Whole lines of a journal; what follows the last line break is cut off, in the file too."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    found = []
    for number, line in enumerate(whole.decode("utf-8", "replace").splitlines(), 1):
        try:
            found.append(json.loads(line))
        except ValueError:
            raise OutputError(
                f"every line of a journal must be JSON; received another thing in line {number} of {path}; "
                "it was not written by a scan: begin anew with --overwrite"
            ) from None
    return found
