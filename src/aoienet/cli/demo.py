"""aoienet demo: a generated surface with known cracks, scanned and scored."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from aoienet.cli import _common

HEIGHT_PX, WIDTH_PX = 6144, 8448  # 51.9 megapixels


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the surface, the tables and the heat map.")] = Path(
        "aoienet-demo"
    ),
    model: Annotated[str, typer.Option(help="Name of a shipped model or path of an .aoie file.")] = "crack_blocks",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the surface.")] = 1,
    height_px: Annotated[int, typer.Option(min=256, help="Height of the surface.")] = HEIGHT_PX,
    width_px: Annotated[int, typer.Option(min=256, help="Width of the surface.")] = WIDTH_PX,
    threshold: Annotated[
        float | None, typer.Option(help="Keep blocks of this score (log-odds) or more; default: the model's.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Threads; default: all cores.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that holds files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Make a surface of 52 megapixels with known cracks, scan it, and say how many were found."""
    from aoienet import synth
    from aoienet.cli.scan import make_job
    from aoienet.report.files import OutputError, atomic, open_folder, write_json
    from aoienet.report.run import scan_file, summary
    from aoienet.report.truth import score_against_truth

    job = make_job(_common.open_model(model), threshold, jobs)
    with _common.wrong_use_is_exit_1(OutputError):
        open_folder(out, overwrite)
        started = time.perf_counter()
        print(f"making a surface of {height_px * width_px / 1e6:.1f} megapixels ...", file=sys.stderr)
        made = synth.surface(height_px, width_px, seed)
        with atomic(out / "surface.tif") as temporary:
            synth.write_tiff(made, temporary)
        made_s = time.perf_counter() - started
        with _common.progress_bar(quiet) as bar:
            entry, result = scan_file(job, out / "surface.tif", out, bar("scanning"))
        truth = score_against_truth(made.cracks, result)
        document = {
            **summary(job, [entry], _common.peak_memory_mib()),
            "demo": {"seed": seed, "make_s": round(made_s, 3), **truth},
        }
        write_json(out / "summary.json", document)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _show(document, entry, out)


def _show(document: dict[str, Any], entry: dict[str, Any], out: Path) -> None:
    truth = document["demo"]
    print(
        f"surface        {entry['width_px']} x {entry['height_px']} px, {entry['megapixels']} megapixels, "
        f"{truth['cracks']} known cracks"
    )
    print(
        f"cracks found   {truth['cracks_found']} of {truth['cracks']} "
        f"({_percent(truth['length_recall'])} of their length)"
    )
    print(
        f"blocks         recall {_percent(truth['block_recall'])}, precision {_percent(truth['block_precision'])}, "
        f"{truth['blocks_kept']} of {truth['blocks']} kept, {truth['false_alarm_blocks']} on clean surface"
    )
    print(f"area dropped   {_percent(truth['area_dropped_share'])}: nobody needs to look there")
    print(
        f"time           {entry['time_s']['scan']:.1f} s, {entry['megapixels_per_s']:.1f} megapixels/s, "
        f"{document['scan']['jobs']} threads, "
        f"kernel {document['model']['isa']}, peak memory {document['peak_memory_mib']} MiB"
    )
    for crack in truth["missed"]:
        print(
            f"missed         crack {crack['crack']}, {crack['length_px']} px long, "
            f"from x={crack['x_px']} y={crack['y_px']}"
        )
    print(f"look at        {out / 'overlay.png'}")


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.1f} %"
