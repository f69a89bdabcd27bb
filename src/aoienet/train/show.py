"""What a person sees while a training runs: bars on a terminal, a line per epoch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from aoienet import memory
from aoienet.train import ranks
from aoienet.train.state import Run


def line(row: dict) -> str:
    """The numbers of a row of the metrics; what is told layer by layer stays in the file."""
    words = [f"epoch {row['epoch']:3d}"]
    words += [f"{key} {value:.4g}" for key, value in row.items() if key != "epoch" and not isinstance(value, dict)]
    return "  ".join(words)


def speed(run: Run) -> str:
    """Pictures per second of the training so far in this epoch, over all processes, and the peak of memory of this process."""
    peaks = [f"{where} {mib:,.0f} MiB" for where, mib in peak_memory_mib(run).items()]
    return f"{run.sums.samples / max(run.sums.seconds, 1e-9):.4g} pictures/s  peak {', '.join(peaks)}"


def peak_memory_mib(run: Run) -> dict[str, float]:
    """Largest resident memory of this process, where the system tells, and of its tensors on the GPU."""
    peaks = {}
    if (own := memory.peak_memory_mib()) is not None:
        peaks["memory"] = own
    if run.recipe.device.startswith("cuda"):
        peaks["GPU"] = torch.cuda.max_memory_allocated(run.recipe.device) / (1 << 20)
    return peaks


class Bars:
    """Nothing, where nobody looks."""

    def epoch(self, run: Run, steps: int) -> None:
        """An epoch of so many steps goes on."""

    def step(self, run: Run) -> None:
        """A step is done."""


class TerminalBars(Bars):
    """The whole training and the epoch, each with the time that is left; loss, accuracy and rate of the epoch so far."""

    def __init__(self, progress: Any) -> None:
        self.progress = progress
        self.whole = progress.add_task("training", total=None, said="")
        self.part = progress.add_task("epoch", total=None, said="")

    def epoch(self, run: Run, steps: int) -> None:
        epochs = run.recipe.epochs
        self.progress.update(self.whole, total=epochs * steps, completed=run.epoch * steps + run.steps)
        self.progress.reset(self.part, total=steps, completed=run.steps, description=f"epoch {run.epoch + 1}/{epochs}")

    def step(self, run: Run) -> None:
        sums = run.sums
        said = (
            f"loss {sums.loss / sums.samples:.4f}  accuracy {sums.right / max(1, sums.counted):.4f}  lr {sums.lr:.2e}"
        )
        self.progress.update(self.whole, advance=1)
        self.progress.update(self.part, advance=1, said=said)


@contextmanager
def bars(run: Run, terminal: Any = None) -> Iterator[Bars]:
    """On stderr when it is a terminal (or on that rich Console); otherwise nothing."""
    if not ranks.first() or (terminal is None and not sys.stderr.isatty()):
        yield Bars()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    columns += [TextColumn("ETA"), TimeRemainingColumn(), TextColumn("{task.fields[said]}")]
    where = terminal if terminal is not None else Console(stderr=True)
    with Progress(*columns, console=where, transient=True) as progress:
        yield TerminalBars(progress)
