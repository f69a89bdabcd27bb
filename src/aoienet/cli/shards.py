"""aoienet shards: tar shards out of class folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("shards")(shards)


def shards(
    folder: Annotated[Path, typer.Argument(help="Folder with one folder of pictures per class.")],
    out: Annotated[Path, typer.Option(help="Folder for the shards.")],
    name: Annotated[str, typer.Option(help="NAME-0000.tar and so on; by default the folder's name.")] = "",
    per_shard: Annotated[int, typer.Option(help="Pictures in a shard; 10000 of ImageNet are about 1 GB.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the order of the pictures.")] = 0,
    threads: Annotated[int, typer.Option(help="Pictures that are decoded at a time; 0: one per core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Pack class folders into numbered tars (webdataset's form). Pictures that cannot be decoded are left out and named."""
    from aoienet.cli._common import default_jobs, progress_bar, wrong_use_is_exit_1
    from aoienet.data.stores import class_folders, shard_writer

    with wrong_use_is_exit_1(ValueError, OSError), progress_bar(as_json) as start:
        store = class_folders.open_folders(folder)
        used, workers = name if name else folder.resolve().name, threads if threads else default_jobs()
        done = shard_writer.write(store, out, used, per_shard, seed, workers, start(folder.name))
    for picture, reason in sorted(done.broken.items()):
        typer.echo(f"left out: {picture}: {reason}", err=True)
    if as_json:
        typer.echo(json.dumps({**vars(done), "out": str(out), "classes": len(store.classes)}))
    else:
        typer.echo(
            f"{done.pictures} pictures of {len(store.classes)} classes in {done.shards} shards, {done.bytes:,} bytes"
        )
    raise typer.Exit(2 if done.broken else 0)
