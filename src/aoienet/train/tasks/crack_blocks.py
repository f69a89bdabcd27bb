"""Grids of blocks on 256 px crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from aoienet.data import augment, metrics
from aoienet.data.datasets import crack_blocks as data
from aoienet.data.transform import standardize
from aoienet.train.pictures import epoch_order, limited
from aoienet.train.recipes import Recipe
from aoienet.train.tasks import Batch, check_network, predict, starts

READS = (
    *("data.split", "data.val_fraction", "input.window_px", "input.eps_levels", "input.scale"),
    *("augment.scale_least", "augment.scale_most", "augment.gain_spread", "augment.flips", "augment.turns"),
    *("blocks.px", "blocks.stride_px", "blocks.crack_weight", "blocks.weak_weight", "blocks.keep_recall"),
    *("blocks.brick_per_epoch", "blocks.drone_per_epoch", "blocks.photo_per_epoch", "blocks.masked_repeats"),
)


def open_task(recipe: Recipe, root: Path) -> CrackBlocksTask:
    """Read the data. Raises ValueError: another split than by photograph."""
    if recipe.data.split != "photograph":
        raise ValueError(f"{recipe.data.set} is split by photograph; received data.split={recipe.data.split!r}")
    check_network(recipe, 1, "blocks")
    return CrackBlocksTask(recipe, data.load(root, recipe.data.split_seed, recipe.data.val_fraction))


class CrackBlocksTask:
    """Masked pictures, weakly labelled brick and hard clean crops in one epoch."""

    def __init__(self, recipe: Recipe, parts: data.CrackBlocks) -> None:
        self.recipe = recipe
        self.split, self.train, self.val, self.test = limited(recipe, parts)
        self.data_hash = parts.data_hash
        self._weights = torch.tensor([1.0, recipe.blocks.crack_weight])

    def _standardize(self, image: np.ndarray) -> np.ndarray:
        return standardize(image, self.recipe.input.window_px, self.recipe.input.eps_levels, self.recipe.input.scale)

    def epoch_order(self, epoch: int) -> list[int]:
        """Indices into train: all masked pictures, and a draw from the others."""
        blocks = self.recipe.blocks
        draws = {
            "brick_crack227": blocks.brick_per_epoch,
            "drone": blocks.drone_per_epoch,
            "imagenette224": blocks.photo_per_epoch,
        }
        return epoch_order(self.recipe, epoch, self.train, blocks.masked_repeats, draws)

    def sample(self, epoch: int, place: int, i: int) -> tuple[np.ndarray, np.ndarray]:
        """One augmented crop and the labels of its blocks."""
        r, picture = self.recipe, self.train[i]
        rng = np.random.default_rng([r.seed, epoch, place, i])
        layers: tuple[np.ndarray, ...] = (picture.image_HW,)
        if picture.mask_HW is not None:
            layers += (picture.mask_HW.astype(np.uint8) * 255,)
        # a crack known only to be somewhere must not be cropped away
        most = min(1.1, r.augment.scale_most) if picture.kind == "weak" else r.augment.scale_most
        layers = augment.scaled_crop(rng, layers, data.SIDE_PX, (r.augment.scale_least, most))
        layers = augment.dihedral(rng, *layers, flips=r.augment.flips, turns=r.augment.turns)
        image = np.ascontiguousarray(layers[0])
        if rng.random() < 0.8:
            image = augment.gain(rng, image, r.augment.gain_spread)
        if rng.random() < 0.15:
            image = augment.blur(image)
        if rng.random() < 0.2:
            image = augment.noise(rng, image, 5.0)
        mask = layers[1] > 127 if len(layers) > 1 else np.zeros(image.shape, bool)
        return self._standardize(image), data.block_labels(picture, mask, r.blocks.px, r.blocks.stride_px)

    def _batch(self, epoch: int, start: int, index: Sequence[int]) -> Batch:
        pairs = [self.sample(epoch, start + k, i) for k, i in enumerate(index)]
        x = np.stack([p[0] for p in pairs])[:, None].astype(np.float32)
        return x, np.stack([p[1] for p in pairs])

    def epoch_jobs(self, epoch: int) -> list[Callable[[], Batch]]:
        order, size = self.epoch_order(epoch), self.recipe.batch
        return [partial(self._batch, epoch, i, order[i : i + size]) for i in starts(self.recipe, len(order))]

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if logits.shape[2:] != labels.shape[1:]:
            grids = f"{tuple(logits.shape[2:])} against {tuple(labels.shape[1:])}"
            raise ValueError(f"the network gives another grid of blocks than the labels have: {grids}")
        weights = self._weights.to(logits.device)
        known = labels.clamp(min=-1)
        total = F.cross_entropy(logits, known, weights, ignore_index=data.IGNORED, reduction="sum")
        # a fixed divisor per block: a batch without cracks must not weigh more than one with
        total = total / max(1, int((labels >= 0).sum()))
        weak = (labels == data.WEAK).flatten(1).all(1)
        if weak.any():
            odds = (logits[:, 1] - logits[:, 0]).flatten(1)[weak]
            best = odds.topk(min(4, odds.shape[1]), dim=1).values.mean(1)
            total = total + self.recipe.blocks.weak_weight * F.softplus(-best).sum() / len(labels)
        return total

    def correct(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]:
        known = labels >= 0
        return int((logits.argmax(1) == labels)[known].sum()), int(known.sum())

    def scores(self, net: torch.nn.Module, pictures: Sequence[data.Picture]) -> np.ndarray:
        """Raw log-odds N x Hb x Wb."""
        parts = []
        for i in range(0, len(pictures), 32):
            x = np.stack([self._standardize(p.image_HW) for p in pictures[i : i + 32]])
            parts.append(metrics.log_odds(predict(net, x[:, None])))
        return np.concatenate(parts)

    def _known(self, pictures: Sequence[data.Picture], scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return data.known_blocks(pictures, list(scores), self.recipe.blocks.px, self.recipe.blocks.stride_px)

    def validate(self, net: torch.nn.Module) -> dict:
        if not self.val:
            return {}
        score, truth = self._known(self.val, self.scores(net, self.val))
        return {
            "val_accuracy": float(((score >= 0) == truth).mean()),
            "val_auc": metrics.auc(score, truth),
            "val_loss": float(np.logaddexp(0, np.where(truth == 1, -score, score)).mean()),
        }

    def result(self, net: torch.nn.Module) -> dict:
        """Temperature and threshold from validation photographs, then the test parts with both."""
        r = self.recipe
        temperature, threshold = 1.0, 0.0
        if self.val:
            raw = self.scores(net, self.val)
            score, truth = self._known(self.val, raw)
            temperature = metrics.fit_temperature(score, truth)
            scored = list(raw / temperature)
            threshold = data.passing_threshold(self.val, scored, r.blocks.px, r.blocks.stride_px, r.blocks.keep_recall)
        scores = self.scores(net, self.test) / temperature
        masked = [i for i, p in enumerate(self.test) if p.source in data.MASKED]
        out: dict = {}
        if masked:
            score, truth = self._known([self.test[i] for i in masked], scores[masked])
            out = metrics.classification_report(truth, score >= 0, r.classes)
            out["decision"] = "blocks of the masked test parts, crack when score >= 0"
            out["auc"] = metrics.auc(score, truth)
            at = metrics.classification_report(truth, score >= threshold, r.classes)
            out["at_threshold"] = at
            pictures, found = [self.test[i] for i in masked], list(scores[masked])
            out["certificate"] = data.certificate(pictures, found, threshold, r.blocks.px, r.blocks.stride_px)
        if self.val:
            out["familiar"] = data.familiar(self.train, self.val, r.blocks.px, r.blocks.stride_px)
        sources = data.score_parts(self.test, list(scores), threshold, r.blocks.px, r.blocks.stride_px)
        return out | {
            "temperature": temperature,
            "threshold": threshold,
            "threshold_rule": data.threshold_rule(r.blocks.keep_recall),
            "test": sources,
        }
