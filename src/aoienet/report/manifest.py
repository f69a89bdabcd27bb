"""manifest.json: what was read, with what, how, and every file that came out with its hash. No times: they would make
equal runs differ."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from aoienet import __version__
from aoienet.files import write_json
from aoienet.scan.sources import Source, file_sha256

FORMAT = 1  # of the manifest; grows when a reader of the old one would be wrong
LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-image",
    "pillow",
    "tifffile",
    "imagecodecs",
    "onnxruntime",
    "pyproj",
    "opencv-python-headless",
)


def write_manifest(path: Path, document: dict[str, Any], files: Iterable[Path]) -> dict[str, Any]:
    """Write and give manifest.json: the document, the versions, and bytes and SHA-256 of the files beside it."""
    made = {
        "format": FORMAT,
        "aoienet": __version__,
        **document,
        "versions": versions(),
        "files": {p.name: {"bytes": p.stat().st_size, "sha256": file_sha256(p)} for p in sorted(files)},
    }
    write_json(path, made)
    return made


def versions() -> dict[str, str]:
    """Versions of what can change a result; a library that is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def picture_facts(source: Source, sha256: str) -> dict[str, Any]:
    """How the picture is stored, what reading changed, where it lies."""
    return {
        "input": str(source.path),
        "sha256": sha256,
        "format": source.format,
        "width_px": source.width,
        "height_px": source.height,
        "white_level": source.white_level,
        "outside": source.outside or None,
        "stored": source.stored,
        "notes": source.notes,
        "crs": None if source.geo is None else source.geo.crs,
        "affine": None if source.geo is None else list(source.geo.affine),
    }
