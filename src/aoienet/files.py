"""Whole files only: write beside the target, then rename."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class OutputError(ValueError):
    """An output folder or file that cannot be used."""


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; renamed to `path` when the block ends well, removed otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_json(path: Path, document: Any) -> None:
    """One JSON document, keys in the order given."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def open_folder(path: Path, overwrite: bool) -> Path:
    """Make an output folder ready.

    Raises   OutputError: not a folder, not empty without overwrite, not writable.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"the output must be a folder; received the file {path}.")
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not overwrite and any(path.iterdir()):
            raise OutputError(
                f"the output folder must be empty; received {path}, which holds files; "
                f"choose another or add --overwrite."
            )
        probe = path / f".{os.getpid()}.probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write to the output folder {path}: {error.strerror}; choose another with --out."
        ) from None
    return path
