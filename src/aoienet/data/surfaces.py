"""Surfaces with known cracks, made of clean parts of photographs: hard negatives for a first stage, and ground for benchmarks.

Real texture, and between its parts seams that look a little like cracks and are none. Cracks are those of aoienet.synth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aoienet import synth
from aoienet.data.datasets.crack_blocks import SIDE_PX, Picture

PART_PX = 128
LEVEL = 150.0  # grey level that the parts are brought to
OVERLAPS_PX = (2, 8, 32)  # of parts, for training: from a hard edge to a soft one
CRACKED, JOINTED = 0.5, 0.3  # shares of the drawn pictures


def clean_parts(pictures: Sequence[Picture]) -> list[np.ndarray]:
    """Quarters of masked pictures without a crack pixel, float32 [PART_PX, PART_PX]."""
    clean = []
    for p in pictures:
        for y in (0, PART_PX):
            for x in (0, PART_PX):
                box = np.s_[y : y + PART_PX, x : x + PART_PX]
                if p.mask_HW is not None and not p.mask_HW[box].any():
                    clean.append(p.image_HW[box].astype(np.float32))
    return clean


def patchwork(
    rng: np.random.Generator, parts: Sequence[np.ndarray], height: int, width: int, overlap_px: int
) -> np.ndarray:
    """Parts drawn and turned at random, brought to one mean, blended over their overlap; uint8 [height, width]."""
    step = PART_PX - overlap_px
    ramp = np.minimum(np.arange(1, PART_PX + 1), np.arange(PART_PX, 0, -1)) / overlap_px
    window = np.outer(*[np.minimum(ramp, 1.0)] * 2).astype(np.float32)
    total = np.zeros((height + 2 * PART_PX, width + 2 * PART_PX), np.float32)
    weight = np.zeros_like(total)
    for y in range(0, height + step, step):
        for x in range(0, width + step, step):
            part = parts[int(rng.integers(len(parts)))]
            part = np.rot90(part, int(rng.integers(4)))
            place = np.s_[y : y + PART_PX, x : x + PART_PX]
            total[place] += window * (part - part.mean() + LEVEL)
            weight[place] += window
    inner = np.s_[overlap_px : overlap_px + height, overlap_px : overlap_px + width]
    return np.clip(total[inner] / weight[inner], 0, 255).astype(np.uint8)


def drawn(rng: np.random.Generator, parts: Sequence[np.ndarray]) -> Picture:
    """A square of SIDE_PX out of a patchwork, with or without a straight joint (clean) and a crack (in the mask)."""
    side = SIDE_PX + PART_PX
    ground = patchwork(rng, parts, side, side, int(rng.choice(OVERLAPS_PX))).astype(np.float32)
    if rng.random() < JOINTED:
        _joint(rng, ground)
    cracks = int(rng.random() < CRACKED)
    made = synth.surface(side, side, int(rng.integers(2**31)), cracks=cracks, ground=lambda a, b: ground[a:b])
    y, x = rng.integers(0, PART_PX + 1, 2)
    box = np.s_[y : y + SIDE_PX, x : x + SIDE_PX]
    mask = made.truth_band(0, side)[box] > 0
    return Picture("surface", "", "masked", np.ascontiguousarray(made.band(0, side)[box]), np.ascontiguousarray(mask))


def _joint(rng: np.random.Generator, grey: np.ndarray) -> None:
    """Draw a straight joint at any angle through the middle half, as aoienet.synth has them along the sides."""
    side, angle = len(grey), rng.uniform(0, np.pi)
    y, x = np.mgrid[:side, :side] - rng.uniform(0.25, 0.75, 2)[:, None, None] * side
    away = (np.sin(angle) * x + np.cos(angle) * y).astype(np.float32)
    grey += synth.joint(away, float(rng.uniform(1.2, 3.0)), float(rng.uniform(18, 45)))
