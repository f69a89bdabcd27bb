"""aoienet train: a recipe, data, a run folder."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aoienet.cli._common import needs_training_side, own_command

if TYPE_CHECKING:
    from aoienet.train.recipes import Recipe


SPOKEN_WITHIN_S = 10.0  # the launcher ends all processes as soon as one leaves: the first must have said why by then


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("train")(train)


def train(
    data: Annotated[Path, typer.Option(help="Folder that holds neu_cls/, deepcrack256/, ...")],
    out: Annotated[Path, typer.Option(help="Run folder.")],
    recipe: Annotated[str | None, typer.Option(help="Name of a recipe.")] = None,
    config: Annotated[Path | None, typer.Option(help="Or a file: the recipe.toml of a run folder.")] = None,
    override: Annotated[list[str] | None, typer.Option("-o", "--override", help="key=value of the recipe.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights, order and augmentation.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint, bit by bit.")] = False,
    threads: Annotated[int | None, typer.Option(help="Threads of PyTorch.", min=1)] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write OUT/tensorboard too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON document.")] = False,
) -> None:
    """Train a network; writes metrics, curves, checkpoint, result and report.html into the run folder."""
    try:
        import torch

        from aoienet.train import loop, ranks
        from aoienet.train.board import Board
    except ModuleNotFoundError as error:
        needs_training_side("train", error)
    if threads:
        torch.set_num_threads(threads)
    words = list(override or []) + ([f"seed={seed}"] if seed is not None else [])
    # the command that gives the same run from nothing: a resumed run is the same bit by bit
    command = own_command("--resume")
    try:
        made = chosen(recipe, config, words)
        with ranks.joined(made.device):
            watcher = Board(out) if tensorboard and ranks.first() else None
            result = loop.train(made, data, out, resume=resume, command=command, watcher=watcher)
            speaks = ranks.first()
    except ranks.StoppedElsewhereError:
        time.sleep(SPOKEN_WITHIN_S)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        kept = (out / "checkpoint.pt").is_file()
        what = "resume with --resume" if kept else "no checkpoint was reached yet, start again"
        typer.echo(f"stopped; {what} (run folder {out})", err=True)
        raise typer.Exit(130) from None
    except (ValueError, OSError, FloatingPointError, ModuleNotFoundError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    if not speaks:
        return
    if as_json:
        typer.echo(json.dumps(result))
        return
    if "accuracy" in result:
        low, high = result["accuracy_interval95"]
        counts = f"{result['correct']} of {result['count']}"
        typer.echo(f"accuracy {result['accuracy']:.4f} ({low:.4f} to {high:.4f}), {counts}")
    if "top5" in result:
        typer.echo(f"top-5 accuracy {result['top5']['value']:.4f}, {result['top5']['count']} of {result['top5']['of']}")
    typer.echo(str(out / "result.json"))


def chosen(name: str | None, config: Path | None, words: list[str]) -> Recipe:
    """The recipe of that name or file, with overrides. Raises ValueError: none or both."""
    from aoienet.train import recipes

    if name is not None and config is None:
        return recipes.get(name, words)
    if config is not None and name is None:
        return recipes.override(recipes.read_toml(config), words)
    if name is not None and config is not None:
        raise ValueError(
            f"a run has one recipe; received both --recipe {name} and --config {config}; next: leave one out"
        )
    raise ValueError(f"give --recipe NAME (known: {', '.join(recipes.names())}) or --config FILE")
