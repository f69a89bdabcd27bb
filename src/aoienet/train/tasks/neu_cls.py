"""Whole pictures of NEU-CLS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from aoienet.data import augment, metrics
from aoienet.data.datasets import neu_cls
from aoienet.data.transform import standardize
from aoienet.train.recipes import Recipe
from aoienet.train.tasks import Batch, predict


def open_task(recipe: Recipe, root: Path) -> NeuClsTask:
    """Read the data."""
    return NeuClsTask(recipe, neu_cls.load(root, recipe.split_seed, recipe.val_fraction, recipe.split))


class NeuClsTask:
    """Flips, turns, shifts or zooms, gain, CutMix; standardised per picture; cross-entropy with soft labels [N,K]."""

    def __init__(self, recipe: Recipe, data: neu_cls.NeuCls) -> None:
        self.recipe, self.data = recipe, data
        self.split, self.data_hash = data.split, data.data_hash
        self.parts = {part: data.indices(part) for part in ("train", "val", "test")}
        if recipe.limit:
            rng = np.random.default_rng(recipe.seed)
            for part, index in self.parts.items():
                self.parts[part] = rng.permutation(index)[: recipe.limit]
            self.split += f"; limited to {recipe.limit} per part"

    def _standardize(self, image: np.ndarray) -> np.ndarray:
        return standardize(image, self.recipe.window_px, self.recipe.eps_levels, self.recipe.scale)

    def sample(self, epoch: int, i: int) -> np.ndarray:
        """One augmented picture, 8 bit."""
        rng = np.random.default_rng([self.recipe.seed, epoch, i])
        (image,) = augment.dihedral(rng, self.data.images_NHW[i], turns=self.recipe.turns)
        scales = (self.recipe.scale_least, self.recipe.scale_most)
        if scales == (1.0, 1.0):
            image = augment.shift(rng, image, 12)
        else:
            (image,) = augment.scaled_crop(rng, (image,), image.shape[0], scales)
        if rng.random() < 0.8:
            image = augment.gain(rng, image, self.recipe.gain_spread)
        if rng.random() < 0.1:
            image = augment.noise(rng, image, 3.0)
        return image

    def _batch(self, epoch: int, index: np.ndarray) -> Batch:
        images = np.stack([self.sample(epoch, int(i)) for i in index])
        labels = np.eye(len(self.recipe.classes), dtype=np.float32)[self.data.labels_N[index]]
        rng = np.random.default_rng([self.recipe.seed, epoch, int(index[0]), len(index)])
        if rng.random() < self.recipe.cutmix:
            images, labels = augment.cutmix(rng, images, labels)
        x = np.stack([self._standardize(image) for image in images])
        return x[:, None].astype(np.float32), labels

    def epoch_jobs(self, epoch: int) -> list[Callable[[], Batch]]:
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(self.parts["train"])
        size = self.recipe.batch
        starts = [i for i in range(0, len(order), size) if len(order) - i > 1 or i == 0]  # no batch of one
        return [partial(self._batch, epoch, order[i : i + size]) for i in starts]

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)

    def correct(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]:
        return int((logits.argmax(1) == labels.argmax(1)).sum()), len(labels)

    def _logits(self, net: torch.nn.Module, part: str) -> np.ndarray:
        x = np.stack([self._standardize(self.data.images_NHW[i]) for i in self.parts[part]])
        return predict(net, x[:, None])

    def validate(self, net: torch.nn.Module) -> dict:
        index = self.parts["val"]
        if not len(index):
            return {}
        logits = self._logits(net, "val")
        labels = self.data.labels_N[index]
        loss = F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
        return {"val_accuracy": float((logits.argmax(1) == labels).mean()), "val_loss": loss}

    def result(self, net: torch.nn.Module) -> dict:
        index = self.parts["test"]
        predicted = self._logits(net, "test").argmax(1)
        truth = self.data.labels_N[index]
        out = metrics.classification_report(truth, predicted, self.recipe.classes)
        wrong = np.flatnonzero(truth != predicted)
        out["errors"] = [
            {"image": self.data.names[index[i]], "predicted": self.recipe.classes[predicted[i]]} for i in wrong
        ]
        return out
