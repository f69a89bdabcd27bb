"""What an earlier scan left in a folder that another one is to be written into."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aoienet.cli import _cascade
from aoienet.cli._stream import FOLDER as ROWS


def remove_earlier(out: Path, pictures: Iterable[Path]) -> None:
    """Remove the outputs of the scan that was written into `out` before, so that none of them is taken for one of the next scan. Only
    names that a scan writes, and only in folders that the earlier scan names; no link is followed or removed. The journal and the
    work folder are left to `begin`, which removes them last: after a kill all of this can be done again.

    pictures: of the next scan.
    Raises   OutputError: one of these pictures is such an output; a file cannot be removed.
    """
    from aoienet.files import OutputError
    from aoienet.report.outputs import FILES, MANIFEST
    from aoienet.scan import journal
    from aoienet.scan.batch import PLAN, WORK

    if not ((out / journal.NAME).is_file() or (out / WORK / PLAN).is_file()):
        return
    folders = sorted(_folders(out, _read(out / WORK / PLAN), _read(out / _cascade.SUMMARY)))
    found = [path for folder in folders for path in _written(folder, (*FILES, MANIFEST))]
    found += _written(out, _cascade.OF_BATCH)
    inputs = {path.resolve() for path in pictures}
    if wanted := [path for path in found if path.resolve() in inputs]:
        raise OutputError(
            f"a picture must not be an output that --overwrite removes; received {wanted[0]}; next: another folder with --out"
        )
    try:
        for path in found:
            path.unlink(missing_ok=True)
        for folder in folders:
            if folder != out and not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        raise OutputError(
            f"cannot remove {error.filename}: {error.strerror}; next: another folder with --out"
        ) from None


def _folders(out: Path, plan: dict[str, Any], summary: dict[str, Any]) -> set[Path]:
    """Folders of the earlier scan's pictures, inside of `out`, that are there and no links."""
    inputs = [e for e in summary.get("inputs") or plan.get("pictures") or [] if isinstance(e, dict) and "input" in e]
    named = _cascade.folders_of([Path(e["input"]) for e in inputs], out)
    folders = {out / e["folder"] if e.get("status") == "done" else path for e, path in zip(inputs, named, strict=True)}
    if plan.get("stream") is not None:
        folders |= {out / path.stem for path in (out / ROWS).glob("*.tif")}
    return {f for f in folders if f == out or (f.parent == out and f.is_dir() and not f.is_symlink())}


def _written(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Files of these names, and what a killed process had begun of them."""
    for name in names:
        for path in (folder / name, *folder.glob(f".{name}.*.tmp")):
            if path.is_file() and not path.is_symlink():
                yield path


def _read(path: Path) -> dict[str, Any]:
    """A document of an earlier scan; {} where it is missing or of somebody else."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
