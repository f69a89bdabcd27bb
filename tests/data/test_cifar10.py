"""The real set: counts, classes, splits; flips and crops."""

import numpy as np
import pytest

from aoienet.data import augment
from aoienet.data.datasets import cifar10


@pytest.fixture(scope="module")
def data(data_dir):
    return cifar10.load(data_dir, seed=3)


def test_counts_are_the_official_ones(data):
    assert {k: v.shape for k, v in data.images.items()} == {
        "train": (45_000, 32, 32, 3),
        "val": (5_000, 32, 32, 3),
        "test": (10_000, 32, 32, 3),
    }
    assert np.bincount(data.labels["test"]).tolist() == [1000] * 10
    assert (np.bincount(data.labels["train"]) + np.bincount(data.labels["val"])).tolist() == [5000] * 10


def test_validation_is_cut_from_the_training_part_and_depends_on_the_seed(data, data_dir):
    other = cifar10.load(data_dir, seed=4)
    assert other.data_hash != data.data_hash
    assert np.array_equal(other.images["test"], data.images["test"])
    key = {image.tobytes() for image in data.images["val"]}
    assert sum(image.tobytes() in key for image in data.images["train"]) == 0


def test_the_first_pictures_are_those_of_the_original_order(data_dir):
    _, labels = cifar10.read_part(data_dir, "test")
    assert [cifar10.CLASSES[i] for i in labels[:5]] == ["cat", "ship", "ship", "airplane", "frog"]


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="cifar10"):
        cifar10.load(tmp_path)


def test_crops_are_windows_of_the_padded_picture_or_of_its_mirror():
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (40, 6, 7, 3), dtype=np.uint8)
    out = augment.flip_and_crop(np.random.default_rng(1), images, 2)
    wide = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    mirrored = 0
    for i, picture in enumerate(out):
        windows = [(wide[i, y : y + 6, x : x + 7], m) for y in range(5) for x in range(5) for m in (0, 1)]
        hits = [m for w, m in windows if np.array_equal(picture, w[:, ::-1] if m else w)]
        assert hits
        mirrored += hits[0]
    assert 8 < mirrored < 32
