"""aoienet seeds: one recipe, several seeds, some at a time on one device."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("seeds")(seeds)


def seeds(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets, as for train.")],
    out: Annotated[Path, typer.Option(help="Folder for the run folders seed-0, seed-1, ...")],
    recipe: Annotated[str, typer.Option(help="Name of a recipe.")],
    override: Annotated[list[str] | None, typer.Option("-o", "--override", help="key=value of the recipe.")] = None,
    count: Annotated[int, typer.Option("--seeds", help="Seeds 0, 1, ...", min=1)] = 3,
    at_once: Annotated[int, typer.Option(help="Trainings that run at a time.", min=1)] = 1,
    threads: Annotated[int, typer.Option(help="Threads of PyTorch, each.", min=1)] = 1,
    measure: Annotated[str, typer.Option(help="Number of result.json that counts, dotted.")] = "accuracy",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Train a recipe with several seeds; call it again to go on. Prints mean and standard deviation over the seeds."""
    from aoienet.cli._common import fail, print_table
    from aoienet.train import recipes
    from aoienet.train.interrupts import sigterm_interrupts
    from aoienet.train.seeds import Launcher, stored_run, summary, values

    terminated: list[int] = []
    try:
        made = recipes.get(recipe, list(override or []))  # wrong words are found before anything starts
        each = [(out / f"seed-{seed}", recipes.override(made, [f"seed={seed}"])) for seed in range(count)]
        stored = [(folder, one, stored_run(one, folder)) for folder, one in each]  # and runs of another recipe
        begun = [(folder, one, said) for folder, one, said in stored if said is not None]
        if begun:  # PyTorch is loaded for these alone
            from aoienet.train.tasks import check_same_data

            check_same_data(begun, data)
        words = ["--recipe", recipe, "--data", str(data), "--threads", str(threads)]
        words += [word for item in override or [] for word in ("-o", item)]
        launcher = Launcher(words, out, at_once, lambda text: print(text, file=sys.stderr, flush=True))
        with sigterm_interrupts(terminated):
            launcher.run(range(count))
        found = values(out, range(count), measure)
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on ({out})", err=True)
        raise typer.Exit(143 if terminated else 130) from None
    except (ValueError, OSError) as error:
        fail(str(error))
    table = summary(found)
    if as_json:
        typer.echo(json.dumps({"measure": measure, **table, "seeds": found, "failed": launcher.failed}))
    else:
        numbers = ["" if v is None else f"{v:.4f}" if isinstance(v, float) else v for v in table.values()]
        print_table(["measure", *table], [[measure, *numbers]])
    if launcher.failed:
        raise typer.Exit(2)
