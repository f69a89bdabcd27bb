"""What `scan`, `merge` and `demo` share: the models joined to the cascade, a batch run to its end, the summary."""

from __future__ import annotations

import functools
import importlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aoienet.cli import _common
from aoienet.extras import install
from aoienet.weights import DEFAULT_SEGMENTER

if TYPE_CHECKING:
    from aoienet.report.finish import Options
    from aoienet.scan.batch import Batch
    from aoienet.scan.cascade import Stages
    from aoienet.scan.work import Picture, Plan

REQUEST_FORMAT = 4
INDEX = "index.html"  # the overview of a batch
SUMMARY = "summary.json"
OF_BATCH = (SUMMARY, "progress.json", INDEX)  # files in the folder of a batch, beside its journal
RESERVED = ("journal.jsonl", *OF_BATCH, "rows")  # names that no folder of a picture may have


class StagesError(ValueError):
    """Models that do not make a cascade."""


@dataclass(frozen=True)
class Request:
    """All that a result depends on, besides the pictures; kept as JSON in the work folder, so that a restart and a merge
    know what was asked for. Hashes are "" until the models are opened."""

    model: str
    segmenter: str | None = DEFAULT_SEGMENTER
    threshold: float | None = None
    model_sha256: str = ""
    segmenter_sha256: str = ""
    mm_per_px: float | None = None
    scale_origin: str = ""
    scale_points: Sequence[float] | None = None
    blur_px: float | None = None
    width_classes: dict[str, Any] | None = None
    fail_on: str | None = None
    white_level: int | None = None
    marker_mm: float | None = None
    nodata: str = "auto"


def open_stages(request: Request) -> Stages:
    """Both models; a worker calls it in its own process.

    Raises   StagesError: a model that is not for scanning, or another one than was asked for. UnknownModelError,
             SegmentError, GeometryError, FamiliarError, ValueError, OSError: no such model, a broken one.
    """
    from aoienet import weights
    from aoienet.engine import Model
    from aoienet.familiar import Familiar
    from aoienet.scan.cascade import Stages
    from aoienet.scan.keep import cell_px
    from aoienet.scan.runner import Decision
    from aoienet.scan.tiles import Geometry
    from aoienet.segment import load

    model = Model.open(weights.locate(request.model))
    if not model.scan:
        raise StagesError(
            f"{model.name} classifies whole pictures and has no scan geometry; "
            f"next: aoienet classify IMAGE... --model {shlex.quote(request.model)}"
        )
    segmenter = None if request.segmenter is None else load(request.segmenter)
    _same_model(request.model, request.model_sha256, model.sha256)
    if segmenter is not None:
        _same_model(str(request.segmenter), request.segmenter_sha256, segmenter.sha256)
    entry = model.scan
    certificate = _certificate(model.header, "" if segmenter is None else segmenter.sha256)
    geometry = Geometry.from_header(entry)
    statistics = model.header.get("meta", {}).get("familiar")
    own = float(certificate.get("threshold", entry["threshold"]))
    level = own if request.threshold is None else request.threshold
    return Stages(
        run=model.run,
        classes=list(model.classes),
        channels=int(model.header["input"]["channels"]),
        geometry=geometry,
        decision=Decision(int(entry["defect"]), float(entry["temperature"]), level),
        segmenter=segmenter,
        model={"name": model.name, "sha256": model.sha256, "classes": list(model.classes)},
        second_stage={}
        if segmenter is None
        else {"name": segmenter.name, "sha256": segmenter.sha256, "threshold": segmenter.threshold},
        certificate=certificate if level == own else {},
        set_aside=own if certificate and level != own else None,
        familiar=None if statistics is None else Familiar.from_meta(statistics, cell_px(geometry), geometry.halo_px),
        white_level=request.white_level,
        marker_mm=request.marker_mm,
        nodata=request.nodata,
        scale_points=request.scale_points,
    )


def _certificate(header: dict[str, Any], second_sha256: str) -> dict[str, Any]:
    """What the model file says about its miss rate, with cracks followed only where this second stage follows them; {} where it says
    nothing."""
    found = header.get("meta", {}).get("certificate")
    if not isinstance(found, dict):
        return {}
    followed = found.get("followed")
    same = isinstance(followed, dict) and followed.get("sha256") == second_sha256
    return {k: v for k, v in found.items() if same or k != "followed"}


def _same_model(name: str, wanted: str, received: str) -> None:
    if wanted and wanted != received:
        raise StagesError(
            f"{name} must be the file with SHA-256 {wanted[:12]}..., which the scan was begun with; received {received[:12]}...: "
            "put the same file there"
        )


def opened(request: Request) -> tuple[Request, Stages]:
    """The models and the request with their hashes; wrong use leaves with exit code 1."""
    import math

    if request.threshold is not None and not math.isfinite(request.threshold):
        _common.fail(f"--threshold must be a finite number of log-odds; received {request.threshold}.")
    try:
        importlib.import_module("aoienet.engine")
    except ImportError as error:
        _common.fail(f"the compiled runtime is missing ({error}); {install()}")
    with _common.wrong_use_is_exit_1(ValueError, RuntimeError, OSError):
        stages = open_stages(request)
    second = "" if stages.segmenter is None else stages.segmenter.sha256
    return replace(request, model_sha256=stages.model["sha256"], segmenter_sha256=second), stages


def plan_of(request: Request, out: Path, base: Path = Path()) -> Plan:
    """The plan of a request; base: the folder that relative paths of pictures start from on another machine."""
    from aoienet.measure import Settings
    from aoienet.report.finish import finish
    from aoienet.scan.batch import WORK
    from aoienet.scan.work import Plan

    settings = Settings(blur_px=request.blur_px)
    return Plan(functools.partial(open_stages, request), settings, finish, options_of(request), out / WORK, base)


def options_of(request: Request) -> Options:
    """What the outputs need to know."""
    from aoienet.measure.classes import Classes, WidthClass
    from aoienet.report.finish import Options, Rule

    classes = None
    if request.width_classes is not None:
        kept = {**request.width_classes, "classes": tuple(WidthClass(**c) for c in request.width_classes["classes"])}
        classes = Classes(**kept)
    rule = None if request.fail_on is None else Rule.parse(request.fail_on)
    return Options(request.mm_per_px, request.scale_origin, classes, rule)


def request_as_json(request: Request, pictures: list[Picture], stream: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the work folder keeps."""
    from aoienet import __version__

    return {
        "format": REQUEST_FORMAT,
        "aoienet": __version__,
        **asdict(request),
        "stream": stream,
        "pictures": [_facts(p) for p in pictures],
    }


def _facts(picture: Picture) -> dict[str, Any]:
    """What tells whether a picture is the same: length and samples. The time of a file differs between copies on two machines."""
    from aoienet.scan.sources import sampled_sha256

    facts = {"input": str(picture.path)}
    try:
        if not picture.path.is_file():  # a pipe would be waited for
            return facts
        return {"bytes": picture.path.stat().st_size, "sampled_sha256": sampled_sha256(picture.path), **facts}
    except OSError:
        return facts


def run_batch(batch: Batch, stages: Stages, jobs: int, dask: str | None = None) -> None:
    """Do all tasks: on a cluster, in this process, or in several."""
    from aoienet.scan.run import local

    if dask is not None:
        from aoienet.scan.run.dask import run_on_cluster

        run_on_cluster(batch, stages, dask)
        return
    units = batch.known_units
    processes = jobs if units is None else max(1, min(jobs, units))
    if processes == 1:
        local.run_here(batch, stages, threads=jobs)
    else:
        local.run_processes(batch, processes, threads=max(1, jobs // processes))


def held_against(pictures: list[Picture], request: Request, stages: Stages) -> list[Picture]:
    """The pictures; those that cannot be held against a rule in millimetres fail before the work, not after it."""
    from aoienet.report.finish import needs_scale
    from aoienet.scan.sources import open_source

    options = options_of(request)
    if options.rule is None or not options.rule.needs_scale or options.mm_per_px is not None:
        return pictures
    made = []
    for picture in pictures:
        if not picture.error:
            with open_source(picture.path, stages.channels) as source:
                wrong = needs_scale(options, picture, source.geo)
            picture = replace(picture, units=(), error=wrong) if wrong else picture
        made.append(picture)
    return made


def pictures_of(paths: list[Path], out: Path, stages: Stages) -> list[Picture]:
    """All pictures with their units and folders; one picture alone has the output folder itself."""
    from aoienet.scan.work import plan_picture

    folders = folders_of(paths, out)
    return [plan_picture(k, path, folder, stages) for k, (path, folder) in enumerate(zip(paths, folders, strict=True))]


def folders_of(paths: list[Path], out: Path) -> list[Path]:
    """Where the outputs of each picture go."""
    return [out] if len(paths) == 1 else folder_names(paths, out)


def _usable(name: str) -> bool:
    """Whether a file system takes it, a listing shows it and no command reads it as an option."""
    return not name.startswith((".", "-")) and len(name.encode()) <= 255


def folder_names(paths: list[Path], out: Path) -> list[Path]:
    """One folder per picture, by the first of these names that no other picture could have and no file of the batch has:
    stem, name, folder-stem, stem-hash of the path. Order does not matter."""
    import hashlib
    from collections import Counter

    options = [(p.stem, p.name, f"{p.parent.name}-{p.stem}") for p in paths]
    count = Counter(word for some in options for word in {name.casefold() for name in some})
    count.update(dict.fromkeys(RESERVED, 1))
    return [
        out
        / next(
            (name for name in some if count[name.casefold()] == 1 and _usable(name)),
            f"{p.stem.lstrip('.').encode()[:200].decode(errors='ignore')}-{hashlib.sha256(str(p).encode()).hexdigest()[:8]}",
        )
        for p, some in zip(paths, options, strict=True)
    ]


def summary_of(batch: Batch, request: Request, out: Path) -> dict[str, Any]:
    """summary.json: every picture of the batch, done or failed. It holds no times, so equal scans give equal bytes."""
    from aoienet import __version__

    inputs = []
    for state in batch.states:
        entry: dict[str, Any] = {"input": str(state.picture.path)}
        if state.failed is not None:
            entry |= {"status": "failed", "error": state.failed[1]}
        elif state.result is not None:
            folder = state.picture.folder
            entry |= {"status": "done", "folder": str(folder.relative_to(out)), **state.result}
        else:
            entry |= {"status": "in parts", "units": len(state.lines)}
        inputs.append(entry)
    return {
        "aoienet": __version__,
        "model": {"name": request.model, "sha256": request.model_sha256},
        "segmenter": {"name": request.segmenter, "sha256": request.segmenter_sha256},
        "fail_on": request.fail_on,
        "inputs": inputs,
        "failed": sum(e["status"] == "failed" for e in inputs),
        "rule_met": sum(bool(e.get("rule_met")) for e in inputs),
    }


def end(batch: Batch, request: Request, stages: Stages, out: Path) -> dict[str, Any]:
    """Write the summary and the overview, bring the journal into its final order, clear the work folder."""
    from aoienet.files import write_json

    document = summary_of(batch, request, out)
    write_json(out / SUMMARY, document)
    write_overview(batch, request, stages, out)
    batch.close()
    return document


def write_overview(batch: Batch, request: Request, stages: Stages, out: Path) -> None:
    """index.html of a batch as it stands. One picture alone has its report in its place, and a shard finishes no picture."""
    from aoienet import __version__
    from aoienet.report import words
    from aoienet.report.finish import settings_of
    from aoienet.report.index import Overview, write_index

    if not batch.finishes or alone(batch, out):
        return
    overview = Overview(
        model=words.models(stages.model, stages.second_stage),
        certificate=words.rows(stages.certificate),
        promise=words.promise(stages.certificate, stages.decision.threshold, stages.set_aside),
        settings=words.rows(settings_of(stages, batch.plan.settings)),
        versions=[("aoienet", __version__)],
        measured=stages.segmenter is not None,
        classes="" if request.width_classes is None else request.width_classes["name"],
    )
    write_index(out / INDEX, summary_of(batch, request, out), overview)


def alone(batch: Batch, out: Path) -> bool:
    """No picture has a folder of its own: the only one there is has the output folder itself."""
    return all(state.picture.folder == out for state in batch.states)


def to_open(batch: Batch, out: Path) -> Path | None:
    """What to look at first; None: nothing is there, as of a picture alone that failed, and of a shard before it is merged."""
    if not batch.finishes:
        return None
    if not alone(batch, out):
        return out / INDEX
    return out / "report.html" if any(state.result is not None for state in batch.states) else None


def exit_code(document: dict[str, Any]) -> int:
    """3: a picture meets the rule of --fail-on; 2: some inputs failed; else 0."""
    return 3 if document["rule_met"] else 2 if document["failed"] else 0


Shown = Callable[[dict[str, Any]], None]


def bar(quiet: bool) -> Any:
    """A bar on stderr while a terminal looks at it, as a context that gives a function for Watch."""
    import contextlib
    import sys

    @contextlib.contextmanager
    def nothing() -> Iterator[Shown]:
        yield lambda words: None

    @contextlib.contextmanager
    def shown() -> Iterator[Shown]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn("{task.fields[done]}"), BarColumn(), TextColumn("{task.fields[words]}"))
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("", done="starting", words="", total=None)

            def show(words: dict[str, Any]) -> None:
                done, total = words["megapixels_done"], words["megapixels"]
                progress.update(task, completed=done, total=total, done=_done(words), words=_words(words))

            yield show

    return nothing() if quiet or not sys.stderr.isatty() else shown()


def _done(words: dict[str, Any]) -> str:
    total = "" if words["megapixels"] is None else f" of {words['megapixels']:.0f}"
    return f"{words['megapixels_done']:.0f}{total} MP"


def _words(words: dict[str, Any]) -> str:
    dropped = "" if words["dropped_share"] is None else f", {100 * words['dropped_share']:.1f} % dropped"
    left = "" if words["seconds_left"] is None else f", {words['seconds_left']:.0f} s left"
    return f"{words['megapixels_per_s']:.1f} MP/s{dropped}, {words['crack_parts_so_far']} parts of cracks{left}"
