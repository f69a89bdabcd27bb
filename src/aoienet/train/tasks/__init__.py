"""A task joins a data set to a loss: batches of one epoch, loss, scores, final result. One file per data set."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from aoienet.train.recipes import Recipe

Batch = tuple[np.ndarray, np.ndarray]  # x_NCHW float32, labels


class Task(Protocol):
    """What the loop asks of a task. A batch depends on (seed, epoch, index) alone, so a run can be resumed.

    `recipe` is the recipe with what the data decides filled in. A task may have a `data_report`: a document for the run
    folder, whose `summary` is a list of lines to say.
    """

    recipe: Recipe
    split: str
    data_hash: str

    def epoch_jobs(self, epoch: int) -> list[Callable[[], Batch]]: ...

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor: ...

    def correct(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]: ...

    def validate(self, net: torch.nn.Module) -> dict: ...

    def result(self, net: torch.nn.Module) -> dict: ...


def open_task(recipe: Recipe, root: Path) -> Task:
    """The task of the recipe's data set."""
    return importlib.import_module(f"{__name__}.{recipe.dataset}").open_task(recipe, root)


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
