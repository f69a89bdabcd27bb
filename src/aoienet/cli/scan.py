"""aoienet scan: photographs of any size -> table of blocks, summary, heat map."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aoienet.cli import _common

if TYPE_CHECKING:
    from aoienet.engine import Model
    from aoienet.report.run import Job


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("scan")(scan)


def scan(
    images: Annotated[list[Path], typer.Argument(help="JPEG, PNG, TIFF or BigTIFF.", metavar="IMAGE...")],
    out: Annotated[Path, typer.Option(help="Folder for blocks.csv, summary.json, overlay.png.")],
    model: Annotated[str, typer.Option(help="Name of a shipped model or path of an .aoie file.")] = "crack_blocks",
    threshold: Annotated[
        float | None, typer.Option(help="Keep blocks of this score (log-odds) or more; default: the model's.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Threads; default: all cores. The result does not depend on it.")
    ] = None,
    tile_px: Annotated[int, typer.Option(min=1, help="Side of a tile; the result does not depend on it.")] = 1024,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that holds files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as one JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Scan photographs for defects, block by block."""
    from aoienet.report.files import OutputError, open_folder
    from aoienet.report.run import scan_files

    opened = _common.open_model(model)
    job = make_job(opened, threshold, jobs, tile_px)
    with _common.wrong_use_is_exit_1(OutputError):
        open_folder(out, overwrite)
        with _common.progress_bar(quiet) as bar:
            document = scan_files(job, images, out, bar, _common.peak_memory_mib)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _show(document, out)
    for entry in document["inputs"]:
        if entry["status"] == "failed":
            print(f"error: {entry['error']}", file=sys.stderr)
    if document["failed"]:
        raise typer.Exit(2)


def make_job(model: Model, threshold: float | None, jobs: int | None, tile_px: int = 1024) -> Job:
    """A scan job of an opened model; leaves with exit code 1 when the model is not for scanning."""
    import math

    from aoienet.report.run import Job
    from aoienet.scan.runner import Decision
    from aoienet.scan.tiles import Geometry, GeometryError

    if not model.scan:
        _common.fail(
            f"{model.name} classifies whole pictures and has no scan geometry; "
            f"next: aoienet classify IMAGE... --model {model.name}"
        )
    if threshold is not None and not math.isfinite(threshold):
        _common.fail(f"--threshold must be a finite number of log-odds; received {threshold}.")
    entry = model.scan
    level = float(entry["threshold"]) if threshold is None else threshold
    with _common.wrong_use_is_exit_1(GeometryError, ValueError):
        return Job(
            run=model.run,
            classes=list(model.classes),
            channels=_common.channels_of(model),
            geometry=Geometry.from_header(entry),
            decision=Decision(int(entry["defect"]), float(entry["temperature"]), level),
            model={"name": model.name, "sha256": model.sha256, "classes": list(model.classes), "isa": model.isa},
            jobs=_common.default_jobs() if jobs is None else jobs,
            tile_hw=(tile_px, tile_px),
        )


def _show(document: dict, out: Path) -> None:
    rows = []
    for e in document["inputs"]:
        if e["status"] == "failed":
            rows.append([Path(e["input"]).name, "failed", "", "", "", ""])
            continue
        rows.append(
            [
                Path(e["input"]).name,
                f"{e['width_px']}x{e['height_px']}",
                e["blocks"],
                e["blocks_kept"],
                f"{100 * e['area_dropped_share']:.1f} %",
                f"{e['megapixels_per_s']:.1f}",
            ]
        )
    _common.print_table(["picture", "px", "blocks", "kept", "area dropped", "MP/s"], rows)
    print(f"look at: {out}")
