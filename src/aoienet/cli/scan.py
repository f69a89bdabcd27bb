"""aoienet scan: pictures of any size -> measured cracks, as tables, maps, masks and a report."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aoienet.cli import _cascade, _common
from aoienet.cli._cascade import Request
from aoienet.memory import peak_memory_mib
from aoienet.weights import DEFAULT_SEGMENTER

if TYPE_CHECKING:
    from aoienet.cli._stream import Form
    from aoienet.scan.batch import Batch
    from aoienet.scan.cascade import Stages
    from aoienet.scan.work import Picture

STREAM = "-"
WHOLE = (1, 1)  # the shard that is everything
UNITS, SCALES, STREAMS, MANY = "Models", "Scale and classes", "Line-scan stream (input -)", "Many cores, many machines"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("scan")(scan)


def scan(
    images: Annotated[
        list[str],
        typer.Argument(
            help='Pictures, folders, patterns in quotes ("site/**/*.tif"), @list.txt; - : rows on standard input.',
            metavar="IMAGE...",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    model: Annotated[
        str, typer.Option(help="First stage: a shipped model or an .aoie file.", rich_help_panel=UNITS)
    ] = "crack_blocks",
    segmenter: Annotated[
        str | None,
        typer.Option(
            help="Second stage: binary, light, an .onnx or .aoie file.",
            show_default=DEFAULT_SEGMENTER,
            rich_help_panel=UNITS,
        ),
    ] = None,
    first_stage_only: Annotated[
        bool, typer.Option("--first-stage-only", help="Mark suspicions; no masks, no measures.", rich_help_panel=UNITS)
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Look closer from this score (log-odds) on; default: the model file's.", rich_help_panel=UNITS
        ),
    ] = None,
    mm_per_px: Annotated[
        float | None, typer.Option(help="Side of a pixel on the surface, mm.", rich_help_panel=SCALES)
    ] = None,
    scale_points: Annotated[
        str | None,
        typer.Option(
            help="X1,Y1,X2,Y2,MM: two points of the picture and their distance, as of a scale bar.",
            rich_help_panel=SCALES,
        ),
    ] = None,
    marker_mm: Annotated[
        float | None,
        typer.Option(
            help="Side of the black square, mm, of the markers (AprilTag 36h11, ArUco 4x4_50) in each picture.",
            rich_help_panel=SCALES,
        ),
    ] = None,
    blur_px: Annotated[
        float | None, typer.Option(help="Sigma of the optical blur, if it is known.", rich_help_panel=SCALES)
    ] = None,
    width_classes: Annotated[
        str | None,
        typer.Option(help="ec2, aci224r, osim, en10163, or a .json or .toml file.", rich_help_panel=SCALES),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help='Exit code 3 where a picture meets it: "width_max_mm>=0.3 and length_mm>=20", "cracks>0", "joint.width_max_mm>=5".'
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Cores to use; default: all. The result does not depend on it.", rich_help_panel=MANY),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="I/N: do this part of the work; then aoienet merge.", rich_help_panel=MANY)
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler whose workers do the work.", rich_help_panel=MANY)
    ] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Pixels per row.", rich_help_panel=STREAMS)] = None,
    channels: Annotated[int | None, typer.Option(help="1 grey (default), 3 RGB.", rich_help_panel=STREAMS)] = None,
    dtype: Annotated[str | None, typer.Option(help="uint8 (default), uint16 or >u2.", rich_help_panel=STREAMS)] = None,
    white_level: Annotated[
        int | None,
        typer.Option(help="Largest sample, of pictures of more than 8 bits too: 4095 of a 12-bit camera."),
    ] = None,
    nodata: Annotated[
        str,
        typer.Option(
            help="Where nothing was photographed, as beside a mosaic: auto (alpha, a mask or a level in the file), none, or the level, as 0."
        ),
    ] = "auto",
    rows: Annotated[
        int | None, typer.Option(min=1, help="Rows per picture; default: all in one.", rich_help_panel=STREAMS)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a scan that was interrupted.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that holds files.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print blocks, memory and time; do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as one JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Find and measure cracks: a first stage looks at every block, a second one segments what it keeps."""
    streams = STREAM in images
    if not streams and (
        wrong := [
            n for n, v in (("--width", width), ("--channels", channels), ("--dtype", dtype), ("--rows", rows)) if v
        ]
    ):
        _common.fail(
            f"{wrong[0]} tells how rows on standard input come; received it for files: leave it out, or scan -"
        )
    if first_stage_only and fail_on is not None:
        _common.fail(
            "--fail-on speaks of measured cracks, and --first-stage-only measures none: leave one of them out."
        )
    if first_stage_only and segmenter is not None:
        _common.fail(
            f"--first-stage-only runs no second stage; received --segmenter {segmenter} too: leave one of them out."
        )
    request = Request(
        model=model,
        segmenter=None if first_stage_only else segmenter or DEFAULT_SEGMENTER,
        threshold=threshold,
        blur_px=_checked_blur(blur_px),
        fail_on=_checked_rule(fail_on),
        white_level=None if streams else _checked_level(white_level),
        nodata=_checked_nodata(nodata),
        **_scale(mm_per_px, scale_points, marker_mm),
        **_classes(width_classes),
    )
    request, stages = _cascade.opened(request)
    run = Run(request, stages, out, _common.default_jobs() if jobs is None else jobs, _part(shard), dask, quiet)
    form = _form(images, width, channels, dtype, white_level, rows, shard)
    if form is not None:
        _check_size(form, stages, request)
    if dry_run:
        from aoienet.cli._forecast import forecast

        forecast(_pictures(images, run), request, stages, run.jobs, as_json)
        return
    document = _run_to_the_end(run, images, form, resume, overwrite)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        show(document)
    leave(document)


@dataclass(frozen=True)
class Run:
    """One scan: what is asked for, where it goes, who does it."""

    request: Request
    stages: Stages
    out: Path
    jobs: int
    part: tuple[int, int]
    dask: str | None
    quiet: bool


def _run_to_the_end(run: Run, images: list[str], form: Form | None, resume: bool, overwrite: bool) -> dict[str, Any]:
    from aoienet.cli._earlier import remove_earlier
    from aoienet.files import OutputError, open_folder
    from aoienet.scan.batch import PLAN, WORK, begin
    from aoienet.segment import SegmentError

    with _common.wrong_use_is_exit_1(OutputError, SegmentError):
        pictures = [] if form is not None else _pictures(images, run)
        request = _cascade.request_as_json(run.request, pictures, None if form is None else asdict(form))
        if not (overwrite or resume) and (run.out / WORK / PLAN).is_file():
            raise OutputError(
                f"the output folder must be empty; received {run.out}, which holds a scan that was interrupted, is a shard or has failed "
                "pictures; next: the same command with --resume, which keeps what is done, another folder, or --overwrite"
            )
        open_folder(run.out, overwrite or resume)
        if not resume:
            remove_earlier(run.out, [p.path for p in pictures])
        begun = (run.out / WORK / PLAN).is_file()
        begin(run.out, request, resume)
        if form is None:
            return run_pictures(run, pictures)
        from aoienet.cli._stream import Stream

        with Stream(form, run.out, run.stages, resume and begun) as stream:
            return run_pictures(run, stream)


def run_pictures(run: Run, pictures: list[Picture] | Iterator[Picture | None]) -> dict[str, Any]:
    """Do all tasks and write the summary; what stops it leaves whole files, and says how to go on."""
    import time

    from aoienet.files import OutputError
    from aoienet.report.live import Watch
    from aoienet.scan.batch import Batch
    from aoienet.scan.run.dask import ClusterError
    from aoienet.scan.run.local import LostWorkerError

    started = time.perf_counter()
    known = pictures if isinstance(pictures, list) else None
    mine = _share(known or [], run.part)
    base = Path.cwd() if run.dask is not None else Path()
    with _cascade.bar(run.quiet) as shown:
        watch = Watch(run.out, None, shown)
        plan = _cascade.plan_of(run.request, run.out, base)
        batch = Batch(run.out, plan, iter(pictures), finish=run.part == WHOLE, watch=watch, mine=mine)
        watch.progress.px_total = batch.known_px
        try:
            watch.begin()
            _cascade.run_batch(batch, run.stages, run.jobs, run.dask)
        except KeyboardInterrupt:
            print(f"interrupted; {_stopped(run, batch)}", file=sys.stderr)
            raise typer.Exit(130) from None
        except (OutputError, LostWorkerError, ClusterError) as error:
            _common.fail(f"{error}; {_stopped(run, batch)}")
        finally:
            watch.close()
    document = _cascade.end(batch, run.request, run.stages, run.out)
    seconds = time.perf_counter() - started
    first = _cascade.to_open(batch, run.out)
    opens = {"open": None if first is None else str(first)}
    return {**document, "run": {**_of_this_run(run, watch.progress.px_done, seconds), **opens}}


def _of_this_run(run: Run, px: int, seconds: float) -> dict[str, Any]:
    """What differs from run to run; printed, never written into the folder."""
    return {
        "jobs": run.jobs,
        "isa": getattr(getattr(run.stages.run, "__self__", None), "isa", None),
        "seconds": round(seconds, 3),
        "megapixels": round(px / 1e6, 3),
        "megapixels_per_s": round(px / 1e6 / seconds, 3),
        "peak_memory_mib": peak_memory_mib(),
    }


def _share(pictures: list[Picture], part: tuple[int, int]) -> Callable[[Picture, int], bool]:
    """Which units belong to a shard: an equal stretch of all units in order."""
    number, parts = part
    first, total = {}, 0
    for picture in pictures:
        first[picture.index] = total
        total += len(picture.units)
    return lambda picture, band: part == WHOLE or (first[picture.index] + band) * parts // total == number - 1


def _stopped(run: Run, batch: Batch) -> str:
    """Leave whole files and an overview of what is done; gives the words of how to go on."""
    import contextlib

    from aoienet.files import OutputError
    from aoienet.scan.batch import clear_halves

    clear_halves(run.out)
    with contextlib.suppress(OutputError):  # a full disk may be why it stopped
        _cascade.write_overview(batch, run.request, run.stages, run.out)
    done, finished = sum(len(s.lines) for s in batch.states), any(s.result is not None for s in batch.states)
    look = f" ({_cascade.to_open(batch, run.out)})" if finished and batch.finishes else ""
    return f"{done} bands of {len(batch.states)} pictures are done and kept{look}: go on with the same command and --resume"


def _checked_rule(text: str | None) -> str | None:
    from aoienet.report.finish import Rule, RuleError

    with _common.wrong_use_is_exit_1(RuleError):
        return None if text is None else Rule.parse(text).text


def _scale(mm_per_px: float | None, points: str | None, marker_mm: float | None) -> dict[str, Any]:
    """Millimetres per pixel and where they are from."""
    from aoienet.measure.marker import checked_side
    from aoienet.measure.scale import ScaleError, from_points, from_value

    options = {"--mm-per-px": mm_per_px, "--scale-points": points, "--marker-mm": marker_mm}
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        _common.fail(f"{' and '.join(given)} say the same thing; received together: give one of them.")
    if not given:
        return {}
    with _common.wrong_use_is_exit_1(ScaleError):
        if marker_mm is not None:
            return {"marker_mm": checked_side(marker_mm)}
        if mm_per_px is not None:
            from_value(mm_per_px)
            return {"mm_per_px": mm_per_px, "scale_origin": "--mm-per-px"}
        try:
            x0, y0, x1, y1, mm = (float(v) for v in str(points).split(","))
        except ValueError:
            _common.fail(f"--scale-points is X1,Y1,X2,Y2,MM; received {points!r}.")
        found = from_points((x0, y0), (x1, y1), mm)
    return {"mm_per_px": found.mm_per_px, "scale_origin": found.words, "scale_points": [x0, y0, x1, y1]}


def _checked_blur(sigma_px: float | None) -> float | None:
    from aoienet.measure import Settings

    with _common.wrong_use_is_exit_1(ValueError):
        return Settings(blur_px=sigma_px).blur_px


def _checked_nodata(text: str) -> str:
    from aoienet.scan.sources import SourceError
    from aoienet.scan.sources.base import checked_nodata

    with _common.wrong_use_is_exit_1(SourceError):
        checked_nodata(text, 16)
    return text


def _classes(name: str | None) -> dict[str, Any]:
    from aoienet.measure.classes import ClassesError, load

    with _common.wrong_use_is_exit_1(ClassesError):
        return {} if name is None else {"width_classes": asdict(load(name))}


def _part(shard: str | None) -> tuple[int, int]:
    if shard is None:
        return WHOLE
    number, _, parts = shard.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        _common.fail(f"--shard is I/N with I from 1 to N, as 3/8; received {shard!r}.")
    return int(number), int(parts)


def _form(
    images: list[str],
    width: int | None,
    channels: int | None,
    dtype: str | None,
    white_level: int | None,
    rows: int | None,
    shard: str | None,
) -> Form | None:
    """How rows come, where the input is a stream."""
    if STREAM not in images:
        return None
    if images != [STREAM] or shard is not None:
        _common.fail(
            "a stream (-) is the only input, and cannot be shared out to shards; scan other pictures by themselves."
        )
    if width is None:
        _common.fail("rows on standard input have no header: --width PIXELS must be given.")
    from aoienet.cli._stream import Form
    from aoienet.scan.sources import SourceError

    with _common.wrong_use_is_exit_1(SourceError):
        form = Form(width, 1 if channels is None else channels, dtype if dtype else "uint8", white_level, rows)
        form.raw()
    return form


def _check_size(form: Form, stages: Stages, request: Request) -> None:
    """What no picture of the stream could fulfil is told before it comes."""
    block = stages.geometry.block_px
    if form.width < block or (form.rows is not None and form.rows < block):
        _common.fail(
            f"a picture must hold at least one block of {block}x{block} px; received --width {form.width}, --rows {form.rows}."
        )
    rule = _cascade.options_of(request).rule
    if rule is not None and rule.needs_scale and request.mm_per_px is None and request.marker_mm is None:
        _common.fail(f"the rule {rule.text!r} needs a scale, and rows have none; next: --mm-per-px NUMBER")


def _checked_level(level: int | None) -> int | None:
    if level is not None and not 256 <= level <= 65535:
        _common.fail(f"--white-level is of samples of 9 to 16 bits, from 256 to 65535; received {level}.")
    return level


def _pictures(images: list[str], run: Run) -> list[Picture]:
    from aoienet.scan.sources import SourceError, find_pictures

    with _common.wrong_use_is_exit_1(SourceError):
        if STREAM in images:
            _common.fail("a stream cannot be looked at before it comes; leave --dry-run out.")
        pictures = _cascade.pictures_of(find_pictures(images, run.out), run.out, run.stages)
    return _cascade.held_against(pictures, run.request, run.stages)


def show(document: dict[str, Any]) -> None:
    """The summary for a reader."""
    from aoienet.report.index import names as names_of

    names = ["picture", "px", "dropped", "unfamiliar", "cracks", "length", "greatest width", "joints"]
    lines = []
    for e, name in zip(document["inputs"], map(_common.one_line, names_of(document["inputs"])), strict=True):
        if e["status"] != "done":
            lines.append([name, e["status"], *[""] * (len(names) - 2)])
            continue
        unit = "mm" if "length_mm" in e else "px"
        widest, strange = e[f"width_max_{unit}"], e["area_unfamiliar_share"]
        measured = e["cracks"] is not None
        lines.append(
            [
                name,
                f"{e['width_px']}x{e['height_px']}",
                f"{100 * e['area_dropped_share']:.1f} %",
                "not looked for" if strange is None else f"{100 * strange:.1f} %",
                e["cracks"] if measured else "not measured",
                f"{e[f'length_{unit}']:.0f} {unit}" if measured else "",
                "" if widest is None else f"{widest:.3g} {unit}",
                e["joints"] if measured else "",
            ]
        )
    _common.print_table(names, lines)
    for line in _warnings(document["inputs"]):
        print(f"warning: {_common.one_line(line)}")
    run = document["run"]
    print(
        f"{run['megapixels']:.1f} megapixels in {run['seconds']:.1f} s, {run['megapixels_per_s']:.1f} MP/s, "
        f"{run['jobs']} jobs, peak memory {run['peak_memory_mib']} MiB (this process)"
    )
    if run["open"] is not None:
        print(f"open {run['open']}")
    elif any(e["status"] == "in parts" for e in document["inputs"]):
        print("next: aoienet merge with the folders of all shards")


def _warnings(inputs: list[dict[str, Any]]) -> list[str]:
    """Each warning once, with the pictures that it is of where it is not of all."""
    of: dict[str, list[str]] = {}
    for e in inputs:
        for warning in e.get("warnings", []):
            of.setdefault(warning, []).append(e["input"])
    lines = []
    for warning, some in of.items():
        more = f" and {len(some) - 3} more" if len(some) > 3 else ""
        lines.append(warning if len(some) == len(inputs) else f"{warning} ({', '.join(some[:3])}{more})")
    return lines


def leave(document: dict[str, Any]) -> None:
    """Failures on stderr, and the exit code."""
    for entry in document["inputs"]:
        if entry["status"] == "failed":
            print(f"error: {_common.one_line(entry['error'])}", file=sys.stderr)
    code = _cascade.exit_code(document)
    if code == 3:
        print(f"{document['rule_met']} pictures meet the rule {document['fail_on']}", file=sys.stderr)
    if code:
        raise typer.Exit(code)
