"""The segmentation networks that ship: their files, their cards, and a drawn crack that they must find."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from aoienet.segment import SHIPPED, load, picture


def surface(height: int = 300, width: int = 500) -> np.ndarray:
    """Grey concrete: noise on two scales."""
    rng = np.random.default_rng(2)
    coarse, fine = gaussian_filter(rng.standard_normal((height, width)), 12), rng.standard_normal((height, width))
    return 150 + 60 * coarse + 5 * gaussian_filter(fine, 0.7)


def with_crack(width_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The surface with a wavy dark crack across, and its mask."""
    grey = surface()
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
    middle = 150 + 30 * np.sin(x / 40) + 8 * np.sin(x / 11)
    mask = np.abs(y - middle) <= width_px / 2
    grey = np.where(mask, 60, grey)
    return np.clip(gaussian_filter(grey, 0.7), 0, 255).astype(np.uint8), mask


@pytest.mark.parametrize("name", SHIPPED)
def test_the_file_is_small_and_its_card_is_of_this_file(name):
    content = SHIPPED[name].read_bytes()
    assert len(content) < 2_000_000
    card = SHIPPED[name].with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() in card
    assert "aoienet train --recipe" in card


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("width_px", [3, 6, 12])
def test_a_drawn_crack_is_found_and_little_else(name, width_px):
    segmenter = load(name)
    image, mask = with_crack(width_px)
    said = picture(segmenter, image) >= segmenter.threshold
    near = gaussian_filter(mask.astype(float), 2) > 0.01
    assert (said & mask).sum() > 0.7 * mask.sum()
    assert (said & ~near).mean() < 0.005


@pytest.mark.parametrize("name", SHIPPED)
def test_tiles_leave_no_seam(name):
    segmenter = load(name)
    image, _ = with_crack(6)
    whole = picture(segmenter, image, tile_px=2048)
    np.testing.assert_allclose(picture(segmenter, image, tile_px=128), whole, atol=1e-5)
