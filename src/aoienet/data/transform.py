"""Sizes and input transforms of pictures, exactly as docs/format.md (Input) writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image


def to_grey(image: np.ndarray) -> np.ndarray:
    """Grey of an 8-bit HW, HW1 or HW3 image: (19595 R + 38470 G + 7471 B + 32768) >> 16."""
    if image.dtype != np.uint8:
        raise TypeError(f"8-bit pixels expected, got {image.dtype}")
    if image.ndim == 2:
        return image
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ValueError(f"an HW, HW1 or HW3 image is expected, got the shape {image.shape}")
    if image.shape[2] == 1:
        return image[:, :, 0]
    r, g, b = (image[:, :, c].astype(np.uint32) for c in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16).astype(np.uint8)


def centre_of(picture: Image.Image, stored_wh: tuple[int, int], size_wh: tuple[int, int], short_px: int) -> Image.Image:
    """Shorter side to short_px, proportions kept, then the middle of size_wh.

    Args      stored_wh: the size that the proportions are taken from, where `picture` was decoded at a smaller one.
    """
    least = min(stored_wh)
    whole = [short_px * side // least for side in stored_wh]
    left, top = (round((side - wanted) / 2) for side, wanted in zip(whole, size_wh, strict=True))
    resized = picture.resize((whole[0], whole[1]), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + size_wh[0], top + size_wh[1]))


def fit(image: np.ndarray, entry: Mapping[str, Any]) -> np.ndarray:
    """An 8-bit HW or HWC picture of any size as `input` of a model file's header takes it."""
    size = (int(entry["width"]), int(entry["height"]))
    if not entry["fixed"]:
        return image
    if "resize_px" in entry:
        picture = Image.fromarray(image)
        return np.asarray(centre_of(picture, picture.size, size, int(entry["resize_px"])))
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def box_sums(values_HW: np.ndarray, window_px: int) -> np.ndarray:
    """Integer sums over the window_px square around each pixel, clipped at the edges."""
    if window_px < 1 or window_px % 2 == 0:
        raise ValueError(f"window_px must be odd and positive, got {window_px}")
    h, w = values_HW.shape
    half = window_px // 2
    total = np.zeros((h + 1, w + 1), np.int64)
    np.cumsum(np.cumsum(values_HW, axis=0, dtype=np.int64), axis=1, out=total[1:, 1:])
    y, x = np.arange(h), np.arange(w)
    rows = total[np.minimum(y + half + 1, h)] - total[np.maximum(y - half, 0)]
    return rows[:, np.minimum(x + half + 1, w)] - rows[:, np.maximum(x - half, 0)]


def _box_counts(h: int, w: int, window_px: int) -> np.ndarray:
    half = window_px // 2
    y, x = np.arange(h), np.arange(w)
    ny = np.minimum(y + half + 1, h) - np.maximum(y - half, 0)
    nx = np.minimum(x + half + 1, w) - np.maximum(x - half, 0)
    return ny[:, None] * nx[None, :]


def standardize(image_HW: np.ndarray, window_px: int = 0, eps_levels: float = 2.0, scale: float = 32.0) -> np.ndarray:
    """u8 grey -> i8: clamp(rint(scale (n u - S) / sqrt(max(n Q - S^2, 0) + (eps n)^2)), -127, 127)."""
    if image_HW.dtype != np.uint8 or image_HW.ndim != 2:
        raise TypeError("standardize takes an 8-bit HW image")
    h, w = image_HW.shape
    u = image_HW.astype(np.int64)
    if window_px == 0:
        n: np.ndarray = np.float64(u.size)
        s: np.ndarray = np.float64(u.sum())
        q: np.ndarray = np.float64((u * u).sum())
    else:
        n = _box_counts(h, w, window_px).astype(np.float64)
        s = box_sums(u, window_px).astype(np.float64)
        q = box_sums(u * u, window_px).astype(np.float64)
    spread = np.sqrt(np.maximum(n * q - s * s, 0.0) + (eps_levels * n) * (eps_levels * n))
    value = (scale * (n * u.astype(np.float64) - s)) / spread
    return np.clip(np.rint(value), -127, 127).astype(np.int8)


def center(image: np.ndarray) -> np.ndarray:
    """u8 -> i8: u - 128."""
    return (image.astype(np.int16) - 128).astype(np.int8)


def apply(image: np.ndarray, transform: dict) -> np.ndarray:
    """The transform that a file's header names, on one 8-bit image."""
    kind = transform["kind"]
    if kind == "raw":
        return image
    if kind == "center":
        return center(image)
    if kind == "standardize":
        keys = ("window_px", "eps_levels", "scale")
        return standardize(to_grey(image), **{k: transform[k] for k in keys})
    raise ValueError(f"unknown transform {kind!r}; known: raw, center, standardize")
