"""aoienet scan --dry-run: what a scan will take, told before the work."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from aoienet.cli import _common

if TYPE_CHECKING:
    from aoienet.cli._cascade import Request
    from aoienet.scan.cascade import Stages
    from aoienet.scan.work import Picture

PROBE_PX = 1024  # side of the parts that are scanned to learn speed and share
PROBES = 4  # of the largest picture
LIBRARIES_MIB = 170  # Python with NumPy, SciPy and ONNX Runtime
SECOND_MIB = 260  # windows of the second stage in flight, and what is measured


@dataclass(frozen=True)
class Speed:
    """Of one core, and the share of the area that was passed on, on the parts that were tried."""

    first_px_per_s: float
    second_px_per_s: float
    passed_on: float


def forecast(pictures: list[Picture], request: Request, stages: Stages, jobs: int, as_json: bool) -> None:
    """Print frames, memory and time of a scan. Exit code 2: a picture cannot be scanned."""
    speed = _tried(pictures, stages)
    rows = [_of_picture(p, stages, speed) for p in pictures]
    good = [r for r in rows if "error" not in r]
    units = sum(r["bands"] for r in good)
    processes = max(1, min(jobs, units))
    document = {
        "pictures": rows,
        "jobs": jobs,
        "processes": processes,
        "seconds": None if speed is None else round(sum(r["core_seconds"] for r in good) / max(1, jobs), 1),
        "memory_mib": processes * max((r["memory_mib"] for r in good), default=0),
    }
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _show(document, speed)
    if len(good) < len(rows):
        raise typer.Exit(2)


def _show(document: dict[str, Any], speed: Speed | None) -> None:
    _common.print_table(
        ["picture", "px", "blocks", "bands", "core s", "MiB per process"],
        [
            [
                r["input"],
                f"{r['width_px']}x{r['height_px']}",
                r["blocks"],
                r["bands"],
                r["core_seconds"],
                r["memory_mib"],
            ]
            if "error" not in r
            else [r["input"], r["error"], "", "", "", ""]
            for r in document["pictures"]
        ],
    )
    if speed is not None:
        print(
            f"about {document['seconds']} s with {document['jobs']} jobs, if {100 * speed.passed_on:.0f} % of the area is passed on, as of the "
            f"parts that were tried; at most {document['memory_mib']} MiB in {document['processes']} processes"
        )


def _of_picture(picture: Picture, stages: Stages, speed: Speed | None) -> dict[str, Any]:
    from aoienet.scan.runner import BAND_BYTES, DEFAULT_TILE_HW
    from aoienet.scan.tiles import block_grid
    from aoienet.segment.tiles import TILE_PX

    if picture.error or speed is None:
        return {"input": str(picture.path), "error": picture.error}
    grid = block_grid(picture.height, picture.width, stages.geometry)
    with stages.open_source(picture.path) as source:
        held, told = source.held_bytes, 1 if source.outside else 0  # a byte per pixel beside those of the band
    tile_hw = [side + 2 * stages.geometry.halo_px for side in DEFAULT_TILE_HW]
    workspace = getattr(stages.run, "__self__", None)
    tile = 0 if workspace is None else int(workspace.workspace_bytes(*tile_hw))
    band = 2 * min(BAND_BYTES, picture.width * tile_hw[0] * (stages.channels + told))
    second = stages.segmenter
    second_rows = 0 if second is None else picture.width * (TILE_PX + 2 * second.halo_px)
    px = picture.height * picture.width
    seconds = px / speed.first_px_per_s + speed.passed_on * px / speed.second_px_per_s
    return {
        "input": str(picture.path),
        "width_px": picture.width,
        "height_px": picture.height,
        "megapixels": round(px / 1e6, 3),
        "blocks": grid.rows * grid.cols,
        "bands": len(picture.units),
        "core_seconds": round(seconds, 1),
        "memory_mib": LIBRARIES_MIB
        + SECOND_MIB
        + (held + band + tile + second_rows + (grid.rows * grid.cols * 16) >> 20),
    }


def _tried(pictures: list[Picture], stages: Stages) -> Speed | None:
    """Both stages on some parts of the largest picture."""
    from aoienet.scan.keep import passed_on, reasons
    from aoienet.scan.quality import Quality
    from aoienet.scan.runner import log_odds
    from aoienet.scan.sources import SourceError
    from aoienet.scan.tiles import block_grid

    some = [p for p in pictures if not p.error]
    if not some:
        return None
    picture = max(some, key=lambda p: p.height * p.width)
    parts = []
    with stages.open_source(picture.path) as source:
        for y, x in _places(picture):
            box = y, min(y + PROBE_PX, picture.height), x, min(x + PROBE_PX, picture.width)
            try:
                parts.append((source.window(*box), source.absent(*box)))
            except SourceError:
                continue
    seconds, shares, px = 0.0, [], 0
    for part, absent in parts:
        grid = block_grid(part.shape[0], part.shape[1], stages.geometry)
        padded = np.pad(
            part,
            [(0, grid.padded_height - part.shape[0]), (0, grid.padded_width - part.shape[1])]
            + [(0, 0)] * (part.ndim - 2),
            mode="reflect",
        )
        stages.run(padded)  # the first call makes the workspace
        took, logits = _timed(functools.partial(stages.run, padded))
        seconds, px = seconds + took, px + part.shape[0] * part.shape[1]
        scores = log_odds(logits, stages.decision.defect, stages.decision.temperature)
        quality = Quality(grid, stages.geometry, 0, stages.familiar)
        quality.add(part, absent)
        shares.append(passed_on(reasons(scores, stages.decision.threshold, quality, 0, stages.geometry)).mean())
    if not parts:
        return None
    return Speed(px / max(seconds, 1e-9), _second_speed(stages, parts[0][0]), float(np.mean(shares)))


def _second_speed(stages: Stages, part: np.ndarray) -> float:
    """Pixels per second of a whole tile with its surroundings; small areas alone cost more."""
    from aoienet.segment import picture as segment

    if stages.segmenter is None:
        return float("inf")
    grey = part if part.ndim == 2 else part[..., 1]
    image = grey if stages.segmenter.channels == 1 else np.repeat(grey[..., None], 3, axis=2)
    image = image[:512, :512]
    segment(stages.segmenter, image)
    took, _ = _timed(functools.partial(segment, stages.segmenter, image))
    return image.shape[0] * image.shape[1] / max(took, 1e-9)


def _places(picture: Picture) -> list[tuple[int, int]]:
    """Corners of the parts, on the diagonal."""
    last_y, last_x = max(0, picture.height - PROBE_PX), max(0, picture.width - PROBE_PX)
    return [(last_y * k // PROBES, last_x * k // PROBES) for k in range(1, PROBES)]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    before = time.perf_counter()
    result = work()
    return time.perf_counter() - before, result
