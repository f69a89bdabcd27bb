"""aoienet demo: a generated surface with known cracks, scanned by the whole cascade and scored."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from aoienet.cli import _cascade, _common
from aoienet.weights import DEFAULT_SEGMENTER

HEIGHT_PX, WIDTH_PX = 6144, 8448  # 51.9 megapixels


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the surface and the results.")] = Path("aoienet-demo"),
    model: Annotated[str, typer.Option(help="First stage: a shipped model or an .aoie file.")] = "crack_blocks",
    segmenter: Annotated[
        str, typer.Option(help="Second stage: binary, light, an .onnx or .aoie file.")
    ] = DEFAULT_SEGMENTER,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the surface.")] = 1,
    height_px: Annotated[int, typer.Option(min=256, help="Height of the surface.")] = HEIGHT_PX,
    width_px: Annotated[int, typer.Option(min=256, help="Width of the surface.")] = WIDTH_PX,
    threshold: Annotated[
        float | None, typer.Option(help="Look closer from this score (log-odds) on; default: the model's.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Cores to use; default: all.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that holds files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Make a surface of 52 megapixels with known cracks, scan it, and say how well they were found and measured."""
    from aoienet import synth
    from aoienet.cli._earlier import remove_earlier
    from aoienet.cli.scan import WHOLE, Run, leave, run_pictures
    from aoienet.files import OutputError, atomic, open_folder
    from aoienet.report.truth import lines_of, score_against_truth
    from aoienet.scan.batch import begin

    request, stages = _cascade.opened(_cascade.Request(model=model, segmenter=segmenter, threshold=threshold))
    with _common.wrong_use_is_exit_1(OutputError):
        open_folder(out, overwrite)
        started = time.perf_counter()
        print(f"making a surface of {height_px * width_px / 1e6:.1f} megapixels ...", file=sys.stderr)
        made = synth.surface(height_px, width_px, seed)
        path = out / "surface.tif"
        with atomic(path) as temporary:
            synth.write_tiff(made, temporary)
        made_s = time.perf_counter() - started
        pictures = _cascade.pictures_of([path], out, stages)
        remove_earlier(out, [path])
        begin(out, _cascade.request_as_json(request, pictures), resume=False)
        run = Run(request, stages, out, _common.default_jobs() if jobs is None else jobs, WHOLE, None, quiet)
        document = run_pictures(run, pictures)
    if document["failed"]:
        leave(document)
    size_hw = (height_px, width_px)
    truth = score_against_truth(made.cracks, lines_of(out / "defects.geojson"), made.joints, size_hw)
    document["demo"] = {"seed": seed, "make_s": round(made_s, 3), **truth}
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _show(document, out)


def _show(document: dict[str, Any], out: Path) -> None:
    truth, entry, run = document["demo"], document["inputs"][0], document["run"]
    print(
        f"surface        {entry['width_px']} x {entry['height_px']} px, {entry['megapixels']} megapixels, "
        f"{truth['cracks']} known cracks"
    )
    print(
        f"cracks found   {truth['cracks_found']} of {truth['cracks']} ({_percent(truth['length_recall'])} of their length)"
    )
    print(
        f"found lines    {truth['lines']}, of which {truth['lines_right']} are cracks, {truth['lines_compact']} others marked compact, "
        "as pores are; "
        f"precision by length {_percent(truth['length_precision'])}"
    )
    width = "none" if truth["width_error_median_px"] is None else f"{truth['width_error_median_px']:.2f} px"
    print(
        f"errors         length {_percent(truth['length_error_median'])} ({_percent(truth['length_error_median_alone'])} of the "
        f"{truth['alone']} cracks that touch no other), width {width} (medians; "
        f"{truth['widths_compared']} widths could be told)"
    )
    print(
        f"joints         {truth['joints_recognised']} of {truth['joints']} drawn joints recognised; of what was found along them "
        f"{_percent(truth['joint_length_recognised'])} is called joint"
    )
    print(f"area dropped   {_percent(entry['area_dropped_share'])} by the first stage")
    print(
        f"time           {run['seconds']:.1f} s, {run['megapixels_per_s']:.1f} megapixels/s, {run['jobs']} jobs, "
        f"kernel {run['isa']}, peak memory {run['peak_memory_mib']} MiB (this process)"
    )
    for crack in truth["missed"]:
        print(
            f"missed         crack {crack['crack']}, {crack['length_px']} px long, "
            f"from x={crack['x_px']} y={crack['y_px']}, {_percent(crack['share_found'])} of it found"
        )
    print(f"look at        {out / 'report.html'} and {out / 'overlay.tif'}")


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.1f} %"
