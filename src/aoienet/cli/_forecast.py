"""aoienet scan --dry-run: what a scan will take, told before the work."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from aoienet.cli import _common

if TYPE_CHECKING:
    from aoienet.cli._cascade import Request
    from aoienet.measure import Settings
    from aoienet.scan.cascade import Looker, Stages
    from aoienet.scan.sources import Source
    from aoienet.scan.sources.part import Box
    from aoienet.scan.work import Picture

PROBE_PX = 1024  # side of the parts that are scanned to learn speed and share
PROBES = 4  # of the largest picture
LIBRARIES_MIB = 170  # Python with NumPy, SciPy and ONNX Runtime
SECOND_MIB = 260  # windows of the second stage in flight, and what is measured
FINISH_S_PER_MP = 0.2  # of one core: cracks are put together and the outputs written, 10 s for the demo's 52 megapixels


@dataclass(frozen=True)
class Speed:
    """Of one core, both stages and measuring, and the share of the area that was passed on, on the parts that were tried."""

    px_per_s: float
    passed_on: float


def forecast(pictures: list[Picture], request: Request, stages: Stages, jobs: int, as_json: bool) -> None:
    """Print blocks, memory and time of a scan. Exit code 2: a picture cannot be scanned."""
    from aoienet.measure import Settings

    speed = _tried(pictures, stages, Settings(blur_px=request.blur_px))
    rows = [_of_picture(p, stages, speed) for p in pictures]
    good = [r for r in rows if "error" not in r]
    units = sum(r["bands"] for r in good)
    processes = max(1, min(jobs, units))
    document = {
        "pictures": rows,
        "jobs": jobs,
        "processes": processes,
        "seconds": None if speed is None else round(_of_jobs(good, max(1, jobs)), 1),
        "memory_mib": processes * max((r["memory_mib"] for r in good), default=0),
    }
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _show(document, speed)
    if len(good) < len(rows):
        raise typer.Exit(2)


def _of_jobs(rows: list[dict[str, Any]], jobs: int) -> float:
    """Seconds with so many jobs: the work shared out, but no sooner than the longest picture, whose bands are done so many at a time and
    whose outputs are written by one."""

    def alone(row: dict[str, Any]) -> float:
        finish = FINISH_S_PER_MP * row["megapixels"]
        return (row["core_seconds"] - finish) * math.ceil(row["bands"] / jobs) / row["bands"] + finish

    return max([sum(row["core_seconds"] for row in rows) / jobs, *map(alone, rows)])


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
    tile_hw = [side + stages.geometry.beside_px for side in DEFAULT_TILE_HW]
    workspace = getattr(stages.run, "__self__", None)
    tile = 0 if workspace is None else int(workspace.workspace_bytes(*tile_hw))
    band = 2 * min(BAND_BYTES, picture.width * tile_hw[0] * (stages.channels + told))
    second = stages.segmenter
    second_rows = 0 if second is None else picture.width * (TILE_PX + 2 * second.halo_px)
    px = picture.height * picture.width
    seconds = px / speed.px_per_s + FINISH_S_PER_MP * px / 1e6
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


def _tried(pictures: list[Picture], stages: Stages, settings: Settings) -> Speed | None:
    """Some parts of the largest picture, scanned and measured as in a scan."""
    from aoienet.scan.cascade import Unit
    from aoienet.scan.keep import passed_on
    from aoienet.scan.sources import SourceError

    some = [p for p in pictures if not p.error]
    if not some:
        return None
    picture = max(some, key=lambda p: p.height * p.width)
    seconds, px = 0.0, 0
    shares: list[float] = []
    with contextlib.ExitStack() as opened:

        @functools.cache
        def whole(channels: int | None) -> Source:
            return opened.enter_context(stages.open_source(picture.path, channels))

        for box in _places(picture):
            try:
                with _looker(stages, whole, box, picture.path, settings) as looker:
                    unit = Unit(0, 0, looker.source.height)
                    if not shares:
                        looker.look(unit)  # the first one makes workspaces and brings libraries in
                    took, found = _timed(functools.partial(looker.look, unit))
                    px += looker.source.height * looker.source.width
            except SourceError:
                continue
            seconds += took
            shares.append(float(passed_on(found.reasons_HW).mean()))
    return Speed(px / max(seconds, 1e-9), float(np.mean(shares))) if shares else None


def _looker(stages: Stages, whole: Callable[[int | None], Source], box: Box, path: Path, settings: Settings) -> Looker:
    """One of a part of the picture."""
    from aoienet.scan import cascade
    from aoienet.scan.sources import Part

    class Cut(cascade.Stages):
        def open_source(self, path: Path, channels: int | None = None) -> Source:
            return Part(whole(channels), box)

    return cascade.Looker(Cut(**vars(stages)), path, settings)


def _places(picture: Picture) -> list[Box]:
    """The parts, on the diagonal."""
    sides = picture.height, picture.width
    lasts = [max(0, side - PROBE_PX) for side in sides]
    corners = [[last * k // PROBES for last in lasts] for k in range(1, PROBES)]
    return [(y, min(y + PROBE_PX, sides[0]), x, min(x + PROBE_PX, sides[1])) for y, x in corners]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    before = time.perf_counter()
    result = work()
    return time.perf_counter() - before, result
