"""Evaluation of a made-up model on all layouts, and without PyTorch."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from aoienet.data import evaluate
from aoienet.data.datasets import cifar10, folders, neu_cls

SCAN = {"block_px": 64, "block_stride_px": 32, "defect": 1, "threshold": 0.0, "temperature": 1.0}


def dark_is_crack(image):
    grid = [[float(image[y : y + 64, x : x + 64].min()) for x in range(0, 193, 32)] for y in range(0, 193, 32)]
    odds = 50.0 - np.array(grid, np.float32)
    return np.stack([np.zeros_like(odds), odds], axis=-1)


@pytest.fixture
def block_set(tmp_path):
    base = tmp_path / "set"
    for part in ("test_img", "test_lab"):
        (base / part).mkdir(parents=True)
    image, mask = np.full((256, 256), 200, np.uint8), np.zeros((256, 256), np.uint8)
    image[100:108], mask[100:108] = 0, 255
    Image.fromarray(image).save(base / "test_img" / "a.jpg", quality=100)
    Image.fromarray(mask).save(base / "test_lab" / "a.png")
    return base


def test_block_set(block_set):
    subject = evaluate.Subject(dark_is_crack, ("clean", "crack"), SCAN)
    report = evaluate.evaluate(subject, block_set)
    assert report["layout"] == "blocks"
    assert report["accuracy"] == 1.0 and report["auc"] == 1.0
    assert report["sources"]["set"]["picture_recall"]["count"] == 1
    with pytest.raises(ValueError, match="unknown split"):
        evaluate.evaluate(subject, block_set, "val")
    with pytest.raises(ValueError, match="scanning model"):
        evaluate.evaluate(evaluate.Subject(dark_is_crack, ("clean", "crack")), block_set)


def test_class_folders(tmp_path):
    for name, level in (("dark", 10), ("light", 240)):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(np.full((20, 20), level, np.uint8)).save(tmp_path / name / f"{i}.png")

    def run(image):
        return np.array([[[128.0 - image.mean(), image.mean() - 128.0]]], np.float32)

    report = evaluate.evaluate(evaluate.Subject(run, ("dark", "light")), tmp_path)
    assert report["confusion"] == [[3, 0], [0, 3]] and report["layout"] == "folders"
    with pytest.raises(ValueError, match="none of"):
        evaluate.evaluate(evaluate.Subject(run, ("a", "b")), tmp_path)


def test_class_folders_are_read_as_the_training_reads_them(tmp_path):
    """16 bit by its white level, any depth, hidden and broken files apart; RGB for a network of colours."""
    for name in ("dark", "light"):
        (tmp_path / name / "deep").mkdir(parents=True)
    Image.fromarray(np.full((20, 20), 20 * 257, np.uint16)).save(tmp_path / "dark" / "deep" / "16.png")
    Image.new("RGB", (20, 20), (0, 0, 90)).save(tmp_path / "dark" / "blue.png")
    Image.new("RGB", (20, 20), (255, 255, 90)).save(tmp_path / "light" / "yellow.png")
    (tmp_path / "dark" / "._16.png").write_bytes(b"of another system")
    (tmp_path / "light" / "broken.png").write_bytes(b"no picture")
    seen = []

    def run(image):
        seen.append((image.shape, int(image[0, 0].min())))
        return np.array([[[128.0 - image.mean(), image.mean() - 128.0]]], np.float32)

    report = evaluate.evaluate(evaluate.Subject(run, ("dark", "light")), tmp_path)
    assert report["confusion"] == [[2, 0], [0, 1]] and list(report["unreadable"]) == ["light/broken.png"]
    assert seen == [((20, 20), 10), ((20, 20), 20), ((20, 20), 236)]
    seen.clear()
    subject = evaluate.Subject(run, ("dark", "light"), read=lambda path: folders.read_picture(path, 3)[0])
    evaluate.evaluate(subject, tmp_path)
    assert seen == [((20, 20, 3), 0), ((20, 20, 3), 20), ((20, 20, 3), 90)]
    for path in ("dark/deep/16.png", "dark/blue.png", "light/yellow.png"):
        (tmp_path / path).unlink()
    with pytest.raises(ValueError, match=r"no picture in .* can be read, the first is \('light/broken.png'"):
        evaluate.evaluate(evaluate.Subject(run, ("dark", "light")), tmp_path)


def test_neu_layout_uses_whole_groups(tmp_path):
    rows = ["image,class,group"]
    for label, c in enumerate(neu_cls.CLASSES):
        (tmp_path / "images" / c).mkdir(parents=True)
        for i in range(10):
            Image.fromarray(np.full((20, 20), 40 * label, np.uint8)).save(tmp_path / "images" / c / f"{c}_{i}.png")
            rows.append(f"{c}_{i},{c},{c}{i // 2}")
    (tmp_path / "groups.csv").write_text("\n".join(rows) + "\n")

    def run(image):
        return np.eye(6, dtype=np.float32)[int(image[0, 0]) // 40][None, None]

    report = evaluate.evaluate(evaluate.Subject(run, neu_cls.CLASSES), tmp_path)
    assert report["count"] == 12 and report["accuracy"] == 1.0 and report["errors"] == []
    assert evaluate.evaluate(evaluate.Subject(run, neu_cls.CLASSES), tmp_path, "all")["count"] == 60

    path = tmp_path / "images" / "patches" / "patches_3.png"
    content = path.read_bytes()
    Image.fromarray(np.zeros((20, 21), np.uint8)).save(path)
    with pytest.raises(ValueError, match=r"one size, \(20, 20\); received patches_3 \(20, 21\)"):
        neu_cls.load(tmp_path)
    path.write_bytes(content[:-30])
    with pytest.raises(ValueError, match=r"patches_3.png cannot be decoded \(.*\); next: fetch it again"):
        neu_cls.load(tmp_path)
    path.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"lacks 1 of 60 pictures .*, the first is patches_3; .*docs/guide/data.md"
    ):
        neu_cls.load(tmp_path)
    for table, received in (("image,class\na,patches\n", "'class': 'patches'"), ("image,class,group\n", "no row")):
        (tmp_path / "groups.csv").write_text(table)
        with pytest.raises(ValueError, match=f"has the columns image, class .* and group; received .*{received}"):
            neu_cls.load(tmp_path)


def test_the_public_pictures_of_neu_cls_are_grouped_by_the_table_that_ships(tmp_path):
    rows = neu_cls.read_rows(neu_cls.GROUPS)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "Pa_105.bmp")
    content = (tmp_path / "Pa_105.bmp").read_bytes()
    for row in rows:
        (tmp_path / f"{row['image']}.bmp").write_bytes(content)
    data = neu_cls.load(tmp_path)
    assert np.bincount(data.labels_N).tolist() == [300, 300, 299, 300, 300, 300]
    test = data.part_N == 2
    groups = np.array([row["group"] for row in rows])
    assert test.sum() == 360 and not set(groups[test]) & set(groups[~test])
    assert evaluate.layout(tmp_path, neu_cls.CLASSES) == "neu_cls"
    with pytest.raises(FileNotFoundError, match=r"lacks 1799 of 1799 .*, the first is Cr_1; --data must name"):
        neu_cls.load(tmp_path / "elsewhere")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "Sc_7.png").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"stands once below .*; received .*Sc_7\.bmp and .*Sc_7\.png|Sc_7\.png and .*Sc_7\.bmp"
    ):
        neu_cls.load(tmp_path)


def test_cifar10_is_evaluated_on_its_test_part(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10, "PER_BATCH", 10)
    truth = np.arange(10)
    for names, said in ((cifar10.BATCHES["train"], 9 - truth), (cifar10.BATCHES["test"], truth)):
        for name in names:  # the label, and red that tells it
            planes = np.zeros((10, 3, cifar10.SIDE**2), np.uint8)
            planes[:, 0] = said[:, None]
            (tmp_path / name).write_bytes(
                np.hstack([truth[:, None].astype(np.uint8), planes.reshape(10, -1)]).tobytes()
            )

    def run(image):
        assert image.shape == (32, 32, 3) and not image[..., 1:].any()
        return np.eye(10)[image[0, 0, 0]][None, None]

    subject = evaluate.Subject(run, cifar10.CLASSES)
    report = evaluate.evaluate(subject, tmp_path)
    assert (report["layout"], report["correct"], report["count"]) == ("cifar10", 10, 10)
    report = evaluate.evaluate(subject, tmp_path, "train")
    assert (report["correct"], report["count"], report["split"]) == (0, 50, "official train part")
    with pytest.raises(ValueError, match="unknown split 'val'; known: test, train"):
        evaluate.evaluate(subject, tmp_path, "val")
    with pytest.raises(ValueError, match="is none of: class folders"):
        evaluate.layout(tmp_path, neu_cls.CLASSES)


def test_no_torch_on_this_side():
    code = "import sys; sys.modules['torch'] = None; import aoienet.data.evaluate, aoienet.cli.eval"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
