"""Whole pictures of NEU-CLS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from aoienet.data import augment, metrics, transform
from aoienet.data.datasets import neu_cls
from aoienet.train import networks
from aoienet.train.recipes import Recipe
from aoienet.train.tasks import Batch, check_network, predict, starts

READS = (
    *("data.split", "data.val_fraction", "data.test_fraction", "data.per_class", "data.leave_out"),
    *("input.kind", "input.window_px", "input.eps_levels", "input.scale"),
    *("augment.flips", "augment.turns", "augment.scale_least", "augment.scale_most", "augment.gain_spread"),
    *("augment.cutmix", "augment.crop_px", "augment.whole_share", "label_smoothing"),
)
SHIFT_PX = 12


def open_task(recipe: Recipe, root: Path) -> NeuClsTask:
    """Read the data. Raises ValueError: a network of other pictures; NEU-CLS itself is wrong."""
    check_network(recipe, 1)
    how = recipe.data
    if how.leave_out and how.limit:
        raise ValueError(
            f"data.leave_out asks for whole test parts; received data.limit={how.limit} with data.leave_out={how.leave_out}; next: leave "
            "one of them out"
        )
    split = neu_cls.Split(how.split, how.split_seed, how.val_fraction, how.test_fraction, how.per_class, how.leave_out)
    return NeuClsTask(recipe, neu_cls.load(root, split))


class NeuClsTask:
    """Flips, turns, shifts or zooms, crops, gain, CutMix; standardised or plain pixels; cross-entropy with soft labels [N,K].

    A crop is standardised by itself. A network that was trained on crops sees whole pictures in validation and test.
    """

    def __init__(self, recipe: Recipe, data: neu_cls.NeuCls) -> None:
        self.recipe, self.data, self.transform = recipe, data, networks.transform(recipe)
        self.split, self.data_hash = data.split, data.data_hash
        self.parts = {part: data.indices(part) for part in ("train", "val", "test")}
        if recipe.data.limit:
            rng = np.random.default_rng(recipe.seed)
            for part, index in self.parts.items():
                self.parts[part] = rng.permutation(index)[: recipe.data.limit]
            self.split += f"; limited to {recipe.data.limit} per part"

    def _input(self, images_NHW: np.ndarray) -> np.ndarray:
        """float32 [N, 1, H, W]."""
        x = np.stack([transform.apply(image, self.transform) for image in images_NHW])
        return x[:, None].astype(np.float32)

    def turned(self, rng: np.random.Generator, image_HW: np.ndarray) -> np.ndarray:
        """The picture or one of its mirror images and turns."""
        how = self.recipe.augment
        return augment.dihedral(rng, image_HW, flips=how.flips, turns=how.turns)[0]

    def side_px(self, epoch: int) -> int:
        """Of the training pictures of this epoch."""
        how, whole = self.recipe.augment, self.data.images_NHW.shape[1]
        crops = how.crop_px and epoch < round((1 - how.whole_share) * self.recipe.epochs)
        return min(how.crop_px, whole) if crops else whole

    def sample(self, epoch: int, i: int) -> np.ndarray:
        """One augmented picture, 8 bit."""
        how = self.recipe.augment
        rng = np.random.default_rng([self.recipe.seed, epoch, i])
        image = self.turned(rng, self.data.images_NHW[i])
        scales = (how.scale_least, how.scale_most)
        if scales == (1.0, 1.0):
            image = augment.shift(rng, image, SHIFT_PX)
        else:
            (image,) = augment.scaled_crop(rng, (image,), image.shape[0], scales)
        side = self.side_px(epoch)
        if side < len(image):
            y, x = rng.integers(0, len(image) - side + 1, 2)
            image = image[y : y + side, x : x + side]
        if rng.random() < 0.8:
            image = augment.gain(rng, image, how.gain_spread)
        if rng.random() < 0.1:
            image = augment.noise(rng, image, 3.0)
        return image

    def _batch(self, epoch: int, index: np.ndarray) -> Batch:
        images = np.stack([self.sample(epoch, int(i)) for i in index])
        labels = np.eye(len(self.recipe.classes), dtype=np.float32)[self.data.labels_N[index]]
        rng = np.random.default_rng([self.recipe.seed, epoch, int(index[0]), len(index)])
        if rng.random() < self.recipe.augment.cutmix:
            images, labels = augment.cutmix(rng, images, labels)
        return self._input(images), labels

    def epoch_jobs(self, epoch: int) -> list[Callable[[], Batch]]:
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(self.parts["train"])
        size = self.recipe.batch
        return [partial(self._batch, epoch, order[i : i + size]) for i in starts(self.recipe, len(order))]

    def _still(self, index: np.ndarray) -> Batch:
        return self._input(self.data.images_NHW[index]), self.data.labels_N[index]

    def still_jobs(self) -> list[Callable[[], Batch]]:
        order = np.random.default_rng(self.recipe.seed).permutation(self.parts["train"])
        size = self.recipe.batch
        return [partial(self._still, order[i : i + size]) for i in starts(self.recipe, len(order))]

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)

    def correct(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]:
        return int((logits.argmax(1) == labels.argmax(1)).sum()), len(labels)

    def _logits(self, net: torch.nn.Module, part: str) -> np.ndarray:
        return predict(net, self._input(self.data.images_NHW[self.parts[part]]))

    def validate(self, net: torch.nn.Module) -> dict:
        index = self.parts["val"]
        if not len(index):
            return {}
        logits = self._logits(net, "val")
        labels = self.data.labels_N[index]
        loss = F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
        return {"val_accuracy": float((logits.argmax(1) == labels).mean()), "val_loss": loss}

    def result(self, net: torch.nn.Module) -> dict:
        index, left = self.parts["test"], self.recipe.data.leave_out
        logits, truth, unknown = self._logits(net, "test"), self.data.labels_N[index], {}
        if left:
            known = truth != self.recipe.classes.index(left)
            unknown = {"unknown": {"class": left} | metrics.unknown(logits[known], logits[~known])}
            index, logits, truth = index[known], logits[known], truth[known]
        predicted = logits.argmax(1)
        out = metrics.classification_report(truth, predicted, self.recipe.classes) | unknown
        wrong = np.flatnonzero(truth != predicted)
        out["errors"] = [
            {"image": self.data.names[index[i]], "predicted": self.recipe.classes[predicted[i]]} for i in wrong
        ]
        return out
