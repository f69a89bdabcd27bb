"""Which pictures are meant: files, folders, globs and list files, in an order that does not depend on the machine."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from aoienet.scan.sources.base import SourceError

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".btf", ".tf8", ".jp2", ".j2k", ".jpx")
RAW = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw")  # of cameras
UNREAD = (*RAW, ".bmp", ".gif", ".webp", ".heic", ".heif", ".avif", ".jxl", ".ppm", ".pgm", ".ecw", ".sid")
WILD = frozenset("*?[")
OUTPUTS = ("mask.tif", "overlay.tif", "thumbnail.jpg", "preview.jpg")  # of a scan, beside its manifest.json


def find_pictures(arguments: Iterable[str | Path], out: Path | None = None) -> list[Path]:
    """Paths of the pictures that are meant, each once, in the order of the arguments.

    A folder     all pictures in it and below it, by suffix, sorted by path; hidden names are left out. Pictures of other formats
                 (UNREAD) stay in, so that the batch records that they were not looked at, but where the same name is there
                 in a format that is read, as beside a camera's raw files.
    A glob       `*`, `?`, `[...]`, and `**` for any depth, sorted; for shells that do not do it themselves.
                 Of both, what lies in the output folder `out` below them, and pictures that a scan wrote, are left out.
    `@list.txt`  one path per line, relative to the list's own folder; blank lines and lines with # are skipped. A
                 path that is missing stays in, so that the batch records it and goes on.
    Raises       SourceError: a folder or glob without pictures, a list that cannot be read, no picture at all, a name that is not
                 UTF-8.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        for path in _of_one(str(argument), out):
            found.setdefault(_named(path))
    if not found:
        raise SourceError("at least one picture is needed; received none.")
    return list(found)


def _named(path: Path) -> Path:
    """The path, whose name can be written into the outputs."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise SourceError(f"names of pictures must be UTF-8; received {os.fsencode(path)!r}; rename it.") from None
    return path


def _of_one(text: str, out: Path | None) -> Iterator[Path]:
    path = Path(text)
    if path.is_dir():
        inside = [p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES + UNREAD and p.is_file()]
        shown = [p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts)]
        shown = _not_written(sorted(shown), path, out)
        read = {p.with_suffix("") for p in shown if p.suffix.lower() in SUFFIXES}
        if not read:
            others = f"; received {len(shown)} in other formats, as {shown[0].name}: convert them" if shown else ""
            raise SourceError(f"no pictures in the folder {path}; looked for {', '.join(SUFFIXES)}{others}.")
        yield from (p for p in shown if p.suffix.lower() in SUFFIXES or p.with_suffix("") not in read)
    elif path.exists():
        yield path
    elif text.startswith("@"):
        yield from _of_list(Path(text[1:]))
    elif WILD & set(text):
        matches = sorted(Path(p) for p in glob.glob(text, recursive=True))
        fixed = itertools.takewhile(lambda part: not WILD & set(part), path.parts)
        files = _not_written([p for p in matches if p.is_file()], Path(*fixed), out)
        if not files:
            raise SourceError(f"no file matches {text}.")
        yield from files
    else:
        yield path  # missing: opening it says so, and a batch goes on


def _not_written(paths: list[Path], base: Path, out: Path | None) -> list[Path]:
    """Those that no scan wrote; base: where they were looked for."""
    below = out is not None and base.resolve() in out.resolve().parents
    return [
        p
        for p in paths
        if not (below and out is not None and out.resolve() in p.resolve().parents)
        and not (p.name in OUTPUTS and (p.parent / "manifest.json").is_file())
    ]


def _of_list(path: Path) -> Iterator[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise SourceError(f"no such list of pictures: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"a list of pictures must be a text file in UTF-8; received {path}: {error}") from None
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not names:
        raise SourceError(f"the list {path} names no picture.")
    yield from (path.parent / name for name in names)
