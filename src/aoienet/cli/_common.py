"""What several verbs share: errors, progress, the model."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from aoienet.extras import install

if TYPE_CHECKING:
    from aoienet.engine import Model


def fail(message: str, code: int = 1) -> NoReturn:
    """One line on stderr, then leave."""
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(code)


def own_command(*without: str) -> str:
    """The command that this process was started with, to be pasted into a shell again; that of torchrun where it is one of several."""
    words = [word for word in sys.argv[1:] if word not in without]
    world, here = int(os.environ.get("WORLD_SIZE", "1")), os.environ.get("LOCAL_WORLD_SIZE", "1")
    if world == 1:
        return shlex.join(["aoienet", *words])
    return shlex.join(
        ["torchrun", "--nnodes", str(world // int(here)), "--nproc-per-node", here, "-m", "aoienet", *words]
    )


def needs_training_side(what: str, error: ModuleNotFoundError) -> NoReturn:
    """A module of the training side is missing; one of ours is a fault, and stays one."""
    package = (error.name or "aoienet").split(".")[0]
    if package == "aoienet":
        raise error
    fail(f"{what} needs PyTorch and what belongs to it ({package} is missing); {install('train')}")


@contextlib.contextmanager
def wrong_use_is_exit_1(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds become one line and exit code 1."""
    try:
        yield
    except kinds as error:
        fail(str(error))


def open_model(name: str) -> Model:
    """The model of a shipped name or of a file; wrong names and refused files leave with exit code 1."""
    from aoienet import weights

    with wrong_use_is_exit_1(weights.UnknownModelError):
        path = weights.locate(name)
    try:
        from aoienet.engine import Model
    except ImportError as error:
        fail(f"the compiled runtime is missing ({error}); {install()}")
    with wrong_use_is_exit_1(ValueError, RuntimeError, OSError):
        return Model.open(path)


def channels_of(model: Model) -> int:
    """1 (grey) or 3 (RGB), from the file's header."""
    return int(model.header["input"]["channels"])


CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of CPU per period, or max (cgroup v2)


def default_jobs() -> int:
    """CPU cores this process may use, by its affinity and by the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_QUOTA.read_text().split()
        return min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # no container, or no limit
        return cores


@contextlib.contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """A bar on stderr while a terminal looks at it; gives a function: label -> callback(done, total)."""
    if quiet or not sys.stderr.isatty():
        yield lambda label: lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with bar:

        def start(label: str) -> Callable[[int, int], None]:
            task = bar.add_task(label)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield start


def one_line(text: str) -> str:
    """What does not print, as a line break in the name of a file, as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_table(header: list[str], rows: list[list[Any]]) -> None:
    """A plain table on stdout, columns as wide as they need to be."""
    cells = [header, *[[str(c) for c in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        print("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=False)).rstrip())
