"""Pictures to compare on: a folder's, or generated ones that need no data set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from aoienet.data import transform

ENDINGS = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}


def generated(height: int, width: int, channels: int, seed: int) -> np.ndarray:
    """Texture with edges: noise smoothed at several scales and dark lines, uint8 HW or HWC."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, channels), 128.0)
    for step in (1, 4, 16, 64):
        coarse = rng.normal(0, 10, (-(-height // step), -(-width // step), channels))
        image += coarse.repeat(step, 0).repeat(step, 1)[:height, :width]
    y, x = np.mgrid[:height, :width]
    angle, offset = rng.uniform(0, np.pi), rng.uniform(0.2, 0.8)
    line = np.abs((x - offset * width) * np.cos(angle) + (y - offset * height) * np.sin(angle))
    image[line < rng.uniform(1, 5)] -= rng.uniform(10, 90)
    image = np.clip(image, 0, 255).astype(np.uint8)
    return image[..., 0] if channels == 1 else image


def loaded(path: Path, size: dict[str, Any]) -> np.ndarray:
    """At the size of `input`, which also a model that takes any size is compared at."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L" if size["channels"] == 1 else "RGB"))
    return transform.fit(pixels, {**size, "fixed": True})


def pictures(header: dict[str, Any], blocks: int, folder: Path | None = None) -> Iterator[np.ndarray]:
    """As many pictures of the model's size as give at least `blocks` decisions. Raises ValueError: an empty folder."""
    size = header["input"]
    height, width, channels = size["height"], size["width"], size["channels"]
    each = 1
    if "scan" in header:
        block, stride = header["scan"]["block_px"], header["scan"]["block_stride_px"]
        each = ((height - block) // stride + 1) * ((width - block) // stride + 1)
    count = -(-blocks // each)
    files = [] if folder is None else sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS)
    if folder is not None and not files:
        raise ValueError(f"the folder must hold pictures ({', '.join(sorted(ENDINGS))}); received {folder}.")
    for i in range(count):
        if i < len(files):
            yield loaded(files[i], size)
        else:
            yield generated(height, width, channels, seed=i)
