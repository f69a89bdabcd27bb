"""A task joins a data set to a loss: batches of one epoch, loss, scores, final result. One file per data set."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from aoienet.train import networks, ranks
from aoienet.train.recipes import Augment, Blocks, Data, Input, Pixels, Recipe, flat, hint

Batch = tuple[Any, Any]  # x_NCHW (float32 or 8-bit integers), labels: arrays, or tensors where the device has them
GROUPS = {"data": Data(""), "input": Input(), "augment": Augment(), "blocks": Blocks(), "pixels": Pixels()}
DEFAULTS: dict[str, Any] = {
    f"{name}.{key}": value for name, group in GROUPS.items() for key, value in flat(group).items()
}
DEFAULTS |= {"label_smoothing": 0.0, "class_weights": False, "net.input_px": None}
READ_BY_ALL = ("data.set", "data.split_seed", "data.limit", "data.workers")


class Task(Protocol):
    """What the loop asks of a task. A batch depends on (seed, epoch, index) alone, so a run can be resumed.

    `recipe` is the recipe with what the data decides filled in. A task may have a `data_report`: a document for the run
    folder, whose `summary` is a list of lines to say; and `still_jobs()`: batches of training pictures that are not augmented.

    In place of jobs a task may have streams, which decode ahead in a way of their own: `epoch_stream(epoch, done)`, the steps of
    the epoch and its batches after the first `done`, and `still_stream(count)`. With `shares = True` its batches are this process's
    part of the joint batch; of the batches of other tasks each process takes its part. `broken`: names and reasons of what was
    left out.
    """

    recipe: Recipe
    split: str
    data_hash: str

    def epoch_jobs(self, epoch: int) -> list[Callable[[], Batch]]: ...

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor: ...

    def correct(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]: ...

    def validate(self, net: torch.nn.Module) -> dict: ...

    def result(self, net: torch.nn.Module) -> dict: ...


def names() -> list[str]:
    """The data sets that there is a task for."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def open_task(recipe: Recipe, root: Path) -> Task:
    """The task of the recipe's data set. Raises ValueError: no such data set, or a field of the recipe that it does not read."""
    if recipe.data.set not in names():
        raise ValueError(f"unknown data.set {recipe.data.set!r}{hint(recipe.data.set, names())}")
    module = importlib.import_module(f"{__name__}.{recipe.data.set}")
    refuse_unread(recipe, module.READS)
    return module.open_task(recipe, root)


def check_same_data(begun: Iterable[tuple[Path, Recipe, dict]], root: Path) -> None:
    """Raises ValueError where a run of a study had other pictures or another split than it would have from `root`, wherever they lay.

    Args      begun: run folder, recipe, and what the run says of itself (seeds.stored_run).
    """
    here: dict[tuple, tuple[str, str]] = {}
    for folder, recipe, said in begun:
        key = (recipe.data, recipe.model, recipe.net.input_px)  # all that a hash may depend on
        if key not in here:
            task = open_task(replace(recipe, device="cpu"), root)
            here[key] = task.data_hash, task.split
        now, split = here[key]
        if said["data_hash"] != now:
            raise ValueError(
                f"the runs of a study have the same data; {folder} had others than --data {root} gives (before: {said['split']}, "
                f"hash {said['data_hash'][:12]}; now: {split}, hash {now[:12]}); next: give the --data of that run, wherever it lies "
                "now, or another --out"
            )


def refuse_unread(recipe: Recipe, reads: Iterable[str]) -> None:
    """A field that has another value than its default, and that nothing reads, would be a lie in the stored recipe."""
    values = flat(recipe)
    unread = set(DEFAULTS) - set(reads) - set(READ_BY_ALL)
    wrong = [key for key in DEFAULTS if key in unread and values[key] != DEFAULTS[key]]
    if wrong:
        said = "; ".join(f"{key}={values[key]!r}: leave it at {DEFAULTS[key]!r}" for key in wrong)
        raise ValueError(f"the data set {recipe.data.set} reads no {', '.join(wrong)} ({said})")


def check_network(recipe: Recipe, channels: int, answers: str = "pictures") -> None:
    """Raises ValueError where the network is made for other pictures than the data set's, or answers for something else.

    Args      answers: "pictures" for whole ones, or "blocks" of a scan.
    """
    own = "blocks" if networks.spec(recipe).head.window else "pictures"
    if recipe.in_channels != channels or own != answers:
        raise ValueError(
            f"{recipe.data.set} trains a network that takes {channels} channels and answers for {answers}; received "
            f"in_channels={recipe.in_channels} and {recipe.model}, which answers for {own}; next: leave them as the recipe has them"
        )


def still_jobs(task: Task, epoch: int) -> list[Callable[[], Batch]]:
    """Training pictures as validation sees them, where the task has them; else those of this epoch."""
    still = getattr(task, "still_jobs", None)
    return still() if still is not None else task.epoch_jobs(epoch)


def starts(recipe: Recipe, count: int) -> list[int]:
    """Where the batches of an epoch of `count` pictures begin. What is left over at the end and would show batch norms a single
    picture, in one of the processes or, with sync_bn, in all, is left out: another epoch has another order."""
    least = 2 * norm_groups(recipe)
    return [i for i in range(0, count, recipe.batch) if i == 0 or count - i >= least or recipe.batch < least]


def norm_groups(recipe: Recipe) -> int:
    """Into how many parts a joint batch falls for batch norms."""
    return 1 if recipe.sync_bn else ranks.world()


def predict(net: torch.nn.Module, x_NCHW: np.ndarray, batch: int = 32) -> np.ndarray:
    """Logits in eval mode, class axis last; the mode of the network is restored."""
    was_training = net.training
    device = next(net.parameters()).device
    net.eval()
    out = []
    with torch.inference_mode():
        for i in range(0, len(x_NCHW), batch):
            x = torch.from_numpy(x_NCHW[i : i + batch].astype(np.float32)).to(device)
            out.append(net(x.contiguous(memory_format=torch.channels_last)).float().cpu().numpy())
    net.train(was_training)
    return np.moveaxis(np.concatenate(out), 1, -1)
