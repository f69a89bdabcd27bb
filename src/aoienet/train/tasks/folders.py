"""Whole pictures in class folders of the user's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from aoienet.data import augment
from aoienet.data.datasets import folders
from aoienet.models import spec_of
from aoienet.train.recipes import Recipe
from aoienet.train.tasks.neu_cls import NeuClsTask


def open_task(recipe: Recipe, root: Path) -> FoldersTask:
    """Read and check the pictures. Raises ValueError: a recipe that is not one of square grey pictures; bad folders."""
    height, width = spec_of(recipe.model).input_hw
    if recipe.in_channels != 1 or recipe.input != "standardize" or height != width or recipe.block_px:
        raise ValueError(
            "class folders train a network of whole square grey pictures, standardised; received "
            f"in_channels={recipe.in_channels}, input={recipe.input!r}, {width}x{height} px of {recipe.model}, "
            f"block_px={recipe.block_px}."
        )
    options = folders.Options(
        recipe.val_fraction, recipe.test_fraction, recipe.duplicate_correlation, recipe.class_weights
    )
    return FoldersTask(recipe, folders.load(root, recipe.split_seed, (height, width), options))


def turned(rng: np.random.Generator, image_HW: np.ndarray, flips: bool, turns: bool) -> np.ndarray:
    """Mirrored left-right and up-down, and turned by a quarter, each with probability one half where switched on."""
    down, across, quarter = rng.random(3) < 0.5
    if flips:
        image_HW = image_HW[:: -1 if down else 1, :: -1 if across else 1]
    return np.rot90(image_HW) if turns and quarter else image_HW


class FoldersTask(NeuClsTask):
    """The whole-picture task with the classes of the data, switches for flips and turns, and weighted classes.

    `recipe` is the recipe with its classes filled in; `data_report` goes into the run folder.
    """

    def __init__(self, recipe: Recipe, data: folders.Folders) -> None:
        super().__init__(replace(recipe, classes=data.classes), data)
        self.data_report = data.report
        self._weights = torch.tensor([data.report["class_weights"][name] for name in data.classes])

    def sample(self, epoch: int, i: int) -> np.ndarray:
        """One augmented picture, 8 bit."""
        r = self.recipe
        rng = np.random.default_rng([r.seed, epoch, i])
        image = turned(rng, self.data.images_NHW[i], r.flips, r.turns)
        (image,) = augment.scaled_crop(rng, (image,), image.shape[0], (r.scale_least, r.scale_most))
        if rng.random() < 0.8:
            image = augment.gain(rng, image, r.gain_spread)
        if rng.random() < 0.1:
            image = augment.noise(rng, image, 3.0)
        return image

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        weights = self._weights.to(logits.device)
        return F.cross_entropy(logits, labels, weights, label_smoothing=self.recipe.label_smoothing)
