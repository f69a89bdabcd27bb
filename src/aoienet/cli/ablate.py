"""aoienet ablate: rows of changes times seeds, and the table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from aoienet.cli._common import fail, needs_training_side, own_command, print_table


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("ablate")(ablate)


def ablate(
    data: Annotated[Path, typer.Option(help="Folder that holds neu_cls/, cifar10/, ...")],
    out: Annotated[Path, typer.Option(help="Folder of the study: a run folder per row and seed, table.csv, table.md.")],
    recipe: Annotated[str, typer.Option(help="Name of the base recipe.")] = "cifar10_paper",
    preset: Annotated[str | None, typer.Option(help="table1 (the paper's five rows) or tricks (ours).")] = None,
    grid: Annotated[
        list[str] | None, typer.Option("-g", "--grid", help="key=value1|value2: an axis; all combinations are rows.")
    ] = None,
    override: Annotated[list[str] | None, typer.Option("-o", "--override", help="key=value, for all rows.")] = None,
    seeds: Annotated[int, typer.Option(help="Runs per row: seeds 0, 1, ...", min=1)] = 3,
    measure: Annotated[str, typer.Option(help="Number of result.json that counts, dotted.")] = "accuracy",
    teacher: Annotated[str, typer.Option(help="Run folder of a teacher, for the rows of tricks with one.")] = "",
    threads: Annotated[int | None, typer.Option(help="Threads of PyTorch.", min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The table as one JSON document.")] = False,
) -> None:
    """Train every row with every seed; finished runs are read, broken ones resumed. Call it again to go on."""
    try:
        import torch

        from aoienet.train import grid as study
        from aoienet.train import recipes, runs
        from aoienet.train.interrupts import sigterm_interrupts
        from aoienet.train.presets import PRESETS
    except ModuleNotFoundError as error:
        needs_training_side("ablate", error)
    if threads:
        torch.set_num_threads(threads)
    command = own_command()
    terminated: list[int] = []
    try:
        base = recipes.get(recipe, list(override or []))
        if (preset is None) == (not grid):
            raise ValueError(f"give --preset ({', '.join(PRESETS)}) or axes with -g key=value1|value2")
        if preset is not None and preset not in PRESETS:
            raise ValueError(f"unknown preset {preset!r}; known: {', '.join(PRESETS)}")
        rows = PRESETS[preset](base, teacher) if preset else tuple(study.grid(grid or []))
        plan = study.Study(base, rows, tuple(range(seeds)), measure)
        with sigterm_interrupts(terminated):
            table, failures = study.carry_out(
                plan, data, out, command, lambda text: print(text, file=sys.stderr, flush=True)
            )
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on ({out})", err=True)
        raise typer.Exit(143 if terminated else 130) from None
    except (ValueError, OSError) as error:
        fail(str(error))
    show(table, failures, as_json, runs.finite, study.number)
    typer.echo(str(out / "table.md"), err=True)
    if failures:
        raise typer.Exit(2)


def show(table, failures, as_json, finite, number) -> None:  # type: ignore[no-untyped-def]
    """On stdout."""
    if as_json:
        typer.echo(json.dumps({"table": finite(table), "failures": failures}))
        return
    header = ["row", "n", "mean", "sd", "to_first"]
    print_table(header, [[number(v) if isinstance(v, float) else v for v in (r[k] for k in header)] for r in table])
