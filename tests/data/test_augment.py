"""Picture and mask move together; the generator decides everything."""

import numpy as np

from aoienet.data import augment


def picture(h=256, w=256):
    image = np.full((h, w), 220, np.uint8)
    image[60:100, 40:200] = 10
    return image, (image < 100).astype(np.uint8) * 255


def test_crop_and_turn_move_the_mask_along():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        image, mask = augment.dihedral(rng, *augment.scaled_crop(rng, picture(), 256, (0.8, 1.6)))
        assert image.shape == mask.shape == (256, 256)
        assert np.mean((image < 115) != (mask > 127)) < 0.002


def test_same_generator_same_picture():
    image, _ = picture(300, 400)
    a, b = (augment.shift(np.random.default_rng(5), image, 12) for _ in range(2))
    assert a.shape == image.shape and np.array_equal(a, b)
    a, b = (augment.noise(np.random.default_rng(5), augment.gain(np.random.default_rng(1), image), 4) for _ in range(2))
    assert np.array_equal(a, b) and a.dtype == np.uint8


def test_blur_keeps_flat_areas():
    assert (augment.blur(np.full((9, 9), 77, np.uint8)) == 77).all()


def test_cutmix_mixes_labels_by_the_area_that_comes_from_elsewhere():
    images = np.repeat(np.arange(6, dtype=np.uint8), 40 * 40).reshape(6, 40, 40)
    labels = np.eye(6, dtype=np.float32)
    cut = 0
    for seed in range(8):
        mixed, soft = augment.cutmix(np.random.default_rng(seed), images, labels)
        share = np.stack([(mixed == k).mean(axis=(1, 2)) for k in range(6)], axis=1)
        assert np.allclose(soft, share, atol=1e-6) and np.allclose(soft.sum(axis=1), 1)
        cut += int((soft.max(axis=1) < 1).sum())
    assert cut > 20
