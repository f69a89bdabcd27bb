"""Augmentation of 8-bit pictures in NumPy; every choice comes from the generator handed in."""

from __future__ import annotations

import numpy as np
from PIL import Image


def dihedral(
    rng: np.random.Generator, *images: np.ndarray, flips: bool = True, turns: bool = True
) -> tuple[np.ndarray, ...]:
    """One of the eight flips and quarter turns, without `turns` of the four that keep lines upright, without `flips` of the
    four turns, without both the picture itself; the same for all."""
    quarters, mirrored = int(rng.integers(4)), bool(rng.integers(2)) and flips
    quarters = quarters if turns else 2 * (quarters % 2) * flips
    turned = (np.rot90(image, quarters) for image in images)
    return tuple(image[:, ::-1] if mirrored else image for image in turned)


def shift(rng: np.random.Generator, image: np.ndarray, most_px: int) -> np.ndarray:
    """Move by up to most_px in y and x; what is missing is mirrored."""
    h, w = image.shape
    y, x = rng.integers(0, 2 * most_px + 1, 2)
    return np.pad(image, most_px, mode="reflect")[y : y + h, x : x + w]


def crop_places(
    rng: np.random.Generator, shape_NHW: tuple[int, int, int], pad_px: int, flips: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Rows [N,H] and columns [N,W] of a padded picture that a random crop takes; columns backwards where it is mirrored."""
    n, h, w = shape_NHW
    y, x = rng.integers(0, 2 * pad_px + 1, (2, n))
    rows = y[:, None] + np.arange(h)
    columns = x[:, None] + np.arange(w)
    mirrored = rng.integers(0, 2, n).astype(bool) & flips
    columns[mirrored] = columns[mirrored, ::-1]
    return rows, columns


def flip_and_crop(rng: np.random.Generator, images_NHWC: np.ndarray, pad_px: int, flips: bool = True) -> np.ndarray:
    """Each picture mirrored or not, and cut at a random place out of itself with pad_px of black around (He 2016)."""
    n, h, w = images_NHWC.shape[:3]
    wide = np.pad(images_NHWC, ((0, 0), (pad_px, pad_px), (pad_px, pad_px), (0, 0)))
    rows, columns = crop_places(rng, (n, h, w), pad_px, flips)
    return wide[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def cutmix(rng: np.random.Generator, images_NHW: np.ndarray, labels_NK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One rectangle of every picture comes from another picture of the batch; labels are mixed by area.

    Source    Yun 2019, arXiv 1905.04899, with the area's share uniform in [0, 1].
    """
    n, h, w = images_NHW.shape
    side = np.sqrt(rng.random())
    cut_h, cut_w = round(h * side), round(w * side)
    y, x = int(rng.integers(0, h - cut_h + 1)), int(rng.integers(0, w - cut_w + 1))
    other = rng.permutation(n)
    mixed = images_NHW.copy()
    mixed[:, y : y + cut_h, x : x + cut_w] = images_NHW[other, y : y + cut_h, x : x + cut_w]
    share = np.float32(cut_h * cut_w / (h * w))
    return mixed, labels_NK * (1 - share) + labels_NK[other] * share


def gain(rng: np.random.Generator, image: np.ndarray, spread: float = 0.25) -> np.ndarray:
    """Random gain, offset and gamma, through one table of 256 entries."""
    level = np.arange(256) / 255.0
    gamma = np.exp(rng.uniform(-spread, spread))
    factor = np.exp(rng.uniform(-spread, spread))
    table = 255.0 * factor * level**gamma + rng.uniform(-16, 16)
    return np.clip(np.rint(table), 0, 255).astype(np.uint8)[image]


def noise(rng: np.random.Generator, image: np.ndarray, most_levels: float) -> np.ndarray:
    """Normal noise of a random strength."""
    level = rng.uniform(0.5, most_levels)
    noisy = image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(level)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def blur(image: np.ndarray) -> np.ndarray:
    """A 3x3 binomial blur."""
    wide = np.pad(image, 1, mode="edge").astype(np.uint16)
    rows = wide[:-2] + 2 * wide[1:-1] + wide[2:]
    return ((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:] + 8) >> 4).astype(np.uint8)


def scaled_crop(
    rng: np.random.Generator,
    images: tuple[np.ndarray, ...],
    side_px: int,
    scale_range: tuple[float, float],
) -> tuple[np.ndarray, ...]:
    """A random square, magnified by a random factor to side_px; mirrored where the picture is too small."""
    factor = np.exp(rng.uniform(*np.log(scale_range)))
    h, w = images[0].shape
    # relative to a picture that just fits, so that 224, 227 and 256 pixel pictures are treated alike
    cut = max(2, round(min(h, w, side_px) / factor))
    y, x = (int(rng.integers(-(cut // 16), max(1, n - cut + cut // 16 + 1))) for n in (h, w))
    out = []
    for image in images:
        top, left = max(0, -y), max(0, -x)
        bottom, right = max(0, y + cut - h), max(0, x + cut - w)
        part = image[max(y, 0) : min(y + cut, h), max(x, 0) : min(x + cut, w)]
        part = np.pad(part, ((top, bottom), (left, right)), mode="symmetric")
        picture = Image.fromarray(np.ascontiguousarray(part))
        out.append(np.asarray(picture.resize((side_px, side_px), Image.Resampling.BILINEAR)))
    return tuple(out)
