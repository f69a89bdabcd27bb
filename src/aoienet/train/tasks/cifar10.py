"""CIFAR-10: flip and crop, cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from aoienet.data import augment, metrics, transform
from aoienet.data.datasets import cifar10
from aoienet.train import networks
from aoienet.train.recipes import Recipe
from aoienet.train.tasks import Batch, predict, starts

PAD_PX = 4
READS = ("data.val_fraction", "input.kind", "augment.flips")


def open_task(recipe: Recipe, root: Path) -> Cifar10Task:
    """Read the data."""
    return Cifar10Task(recipe, cifar10.load(root, recipe.data.split_seed, recipe.data.val_fraction))


class Cifar10Task:
    """Random crop out of a picture with 4 px of black around it, flip; pixels raw or centred as the stem wants them."""

    def __init__(self, recipe: Recipe, data: cifar10.Cifar10) -> None:
        self.recipe, self.data, self.transform = recipe, data, networks.transform(recipe)
        self.split, self.data_hash = data.split, data.data_hash
        self.count = {part: len(labels) for part, labels in data.labels.items()}
        if recipe.data.limit:
            self.count = {part: min(recipe.data.limit, n) for part, n in self.count.items()}
            self.split += f"; limited to the first {recipe.data.limit} per part"

    def _input(self, images_NHWC: np.ndarray) -> np.ndarray:
        x = transform.apply(images_NHWC, self.transform)
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)).astype(np.float32)

    def _batch(self, epoch: int, start: int, index: np.ndarray) -> Batch:
        rng = np.random.default_rng([self.recipe.seed, epoch, start])
        images = augment.flip_and_crop(rng, self.data.images["train"][index], PAD_PX, self.recipe.augment.flips)
        return self._input(images), self.data.labels["train"][index]

    def epoch_jobs(self, epoch: int) -> list[Callable[[], Batch]]:
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(self.count["train"])
        size = self.recipe.batch
        return [partial(self._batch, epoch, i, order[i : i + size]) for i in starts(len(order), size)]

    def _still(self, index: np.ndarray) -> Batch:
        return self._input(self.data.images["train"][index]), self.data.labels["train"][index]

    def still_jobs(self) -> list[Callable[[], Batch]]:
        order = np.random.default_rng(self.recipe.seed).permutation(self.count["train"])
        size = self.recipe.batch
        return [partial(self._still, order[i : i + size]) for i in starts(len(order), size)]

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)

    def correct(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]:
        return int((logits.argmax(1) == labels).sum()), len(labels)

    def _predict(self, net: torch.nn.Module, part: str) -> tuple[np.ndarray, np.ndarray]:
        n = self.count[part]
        return predict(net, self._input(self.data.images[part][:n]), 256), self.data.labels[part][:n]

    def validate(self, net: torch.nn.Module) -> dict:
        if not self.count["val"]:
            return {}
        logits, labels = self._predict(net, "val")
        loss = F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
        return {"val_accuracy": float((logits.argmax(1) == labels).mean()), "val_loss": loss}

    def result(self, net: torch.nn.Module) -> dict:
        logits, labels = self._predict(net, "test")
        return metrics.classification_report(labels, logits.argmax(1), self.recipe.classes)
