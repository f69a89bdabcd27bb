"""aoienet train: a recipe, data, a run folder."""

from __future__ import annotations

import importlib.util
import json
import pkgutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aoienet.cli._common import fail, needs_training_side, own_command, wrong_use_is_exit_1

if TYPE_CHECKING:
    from aoienet.train.recipes import Recipe


SPOKEN_WITHIN_S = 10.0  # the launcher ends all processes as soon as one leaves: the first must have said why by then


def known() -> str:
    """Names of recipes by their files, as recipes.names(): without the training side that module cannot always be imported."""
    spec = importlib.util.find_spec("aoienet.train.recipes")
    folders = spec.submodule_search_locations if spec is not None else None
    return ", ".join(sorted(m.name for m in pkgutil.iter_modules(folders or []) if not m.name.startswith("_")))


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("train")(train)


def train(
    data: Annotated[Path | None, typer.Option(help="Folder that holds neu_cls/, deepcrack256/, ...")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.")] = None,
    recipe: Annotated[str | None, typer.Option(help=f"Name of a recipe: {known()}.")] = None,
    config: Annotated[Path | None, typer.Option(help="Or a file: the recipe.toml of a run folder.")] = None,
    override: Annotated[list[str] | None, typer.Option("-o", "--override", help="key=value of the recipe.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights, order and augmentation.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint, bit by bit.")] = False,
    threads: Annotated[int | None, typer.Option(help="Threads of PyTorch.", min=1)] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write OUT/tensorboard too.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the recipe as TOML, for --config, and leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON document.")] = False,
) -> None:
    """Train a network; writes metrics, curves, checkpoint, result and report.html into the run folder."""
    words = list(override or []) + ([f"seed={seed}"] if seed is not None else [])
    if show:
        show_recipe(recipe, config, words)
        return
    if data is None or out is None:
        missing = " and ".join(name for name, given in (("--data", data), ("--out", out)) if given is None)
        fail(
            f"a training has --data DIR and --out RUN; received no {missing}; next: add it, or --show for the recipe alone"
        )
    try:
        import torch

        from aoienet.train import loop, ranks
        from aoienet.train.board import Board
        from aoienet.train.interrupts import sigterm_interrupts
    except ModuleNotFoundError as error:
        needs_training_side("train", error)
    if threads:
        torch.set_num_threads(threads)
    # the command that gives the same run from nothing: a resumed run is the same bit by bit
    command = own_command("--resume")
    terminated: list[int] = []
    try:
        made = chosen(recipe, config, words)
        with ranks.joined(made.device), sigterm_interrupts(terminated, ranks.world() == 1):
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
        raise typer.Exit(143 if terminated else 130) from None
    except (ValueError, OSError, FloatingPointError, ModuleNotFoundError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    if speaks:
        say_result(result, out, as_json)


def say_result(result: dict, out: Path, as_json: bool) -> None:
    """On stdout."""
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


def show_recipe(name: str | None, config: Path | None, words: list[str]) -> None:
    """The resolved recipe on stdout, as a run folder's recipe.toml has it."""
    try:
        from aoienet.train.recipes import to_toml
    except ModuleNotFoundError as error:
        needs_training_side("train", error)
    with wrong_use_is_exit_1(ValueError, OSError):
        typer.echo(to_toml(chosen(name, config, words)), nl=False)


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
