"""Surfaces made of clean parts: nothing of a crack in the ground, seams without a step in brightness, cracks where the mask says."""

import numpy as np
import pytest

from aoienet.data import surfaces
from aoienet.data.datasets.crack_blocks import Picture


def masked(image: np.ndarray, mask: np.ndarray) -> Picture:
    return Picture("deepcrack256", "a", "masked", image, mask)


@pytest.fixture
def plain():
    """Parts of one grey level each: what is seen in a surface of them is drawn."""
    return [np.full((128, 128), level, np.float32) for level in (20, 90, 200)]


def test_quarters_with_a_crack_pixel_are_left_out():
    image, mask = np.zeros((256, 256), np.uint8), np.zeros((256, 256), bool)
    image[128:, :128] = 7
    mask[127, 0] = mask[0, 128] = mask[255, 255] = True
    (part,) = surfaces.clean_parts([masked(image, mask), Picture("drone", "b", "clean", image)])
    assert part.shape == (128, 128) and (part == 7).all()


@pytest.mark.parametrize("overlap_px", surfaces.OVERLAPS_PX)
def test_parts_of_any_brightness_join_without_a_step(plain, overlap_px):
    made = surfaces.patchwork(np.random.default_rng(0), plain, 300, 500, overlap_px)
    assert made.shape == (300, 500) and (np.abs(made - surfaces.LEVEL) <= 1).all()


def test_texture_of_the_parts_is_kept():
    part = np.tile(np.array([[100, 140], [140, 100]], np.float32), (64, 64))
    made = surfaces.patchwork(np.random.default_rng(0), [part], 256, 256, 2)
    assert made[:60, :60].std() == pytest.approx(20, abs=0.5)


def test_drawn_pictures_depend_on_the_generator_alone_and_are_dark_where_the_mask_says(plain):
    cracked = jointed = 0
    for seed in range(24):
        one, same = (surfaces.drawn(np.random.default_rng(seed), plain) for _ in range(2))
        np.testing.assert_array_equal(one.image_HW, same.image_HW)
        assert one.mask_HW.shape == one.image_HW.shape == (256, 256) and one.kind == "masked"
        marks = np.abs(one.image_HW - surfaces.LEVEL) > 5
        if one.mask_HW.any():
            cracked += 1
            assert marks[one.mask_HW].mean() > 0.5
        jointed += not one.mask_HW.any() and marks.any()
    assert 6 <= cracked <= 18 and 1 <= jointed <= 10
