"""CIFAR-10: flip and crop, cross-entropy. Elsewhere than on the CPU the pictures live on the device and are augmented there."""

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
from aoienet.train.tasks import Batch, check_network, predict, starts

PAD_PX = 4
CENTER = 128
READS = ("data.val_fraction", "input.kind", "augment.flips", "label_smoothing")


def open_task(recipe: Recipe, root: Path) -> Cifar10Task:
    """Read the data. Raises ValueError: an input that is not plain pixels."""
    if recipe.input.kind != "pixels":
        raise ValueError(
            f"cifar10 has colours, which are not standardised: input.kind=pixels; got {recipe.input.kind!r}"
        )
    check_network(recipe, 3)
    data = cifar10.load(root, recipe.data.split_seed, recipe.data.val_fraction)
    return Cifar10Task(recipe, data) if recipe.device == "cpu" else Cifar10OnDevice(recipe, data)


class Cifar10Task:
    """Random crop out of a picture with 4 px of black around it, flip; pixels raw or centred as the stem wants them.

    No `still_jobs`: statistics counted anew over pictures without crops cost a binary network two points (docs/results/2026-11-26-cifar10.md).
    """

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

    def _rng(self, epoch: int, start: int) -> np.random.Generator:
        return np.random.default_rng([self.recipe.seed, epoch, start])

    def _batch(self, epoch: int, start: int, index: np.ndarray) -> Batch:
        images = self.data.images["train"][index]
        images = augment.flip_and_crop(self._rng(epoch, start), images, PAD_PX, self.recipe.augment.flips)
        return self._input(images), self.data.labels["train"][index]

    def epoch_jobs(self, epoch: int) -> list[Callable[[], Batch]]:
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(self.count["train"])
        size = self.recipe.batch
        return [partial(self._batch, epoch, i, order[i : i + size]) for i in starts(self.recipe, len(order))]

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


class Cifar10OnDevice(Cifar10Task):
    """The same batches, pixel by pixel, from pictures that lie on the device: what crosses the bus per batch is where to cut."""

    def __init__(self, recipe: Recipe, data: cifar10.Cifar10) -> None:
        super().__init__(recipe, data)
        images = torch.from_numpy(data.images["train"]).to(recipe.device)
        self.wide_NHWC = F.pad(images, (0, 0, PAD_PX, PAD_PX, PAD_PX, PAD_PX))
        self.labels_N = torch.from_numpy(data.labels["train"]).to(recipe.device)

    def _cut(self, index: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Batch:
        device = self.wide_NHWC.device
        at_N, at_NH, at_NW = (torch.from_numpy(a).to(device, non_blocking=True) for a in (index, rows, columns))
        images = self.wide_NHWC[at_N[:, None, None], at_NH[:, :, None], at_NW[:, None, :]].permute(0, 3, 1, 2).float()
        return images - CENTER if self.transform["kind"] == "center" else images, self.labels_N[at_N]

    def _batch(self, epoch: int, start: int, index: np.ndarray) -> Batch:
        shape = (len(index), cifar10.SIDE, cifar10.SIDE)
        return self._cut(index, *augment.crop_places(self._rng(epoch, start), shape, PAD_PX, self.recipe.augment.flips))
