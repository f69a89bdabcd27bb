"""Many trainings: rows of recipes times seeds, each a stored run that is read, resumed or begun; a table of the results."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from aoienet.train import loop, runs
from aoienet.train.recipes import Recipe, override
from aoienet.train.seeds import stored_result, stored_run
from aoienet.train.tasks import check_same_data

Say = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """A line of the table: its name and what it changes in the base recipe."""

    name: str
    overrides: tuple[str, ...] = ()

    def folder(self) -> str:
        """The name with nothing in it that a file system minds."""
        return "".join(c if c.isalnum() or c in "._=-" else "_" for c in self.name)


def grid(axes: Iterable[str]) -> list[Row]:
    """All combinations of axes written `key=value1|value2`. Raises ValueError: an axis without values."""
    parts = []
    for axis in axes:
        key, equals, values = axis.partition("=")
        if not equals or not values:
            raise ValueError(f"an axis is written key=value1|value2, got {axis!r}")
        parts.append([f"{key}={value}" for value in values.split("|")])
    return [Row(" ".join(words), words) for words in product(*parts)]


def run(recipe: Recipe, data: Path, out: Path, command: str, say: Say) -> dict:
    """Read, resume or begin."""
    result = stored_result(recipe, out)
    if result is None:
        resume = (out / "checkpoint.pt").is_file()
        result = loop.train(recipe, data, out, resume=resume, command=command, say=say)
    return result


def value_at(result: dict, measure: str) -> float:
    """A number of a result by its dotted name, "accuracy" or "test.deepcrack256.f1". Raises ValueError: there is none."""
    value: Any = result
    for key in measure.split("."):
        if not isinstance(value, dict) or key not in value:
            known = ", ".join(value) if isinstance(value, dict) else "nothing"
            raise ValueError(f"the result has no {measure!r}: {key!r} is missing; known there: {known}")
        value = value[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{measure!r} of the result is no number: {value!r}")
    return float(value)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1); the latter is NaN for fewer than two values."""
    mean = float(np.mean(values)) if len(values) else math.nan
    return mean, float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def lines(rows: Sequence[Row], found: dict[str, dict[int, float]]) -> list[dict[str, Any]]:
    """One per row: mean, sd, n; difference to the first row over the seeds that both have."""
    out = []
    for row in rows:
        values, base = found.get(row.name, {}), found.get(rows[0].name, {})
        mean, sd = spread(list(values.values()))
        both = [values[seed] - base[seed] for seed in values if seed in base]
        gain, gain_sd = spread(both)
        line: dict[str, Any] = {"row": row.name, "n": len(values), "mean": mean, "sd": sd}
        line |= {"to_first": gain, "to_first_sd": gain_sd, "overrides": " ".join(row.overrides)}
        out.append(line | {"values": " ".join(f"{seed}:{value:.6g}" for seed, value in sorted(values.items()))})
    return out


def write_tables(out: Path, title: str, notes: Sequence[str], table: list[dict[str, Any]]) -> None:
    """table.csv, and table.md for people, both whole or not at all; `out` is made where it is missing."""
    out.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows([{k: "" if is_nan(v) else v for k, v in line.items()} for line in table])
    runs.write_atomic(out / "table.csv", text.getvalue().encode())
    said = [f"# {title}", "", *[f"- {note}" for note in notes], ""]
    said += ["| row | mean | sd | n | to the first row | changes |", "|---|---|---|---|---|---|"]
    for line in table:
        cells = [line["row"], number(line["mean"]), number(line["sd"]), str(line["n"]), difference(line), code(line)]
        said.append("| " + " | ".join(cells) + " |")
    runs.write_atomic(out / "table.md", "\n".join([*said, ""]).encode())


def is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def number(value: float) -> str:
    return "" if is_nan(value) else f"{value:.4f}"


def difference(line: dict[str, Any]) -> str:
    if is_nan(line["to_first"]):
        return ""
    return f"{line['to_first']:+.4f}" + ("" if is_nan(line["to_first_sd"]) else f" (sd {line['to_first_sd']:.4f})")


def code(line: dict[str, Any]) -> str:
    return f"`{line['overrides']}`".replace("|", "\\|") if line["overrides"] else ""


@dataclass(frozen=True)
class Study:
    """A base recipe, rows of changes, seeds, and the number of the result that counts."""

    base: Recipe
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    measure: str = "accuracy"

    def recipe(self, row: Row, seed: int) -> Recipe:
        return override(self.base, [*row.overrides, f"seed={seed}"])

    def notes(self, command: str) -> list[str]:
        """What a reader of the table must know."""
        r = self.base
        return [
            f"base: recipe `{r.name}`, model `{r.model}`, {r.epochs} epochs unless a row says otherwise, batch {r.batch}",
            f"measure: `{self.measure}` of the test part, last epoch; sd over seeds {', '.join(map(str, self.seeds))} (n - 1)",
            "difference to the first row: mean over the seeds that both have",
            f"command: `{command}`",
        ]


def begun(study: Study, out: Path) -> Iterator[tuple[Path, Recipe, dict]]:
    """Run folder, recipe, and what it says of itself, of every run that is there. Raises ValueError: one of another recipe."""
    for seed, row in product(study.seeds, study.rows):
        recipe, folder = study.recipe(row, seed), out / row.folder() / f"seed-{seed}"
        said = stored_run(recipe, folder)
        if said is not None:
            yield folder, recipe, said


def carry_out(study: Study, data: Path, out: Path, command: str, say: Say) -> tuple[list[dict], list[str]]:
    """(table, failures); the table is written after every run, so that a kill costs no more than the run it hits.

    Seeds are the outer loop: every row has its first seed before any has its second. A training whose loss is not finite is a
    failure of its row; everything else ends the study.
    """
    for row in study.rows:
        study.recipe(row, 0)  # what is wrong is said before the first training
    names = [row.folder() for row in study.rows]
    if len(set(names)) < len(names):
        raise ValueError(f"rows need different names; received {names}")
    check_same_data(begun(study, out), data)
    found: dict[str, dict[int, float]] = {}
    failures: list[str] = []
    table: list[dict] = []
    for seed, row in product(study.seeds, study.rows):
        folder = out / row.folder() / f"seed-{seed}"
        say(f"{row.name}, seed {seed}: {folder}")
        try:
            result = run(study.recipe(row, seed), data, folder, command, say)
        except FloatingPointError as error:
            failures.append(f"{row.name}, seed {seed}: {error}")
            say(failures[-1])
        else:
            found.setdefault(row.name, {})[seed] = value_at(result, study.measure)
        table = lines(study.rows, found)
        write_tables(out, f"{study.measure} of {len(study.rows)} rows", study.notes(command), table)
    return table, failures
