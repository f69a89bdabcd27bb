"""One scan from files to an output folder: used by `aoienet scan` and `aoienet demo`."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aoienet import __version__
from aoienet.report.files import OutputError, write_json
from aoienet.report.overlay import write_overlay
from aoienet.report.tables import counts, write_blocks
from aoienet.scan.runner import DEFAULT_TILE_HW, Decision, Run, ScanResult, scan_source
from aoienet.scan.sources import SourceError, file_sha256, open_source
from aoienet.scan.tiles import Geometry, GeometryError

__all__ = ["Job", "scan_file", "scan_files", "OutputError"]


@dataclass(frozen=True)
class Job:
    """A model as a callable and how to use it. `model`: what the summary says of it (name, sha256, ...)."""

    run: Run
    classes: Sequence[str]
    channels: int
    geometry: Geometry
    decision: Decision
    model: dict[str, Any]
    jobs: int = 1
    tile_hw: tuple[int, int] = DEFAULT_TILE_HW


def scan_file(
    job: Job, path: Path, out: Path, progress: Callable[[int, int], None] | None = None
) -> tuple[dict, ScanResult]:
    """Scan one picture into a folder: blocks.csv and overlay.png.

    Raises   SourceError, GeometryError: this picture cannot be scanned. OutputError: the folder cannot be written.
    """
    started = time.perf_counter()
    with open_source(path, job.channels) as source:
        opened = time.perf_counter() - started
        result = scan_source(
            source, job.run, job.geometry, job.decision, jobs=job.jobs, tile_hw=job.tile_hw, progress=progress
        )
        entry: dict[str, Any] = {
            "input": str(path),
            "status": "done",
            "format": source.format,
            "width_px": source.width,
            "height_px": source.height,
            "white_level": source.white_level,
            "notes": source.notes,
            "stored": source.stored,
        }
    before = time.perf_counter()
    entry["sha256"] = file_sha256(path)
    hashed = time.perf_counter() - before
    out.mkdir(parents=True, exist_ok=True)
    write_blocks(out / "blocks.csv", result, job.classes)
    write_overlay(out / "overlay.png", result)
    entry |= counts(result, job.classes)
    total = time.perf_counter() - started
    stages = {
        "open": opened,
        **result.time_s,
        "hash": hashed,
        "write": total - opened - hashed - result.time_s["scan"],
        "total": total,
    }
    entry["time_s"] = {name: round(value, 4) for name, value in stages.items()}
    entry["megapixels"] = round(source.width * source.height / 1e6, 3)
    entry["megapixels_per_s"] = round(source.width * source.height / 1e6 / result.time_s["scan"], 3)
    entry["files"] = {"blocks": str(out / "blocks.csv"), "overlay": str(out / "overlay.png")}
    return entry, result


def scan_files(
    job: Job,
    paths: Sequence[Path],
    out: Path,
    bar: Callable[[str], Callable[[int, int], None]],
    peak: Callable[[], float | None],
) -> dict:
    """Scan pictures one after the other; a bad one is recorded and the others are finished. Writes summary.json and
    returns it."""
    entries: list[dict] = []
    folders = [out] if len(paths) == 1 else _folders(paths, out)
    for path, folder in zip(paths, folders, strict=False):
        try:
            entry, _ = scan_file(job, path, folder, bar(path.name))
        except (SourceError, GeometryError, MemoryError) as error:
            text = str(error) if str(error) else "not enough memory"
            entry = {"input": str(path), "status": "failed", "error": text if str(path) in text else f"{path}: {text}"}
        entries.append(entry)
        if entry["status"] == "done" and len(paths) > 1:
            write_json(folder / "summary.json", summary(job, [entry], peak()))
    document = summary(job, entries, peak())
    write_json(out / "summary.json", document)
    return document


def summary(job: Job, entries: list[dict], peak_mib: float | None) -> dict:
    """The summary document of a scan."""
    import imagecodecs
    import numpy
    import PIL
    import tifffile

    return {
        "aoienet": __version__,
        "model": job.model,
        "scan": {
            "block_px": job.geometry.block_px,
            "block_stride_px": job.geometry.stride_px,
            "halo_px": job.geometry.halo_px,
            "threshold": job.decision.threshold,
            "temperature": job.decision.temperature,
            "defect": job.classes[job.decision.defect],
            "jobs": job.jobs,
            "tile_px": list(job.tile_hw),
        },
        "inputs": entries,
        "failed": sum(e["status"] == "failed" for e in entries),
        "peak_memory_mib": peak_mib,
        "versions": {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "pillow": PIL.__version__,
            "tifffile": tifffile.__version__,
            "imagecodecs": imagecodecs.__version__,
        },
        "machine": {"system": platform.system(), "processor": platform.machine()},
    }


def _folders(paths: Sequence[Path], out: Path) -> list[Path]:
    """One folder per picture, named by its stem; a stem seen before gets a hash of its path, so order does not
    matter."""
    stems = [p.stem for p in paths]
    tail = [hashlib.sha256(str(p).encode()).hexdigest()[:8] for p in paths]
    return [out / (s if stems.count(s) == 1 else f"{s}-{t}") for s, t in zip(stems, tail, strict=False)]
