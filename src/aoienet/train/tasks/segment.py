"""Pixels of cracks: crops of masked pictures and of clean ones; Dice, cross-entropy and skeleton recall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.special import logit
from torch.nn import functional as F

from aoienet.data import augment, masks, metrics
from aoienet.data.datasets import cracks as data
from aoienet.data.transform import standardize
from aoienet.models.segment import NAMES, LightUNet
from aoienet.models.segment.light import TwoScales, transformed
from aoienet.train.pictures import epoch_order, limited
from aoienet.train.recipes import Recipe
from aoienet.train.tasks import Batch, predict, starts

READS = (
    *("data.split", "data.val_fraction", "input.kind", "input.window_px", "input.eps_levels", "input.scale"),
    *("augment.scale_least", "augment.scale_most", "augment.gain_spread", "augment.flips", "augment.turns"),
    *("pixels.crop_px", "pixels.masked_repeats", "pixels.drone_per_epoch", "pixels.photo_per_epoch"),
    *("pixels.blur_px", "pixels.noise_levels", "pixels.dice", "pixels.entropy", "pixels.skeleton"),
)
CLEAN, CRACK, LINE = 0, 1, 2  # a label; LINE: crack, and near the middle of it
SHIFTS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)  # of TwoScales, in log-odds, tried on validation photographs
AS_GOOD = 0.0025  # of F1: about the best threshold the curve is flat, and the least of these loses the fewest cracks
TUBE_PX = 2  # half width of LINE about the skeleton (Kirchhoff 2024, arXiv 2404.03010)


def open_task(recipe: Recipe, root: Path) -> SegmentTask:
    """Read the data. Raises ValueError: another split than by photograph, a network that does not answer for pixels."""
    if recipe.model not in NAMES:
        raise ValueError(
            f"{recipe.data.set} trains a network that answers for pixels; received {recipe.model}; known: {NAMES}"
        )
    if recipe.data.split != "photograph":
        raise ValueError(f"{recipe.data.set} is split by photograph; received data.split={recipe.data.split!r}")
    parts = data.load(root, recipe.data.split_seed, recipe.data.val_fraction, channels=recipe.in_channels)
    return SegmentTask(recipe, parts)


def truth_of(picture: data.Picture) -> np.ndarray:
    """The mask of a masked picture."""
    assert picture.mask_HW is not None
    return picture.mask_HW


def labels(mask_HW: np.ndarray) -> np.ndarray:
    """uint8 CLEAN, CRACK, LINE of a bool mask."""
    tube = binary_dilation(masks.skeleton(mask_HW), iterations=TUBE_PX) & mask_HW
    return mask_HW.astype(np.uint8) + tube.astype(np.uint8)


class SegmentTask:
    """Masked pictures, and hard clean crops, in one epoch."""

    def __init__(self, recipe: Recipe, parts: data.CrackBlocks) -> None:
        self.recipe = recipe
        self.split, self.train, self.val, self.test = limited(recipe, parts)
        self.data_hash = parts.data_hash

    def epoch_order(self, epoch: int) -> list[int]:
        """Indices into train: all masked pictures, and a draw from the clean ones."""
        pixels = self.recipe.pixels
        draws = {"drone": pixels.drone_per_epoch, "imagenette224": pixels.photo_per_epoch}
        return epoch_order(self.recipe, epoch, self.train, pixels.masked_repeats, draws)

    def sample(self, epoch: int, place: int, i: int) -> tuple[np.ndarray, np.ndarray]:
        """One augmented crop, float32 [C, H, W], and its labels, uint8 [H, W]."""
        r, picture = self.recipe, self.train[i]
        rng = np.random.default_rng([r.seed, epoch, place, i])
        image = picture.image_HW if picture.image_HW.ndim == 3 else picture.image_HW[:, :, None]
        mask = np.zeros(image.shape[:2], bool) if picture.mask_HW is None else picture.mask_HW
        layers = (*np.moveaxis(image, 2, 0), mask.astype(np.uint8) * 255)
        layers = augment.scaled_crop(rng, layers, r.pixels.crop_px, (r.augment.scale_least, r.augment.scale_most))
        layers = augment.dihedral(rng, *layers, flips=r.augment.flips, turns=r.augment.turns)
        pixels_CHW = self._disturbed(rng, np.stack(layers[:-1]))
        return self._transformed(pixels_CHW), labels(np.ascontiguousarray(layers[-1] > 127))

    def _transformed(self, pixels_CHW: np.ndarray) -> np.ndarray:
        """What the network sees, float32: local contrast for binary networks, which are grey, else (u - mean) / spread."""
        how = self.recipe.input
        if how.kind == "pixels":
            return transformed(pixels_CHW)
        return standardize(pixels_CHW[0], how.window_px, how.eps_levels, how.scale)[None].astype(np.float32)

    def _disturbed(self, rng: np.random.Generator, pixels_CHW: np.ndarray) -> np.ndarray:
        """Light, focus and noise of another camera."""
        r = self.recipe
        if rng.random() < 0.8:
            pixels_CHW = augment.gain(rng, pixels_CHW, r.augment.gain_spread)
        if rng.random() < 0.3:
            sigma = rng.uniform(0.4, r.pixels.blur_px)
            pixels_CHW = gaussian_filter(pixels_CHW, (0, sigma, sigma))
        if rng.random() < 0.4:
            pixels_CHW = augment.noise(rng, pixels_CHW, r.pixels.noise_levels)
        return pixels_CHW

    def _batch(self, epoch: int, start: int, index: Sequence[int]) -> Batch:
        pairs = [self.sample(epoch, start + k, i) for k, i in enumerate(index)]
        return np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])

    def epoch_jobs(self, epoch: int) -> list[Callable[[], Batch]]:
        order, size = self.epoch_order(epoch), self.recipe.batch
        return [partial(self._batch, epoch, i, order[i : i + size]) for i in starts(self.recipe, len(order))]

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Sums over the whole batch, so that a crop without cracks has a meaning too."""
        weights = self.recipe.pixels
        odds = logits[:, 0]
        crack, line = (labels >= CRACK).to(odds.dtype), (labels == LINE).to(odds.dtype)
        probability = odds.sigmoid()
        hit = (probability * crack).sum()
        dice = 1 - (2 * hit + 1) / (probability.sum() + crack.sum() + 1)
        missed_line = 1 - ((probability * line).sum() + 1) / (line.sum() + 1)
        entropy = F.binary_cross_entropy_with_logits(odds, crack)
        return weights.dice * dice + weights.entropy * entropy + weights.skeleton * missed_line

    def correct(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]:
        return int(((logits[:, 0] >= 0) == (labels >= CRACK)).sum()), labels.numel()

    def probabilities(self, net: torch.nn.Module, pictures: Sequence[data.Picture]) -> list[np.ndarray]:
        """float32 [H, W] each, as the field side has them: mirrored surroundings, not the network's own padding."""
        local: Any = net  # one of aoienet.models.segment
        halo, align = local.halo_px + self.recipe.input.window_px // 2, local.align_px
        halo = -(-halo // align) * align
        out = []
        for picture in pictures:
            image = picture.image_HW if picture.image_HW.ndim == 3 else picture.image_HW[:, :, None]
            h, w = image.shape[:2]
            wide = np.pad(image, [(halo, halo + -h % align), (halo, halo + -w % align), (0, 0)], mode="symmetric")
            (odds,) = predict(net, self._transformed(np.moveaxis(wide, 2, 0))[None])
            edge = halo - (len(wide) - len(odds)) // 2  # what the network has not left out by itself
            out.append(1 / (1 + np.exp(-odds[edge : edge + h, edge : edge + w, 0])))
        return out

    def validate(self, net: torch.nn.Module) -> dict:
        if not self.val:
            return {}
        said = [p >= 0.5 for p in self.probabilities(net, self.val)]
        hit, crack, told = _overlap([truth_of(p) for p in self.val], said)
        return {"val_f1": 2 * hit / max(1, crack + told), "val_precision": hit / max(1, told)}

    def result(self, net: torch.nn.Module) -> dict:
        """The least threshold with the best F1 on validation photographs but for AS_GOOD, and with it the shift that makes half
        the size help most, where it does; then the test parts."""
        threshold = 0.5
        chosen: dict[str, float | None] = {}
        if self.val:
            truth = [truth_of(p) for p in self.val]
            alone = self.probabilities(net, self.val)
            threshold = masks.best_threshold(truth, alone, AS_GOOD)
            if isinstance(net, LightUNet):
                shift = self._best_shift(net, truth, alone, threshold)
                chosen, net = {"wide_shift": shift}, net if shift is None else TwoScales(net, shift)
        said = [p >= threshold for p in self.probabilities(net, self.test)]
        test: dict[str, dict] = {}
        for source in dict.fromkeys(p.source for p in self.test):
            rows = [(p, s) for p, s in zip(self.test, said, strict=True) if p.source == source]
            if source in data.MASKED:
                counted = [masks.counts(truth_of(p), s) for p, s in rows]
                test[source] = {"pictures": len(rows)} | masks.measures(masks.pooled(counted))
            else:
                wrong, pixels = sum(int(s.sum()) for _, s in rows), sum(s.size for _, s in rows)
                test[source] = {"pictures": len(rows), "false_crack_pixels": metrics.share(wrong, pixels)}
        rule = f"the least threshold whose F1 on validation photographs is within {100 * AS_GOOD:g} points of the best"
        return {"threshold": threshold, "threshold_rule": rule, **chosen, "test": test}

    def _best_shift(
        self, net: LightUNet, truth: list[np.ndarray], alone: list[np.ndarray], threshold: float
    ) -> float | None:
        """Of SHIFTS, by F1 on validation photographs; None where the picture alone, of these probabilities, is better."""
        # Without a shift the larger of both is the half's wherever one of SHIFTS leaves it the larger.
        both = self.probabilities(TwoScales(net, 0.0), self.val)

        def f1(said: list[np.ndarray]) -> float:
            hit, crack, told = _overlap(truth, said)
            return 2 * hit / max(1, crack + told)

        here = [p >= threshold for p in alone]
        found = {
            shift: f1([h | (logit(p) - shift >= logit(threshold)) for h, p in zip(here, both, strict=True)])
            for shift in SHIFTS
        }
        best = max(found, key=lambda shift: found[shift])
        return best if found[best] > f1(here) else None


def _overlap(truth: list[np.ndarray], said: list[np.ndarray]) -> tuple[int, int, int]:
    """Pixels that are crack in both, in truth, and in what was said."""
    pairs = list(zip(truth, said, strict=True))
    return sum(int((t & s).sum()) for t, s in pairs), sum(int(t.sum()) for t in truth), sum(int(s.sum()) for s in said)
