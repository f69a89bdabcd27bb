"""aoienet merge: the shards of one scan become its result."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from aoienet.cli import _cascade, _common


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("merge")(merge)


def merge(
    shards: Annotated[
        list[Path], typer.Argument(help="Output folders of scan --shard 1/N ... N/N.", metavar="SHARD...")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    jobs: Annotated[int | None, typer.Option(min=1, help="Cores to use; default: all.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that holds files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as one JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Put the shards of one scan together; the result is that of one scan without shards, byte by byte."""
    from aoienet.cli._earlier import remove_earlier
    from aoienet.cli.scan import WHOLE, Run, leave, run_pictures, show
    from aoienet.files import OutputError, open_folder

    with _common.wrong_use_is_exit_1(OutputError):
        if out.resolve() in [shard.resolve() for shard in shards]:
            raise OutputError(f"--out must be none of the shards; received {out}; next: another folder with --out")
        plan = _same_plan(shards)
        request = _cascade.Request(**{f.name: plan[f.name] for f in fields(_cascade.Request)})
        request, stages = _cascade.opened(request)
        pictures = _cascade.pictures_of([Path(p["input"]) for p in plan["pictures"]], out, stages)
        pictures = _cascade.held_against(pictures, request, stages)
        _check_unchanged(plan, _cascade.request_as_json(request, pictures))
        _check_complete(shards, pictures)
        open_folder(out, overwrite)
        remove_earlier(out, [p.path for p in pictures])
        _gather(shards, out, plan)
        run = Run(request, stages, out, _common.default_jobs() if jobs is None else jobs, WHOLE, None, quiet)
        document = run_pictures(run, pictures)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        show(document)
    leave(document)


def _same_plan(shards: list[Path]) -> dict[str, Any]:
    """The plan that all shards share."""
    from aoienet.files import OutputError
    from aoienet.scan.batch import PLAN, WORK

    plans = []
    for shard in shards:
        path = shard / WORK / PLAN
        if not path.is_file():
            raise OutputError(f"a shard is the folder of scan --shard; received {shard}, which has no {WORK}/{PLAN}")
        plans.append(json.loads(path.read_text("utf-8")))
    for shard, plan in zip(shards, plans, strict=True):
        if plan.get("format") != _cascade.REQUEST_FORMAT:
            raise OutputError(
                f"a shard has format {_cascade.REQUEST_FORMAT}; received {shard}, which has {plan.get('format')}; "
                "next: scan it with this version, or merge with the one that scanned it"
            )
        if plan != plans[0]:
            key = next(k for k in plan if plan[k] != plans[0].get(k))
            raise OutputError(f"shards must be of one scan; {shards[0]} and {shard} differ in {key}")
    return plans[0]


def _check_unchanged(plan: dict[str, Any], now: dict[str, Any]) -> None:
    from aoienet.files import OutputError

    for before, after in zip(plan["pictures"], now["pictures"], strict=True):
        if before != after:
            raise OutputError(
                f"{before['input']} must be as it was when the shards were scanned, and be found from this folder; "
                f"it was {_words(before)}, now it is {_words(after)}; next: put the same file there"
            )


def _words(facts: dict[str, Any]) -> str:
    if "bytes" not in facts:
        return "missing or unreadable"
    return f"of {facts['bytes']} bytes with SHA-256 {facts['sampled_sha256'][:12]}... in 16 places"


def _check_complete(shards: list[Path], pictures: list[Any]) -> None:
    """Every unit is in some shard, except of pictures that could not be scanned."""
    from aoienet.files import OutputError
    from aoienet.scan.journal import Journal

    entries = [entry for shard in shards for entry in Journal(shard).entries]
    bad = {entry["picture"] for entry in entries if "error" in entry}
    there = {(entry["picture"], entry["band"]) for entry in entries if "sha256" in entry}
    for picture in pictures:
        missing = [u.band for u in picture.units if (picture.index, u.band) not in there]
        if missing and picture.index not in bad:
            raise OutputError(
                f"{len(missing)} of {len(picture.units)} bands of {picture.path} are in no shard (the first is {missing[0]}); "
                "run the shard that is missing, or its rest with --resume"
            )


def _gather(shards: list[Path], out: Path, plan: dict[str, Any]) -> None:
    """Work files and journals of all shards in one folder, as if one scan had been interrupted before its end."""
    from aoienet.scan.batch import WORK, begin
    from aoienet.scan.journal import Journal

    begin(out, plan, resume=False)
    journal = Journal(out)
    entries = []
    for shard in shards:
        for path in sorted((shard / WORK).glob("*.npz")):
            shutil.copyfile(path, out / WORK / path.name)
        entries += Journal(shard).entries
    journal.rewrite(entries)
