"""Pixel masks of cracks: DeepCrack and Crack500, with clean photographs as hard negatives; split as in crack_blocks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from aoienet.data.datasets import GUIDE, crack_blocks, decoding, digest
from aoienet.data.datasets.crack_blocks import MASKED, SIDE_PX, CrackBlocks, Picture
from aoienet.data.transform import to_grey

NAME = "cracks"
CLASSES = ("crack",)
CLEAN = ("drone", "imagenette224")


def load(root: Path, seed: int = 0, val_fraction: float = 0.1, train: bool = True, channels: int = 1) -> CrackBlocks:
    """All parts without the brickwork, which has no masks. Pictures are uint8 [H, W], or [H, W, 3] for channels = 3."""
    parts = crack_blocks.load(root, seed, val_fraction, train)
    kept, val, test = (
        tuple(coloured(root, p) if channels == 3 else p for p in part if p.source in MASKED + CLEAN)
        for part in (parts.train, parts.val, parts.test)
    )
    pixels = digest(a for p in (*kept, *val, *test) for a in (p.image_HW, p.mask_HW) if a is not None)
    return CrackBlocks(kept, val, test, f"{parts.split}; brickwork left out", pixels)


def coloured(root: Path, picture: Picture) -> Picture:
    """The same picture in RGB, [H, W, 3]."""
    if picture.source == "drone":
        name, _, place = picture.name.removeprefix("DJI_").partition("_")
        image = _read_rgb(Path(root) / "large" / f"DJI_{name}.JPG")
        if place:
            y, x = (int(n) for n in place.split("_"))
            image = image[y : y + SIDE_PX, x : x + SIDE_PX].copy()
        return replace(picture, image_HW=image)
    ending = "jpg" if picture.source in MASKED else "JPEG"
    for path in sorted((Path(root) / picture.source).rglob(f"{picture.name}.{ending}")):
        image = _read_rgb(path)
        if picture.image_HW.shape != image.shape[:2]:
            image = np.stack([crack_blocks.to_side(image[:, :, c]) for c in range(3)], axis=-1)
        if np.array_equal(to_grey(image), picture.image_HW):  # DeepCrack has the same names in both parts
            return replace(picture, image_HW=image)
    raise FileNotFoundError(
        f"no colour picture {picture.name}.{ending} in {Path(root) / picture.source}; next: {GUIDE}"
    )


def _read_rgb(path: Path) -> np.ndarray:
    from PIL import Image

    with decoding(path), Image.open(path) as file:
        return np.array(file.convert("RGB"))
