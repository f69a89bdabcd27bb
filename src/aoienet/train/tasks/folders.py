"""Whole pictures in class folders of the user's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from aoienet.data.datasets import folders
from aoienet.train import networks
from aoienet.train.recipes import Recipe
from aoienet.train.tasks import check_network, neu_cls
from aoienet.train.tasks.neu_cls import NeuClsTask

READS = (
    *(key for key in neu_cls.READS if key != "data.per_class"),
    *(
        "data.test_fraction",
        "data.duplicate_correlation",
        "data.most_broken",
        "input.kind",
        "net.input_px",
        "blocks.px",
    ),
    "class_weights",
)
SPLIT = "near_duplicates"


def open_task(recipe: Recipe, root: Path) -> FoldersTask:
    """Read and check the pictures. Raises ValueError: a recipe that is not one of square grey pictures; bad folders."""
    height, width = networks.spec(recipe).input_hw
    if recipe.in_channels != 1 or recipe.input.kind != "standardize" or height != width or recipe.blocks.px:
        raise ValueError(
            "class folders train a network of whole square grey pictures, standardised; received "
            f"in_channels={recipe.in_channels}, input.kind={recipe.input.kind!r}, {width}x{height} px of {recipe.model}, "
            f"blocks.px={recipe.blocks.px}."
        )
    check_network(recipe, 1)
    if height < folders.LEAST_PX:
        raise ValueError(
            f"pictures are brought to {folders.LEAST_PX} px or more; received net.input_px={height}; next: -o net.input_px=96"
        )
    if recipe.data.split != SPLIT:
        raise ValueError(f"class folders are split with data.split={SPLIT}; received {recipe.data.split!r}")
    how = recipe.data
    options = folders.Options(
        how.val_fraction, how.test_fraction, how.duplicate_correlation, recipe.class_weights, how.most_broken
    )
    return FoldersTask(recipe, folders.load(root, how.split_seed, (height, width), options))


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

    def turned(self, rng: np.random.Generator, image_HW: np.ndarray) -> np.ndarray:
        return turned(rng, image_HW, self.recipe.augment.flips, self.recipe.augment.turns)

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        weights = self._weights.to(logits.device)
        return F.cross_entropy(logits, labels, weights, label_smoothing=self.recipe.label_smoothing)
