"""One file per data set, found by themselves: each has NAME, CLASSES and load(root, seed, ...)."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

GUIDE = "docs/guide/data.md"  # what a message about a missing set names
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")  # of pictures in class folders


def names() -> list[str]:
    """The data sets that exist."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def get(name: str) -> ModuleType:
    """The module of one data set."""
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown data set {name!r}{hint} (known: {', '.join(names())})")
    return importlib.import_module(f"{__name__}.{name}")


@contextlib.contextmanager
def decoding(path: Path) -> Iterator[None]:
    """What goes wrong with a file of a known set names it. Raises ValueError, FileNotFoundError."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing; next: bring the whole data set, {GUIDE}") from error
    except Exception as error:  # Pillow raises many kinds on a broken file, most of them without its name
        raise ValueError(f"{path} cannot be decoded ({error}); next: fetch it again") from error


def read_grey(path: Path) -> np.ndarray:
    """One picture of a known set, 8 bits per sample, as grey. Raises as `decoding`."""
    from PIL import Image

    from aoienet.data.transform import to_grey

    with decoding(path), Image.open(path) as picture:
        return np.array(picture) if picture.mode == "L" else to_grey(np.array(picture.convert("RGB")))


def folder(root: Path, *parts: str) -> Path:
    """A sub-folder that must exist."""
    path = Path(root).joinpath(*parts)
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is missing; --data must name the folder that holds {parts[0]}/; next: {GUIDE}")
    return path


def digest(arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 over shapes and pixels in order."""
    h = hashlib.sha256()
    for a in arrays:
        h.update(repr((a.shape, str(a.dtype))).encode())
        h.update(np.ascontiguousarray(a).tobytes())
    return h.hexdigest()
