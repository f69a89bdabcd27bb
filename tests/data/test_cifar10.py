"""The real set: counts, classes, splits; flips and crops."""

import numpy as np
import pytest
from PIL import Image

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
    with pytest.raises(
        FileNotFoundError, match="no CIFAR-10 in .*cifar10: it is the binary version, .*docs/guide/data.md"
    ):
        cifar10.load(tmp_path)


def test_broken_files_are_named_with_the_next_step(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(2):
        pixels = rng.integers(0, 256, (1600, 3200, 3), dtype=np.uint8)  # 50 x 100 pictures
        Image.fromarray(pixels).save(tmp_path / f"test_{i:02d}.webp", quality=1)
    (tmp_path / "train_labels.u8").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"test_labels.u8 is missing; next: bring the whole data set"):
        cifar10.read_part(tmp_path, "test")
    for labels, received in (
        (b"", "received 0, the largest 0"),
        (bytes([77]) * 10_000, "received 10000, the largest 77"),
    ):
        (tmp_path / "test_labels.u8").write_bytes(labels)
        with pytest.raises(ValueError, match=f"test_labels.u8 holds .* 10000 pictures; {received}"):
            cifar10.read_part(tmp_path, "test")
    path = tmp_path / "test_01.webp"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"test_01.webp cannot be decoded \(.*\); next: fetch it again"):
        cifar10.read_part(tmp_path, "test")


@pytest.fixture
def binary_version(tmp_path, monkeypatch):
    """Four records per file, in the folder that the archive of the binary version unpacks to."""
    monkeypatch.setattr(cifar10, "PER_BATCH", 4)
    rng = np.random.default_rng(0)
    base = tmp_path / "cifar10" / "cifar-10-batches-bin"
    base.mkdir(parents=True)
    records = rng.integers(0, 256, (6, 4, 3073), dtype=np.uint8)
    records[:, :, 0] = np.arange(24).reshape(6, 4) % 10
    for batch, name in zip(records, [*cifar10.BATCHES["train"], *cifar10.BATCHES["test"]], strict=True):
        batch.tofile(base / name)
    return base, records


def test_the_binary_version_is_read_in_its_order(binary_version):
    base, records = binary_version
    for root in (base.parents[1], base.parent, base):  # DIR, DIR/cifar10, and the folder itself
        images, labels = cifar10.read_part(root, "train")
        assert labels.tolist() == [i % 10 for i in range(20)] and labels.dtype == np.int64
        assert np.array_equal(images[9, 2, 3], records[2, 1, 1:].reshape(3, 32, 32)[:, 2, 3])  # RGB
    assert {part: len(labels) for part, labels in cifar10.load(base).labels.items()} == {
        "train": 18,
        "val": 2,
        "test": 4,
    }


def test_a_batch_of_another_size_and_a_label_above_9_are_named(binary_version):
    base, records = binary_version
    (base / "data_batch_2.bin").write_bytes(records[1].tobytes()[:-1])
    with pytest.raises(ValueError, match=r"4 records of 3073 bytes, 12292 bytes; received .*data_batch_2.bin of 12291"):
        cifar10.read_part(base, "train")
    (base / "data_batch_2.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_2.bin is missing; .*docs/guide/data.md"):
        cifar10.read_part(base, "train")
    records[5, 0, 0] = 10
    records[5].tofile(base / "test_batch.bin")
    with pytest.raises(ValueError, match="one label 0..9 for each of 4 pictures; received 4, the largest 10"):
        cifar10.read_part(base, "test")


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
