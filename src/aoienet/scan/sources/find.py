"""Which pictures are meant: files, folders, globs and list files, in an order that does not depend on the machine."""

from __future__ import annotations

import fnmatch
import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from aoienet.scan.sources.base import SourceError

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".png", ".tif", ".tiff", ".btf", ".tf8", ".jp2", ".j2k", ".jpx")
RAW = (
    ".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".srf", ".orf", ".rw2", ".rwl", ".raf", ".pef", ".srw", ".iiq", ".3fr", ".x3f",
)  # of cameras  # fmt: skip
UNREAD = (
    *RAW, ".bmp", ".gif", ".webp", ".heic", ".heif", ".avif", ".jxl", ".ppm", ".pgm", ".ecw", ".sid", ".psd", ".tga",
)  # fmt: skip
WILD = frozenset("*?[")
OUTPUTS = ("mask.tif", "overlay.tif", "thumbnail.jpg", "preview.jpg")  # of a scan, beside its manifest.json


def find_pictures(arguments: Iterable[str | Path], out: Path | None = None) -> list[Path]:
    """Paths of the pictures that are meant, in the order of the arguments; a file that is meant by several names once, by the first.

    A folder     all pictures in it and below it, by suffix, sorted by path; links are followed, hidden names are left out. Pictures
                 of other formats (UNREAD) stay in, so that the batch records that they were not looked at, but where the same
                 name is there in a format that is read, as beside a camera's raw files.
    A glob       `*`, `?`, `[...]`, and `**` for any depth, sorted; for shells that do not do it themselves.
                 Of both, what lies in the output folder `out` below them, and pictures that a scan wrote, are left out. Folders
                 that cannot be read and broken links stay in, so that the batch records them.
    `@list.txt`  one path per line, relative to the list's own folder; blank lines and lines with # are skipped. A
                 path that is missing stays in, so that the batch records it and goes on.
    Raises       SourceError: a folder or glob without pictures, a list that cannot be read, no picture at all, a name that is not
                 UTF-8.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        for path in _of_one(str(argument), out):
            found.setdefault(os.path.realpath(path), _named(path))
    if not found:
        raise SourceError("at least one picture is needed; received none.")
    return list(found.values())


def _named(path: Path) -> Path:
    """The path, whose name can be written into the outputs."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise SourceError(f"names of pictures must be UTF-8; received {os.fsencode(path)!r}; rename it.") from None
    return path


def _of_one(text: str, out: Path | None) -> Iterator[Path]:
    path = Path(text)
    if os.path.isdir(path):
        inside, unread = _walked(path)
        shown = _not_written([p for p in inside if p.suffix.lower() in SUFFIXES + UNREAD], path, out)
        read = {p.with_suffix("") for p in shown if p.suffix.lower() in SUFFIXES}
        if not read:
            others = f"; received {len(shown)} in other formats, as {shown[0].name}: convert them" if shown else ""
            others += f"; cannot read {unread[0]}: make it readable" if unread else ""
            raise SourceError(f"no pictures in the folder {path}; looked for {', '.join(SUFFIXES)}{others}.")
        yield from sorted(
            [*unread, *(p for p in shown if p.suffix.lower() in SUFFIXES or p.with_suffix("") not in read)]
        )
    elif os.path.exists(path):
        yield path
    elif text.startswith("@"):
        yield from _of_list(Path(text[1:]))
    elif WILD & set(text):
        matching, unread = _matching(path)
        files = _not_written(matching, Path(*itertools.takewhile(lambda part: not WILD & set(part), path.parts)), out)
        if not files:
            others = f"; cannot read {unread[0]}: make it readable" if unread else ""
            raise SourceError(f"no file matches {text}{others}.")
        yield from sorted([*unread, *files])
    else:
        yield path  # missing: opening it says so, and a batch goes on


def _matching(pattern: Path) -> tuple[list[Path], list[Path]]:
    """Files that match, and folders below `**` that cannot be read. What `**` stands for is walked as a folder is, as `glob` goes round
    in loops of links."""
    parts = pattern.parts
    if "**" not in parts:
        return [p for p in map(Path, glob.glob(str(pattern))) if _is_picture(p)], []
    fixed = parts.index("**")
    files: list[Path] = []
    unread: list[Path] = []
    for top in filter(os.path.isdir, glob.glob(str(Path(*parts[:fixed])))):
        inside, shut = _walked(Path(top))
        files += [p for p in inside if _fits(p.relative_to(top).parts, parts[fixed:])]
        unread += shut
    return files, unread


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a path match those of a pattern; `**` stands for any number of them."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _fits(parts, pattern[1:]) or (bool(parts) and _fits(parts[1:], pattern))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _walked(top: Path) -> tuple[list[Path], list[Path]]:
    """Files below a folder, hidden ones left out, and folders that cannot be read. A folder to which a link leads is walked after all
    others, and each once, so that loops end and a file has the name without links where it has one."""
    files: list[Path] = []
    unread: list[Path] = []
    waiting, seen = [top], set[str]()
    while waiting:
        for here, folders, names in os.walk(waiting.pop(0), onerror=lambda error: unread.append(Path(error.filename))):
            if os.path.realpath(here) in seen:
                folders.clear()
                continue
            seen.add(os.path.realpath(here))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            waiting += [link for name in folders if (link := Path(here, name)).is_symlink()]
            files += [Path(here, name) for name in names if not name.startswith(".")]
    return sorted(p for p in files if _is_picture(p)), unread


def _is_picture(path: Path) -> bool:
    """A file, or a name that leads to nothing, of which opening it says so; no folder, pipe or device."""
    return os.path.isfile(path) or not os.path.exists(path)


def _not_written(paths: list[Path], base: Path, out: Path | None) -> list[Path]:
    """Those that no scan wrote; base: where they were looked for, which may lie in the output folder itself."""
    written = None if out is None else out.resolve()
    if written in (base.resolve(), *base.resolve().parents):
        written = None
    return [
        p
        for p in paths
        if written not in Path(os.path.realpath(p)).parents
        and not (p.name in OUTPUTS and os.path.isfile(p.parent / "manifest.json"))
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
