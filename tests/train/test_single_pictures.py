"""Batches of one picture: left out at the end of an epoch, trained where the network can be, refused before the work where not."""

import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from aoienet.data.datasets import crack_blocks  # noqa: E402
from aoienet.train import loop, ranks, recipes  # noqa: E402
from aoienet.train.tasks import starts  # noqa: E402
from aoienet.train.tasks.segment import SegmentTask  # noqa: E402


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two classes, given parts: 9 training pictures of 24 px, 2 of each other part."""
    base = tmp_path_factory.mktemp("folders")
    rng = np.random.default_rng(0)
    for part, counts in (("train", (5, 4)), ("val", (1, 1)), ("test", (1, 1))):
        for name, count in zip(("a", "b"), counts, strict=True):
            (base / part / name).mkdir(parents=True)
            for i in range(count):
                picture = Image.fromarray(rng.integers(0, 256, (24, 24), dtype=np.uint8))
                picture.save(base / part / name / f"{i}.png")
    return base


def train(root, out, *words):
    few = ["data.workers=1", "epochs=2", *words]
    return loop.train(recipes.get("folder", few), root, out, say=lambda text: None)


def test_what_is_left_over_and_a_single_picture_has_no_batch(monkeypatch):
    def cut(count, *words):
        return starts(recipes.get("folder", words), count)

    assert cut(33, "batch=32") == [0] and cut(34, "batch=32") == [0, 32] and cut(1, "batch=32") == [0]
    assert cut(3, "batch=1") == [0, 1, 2]
    monkeypatch.setattr(ranks, "world", lambda: 4)
    assert cut(23, "batch=16") == [0] and cut(24, "batch=16") == [0, 16]  # 7 pictures would be 1, 2, 2, 2
    assert cut(23, "batch=16", "sync_bn=on") == [0, 16] and cut(17, "batch=16", "sync_bn=on") == [0]


@pytest.mark.parametrize("words", [("model=aoienet_compact",), ("model=aoienet_compact_levels",)])
def test_an_epoch_of_one_picture_more_than_its_batches_is_trained(root, tmp_path, words):
    train(root, tmp_path / "run", "batch=8", *words)
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 2 and all(np.isfinite(row["loss"]) for row in rows)


def test_single_pictures_train_a_network_whose_batch_norms_see_maps(root, tmp_path):
    train(root, tmp_path / "run", "batch=1", "epochs=1", "data.limit=3", "finish.bn_batches=2")
    saved = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    seen = [int(v) for k, v in saved["optimiser"]["state"][0].items() if k == "step"]
    assert seen == [3]  # all three pictures, the last one too


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("batch=1",), "received batch=1; next: -o batch=2 or more"),
        (("data.limit=1",), "received one training picture; next: more training pictures"),
    ],
)
def test_a_network_that_cannot_learn_from_one_picture_says_so_before_the_work(root, tmp_path, words, said):
    with pytest.raises(
        ValueError, match="needs two values per channel, and .* of aoienet_compact_levels sees one"
    ) as told:
        train(root, tmp_path / "run", "model=aoienet_compact_levels", *words)
    assert said in str(told.value) and not (tmp_path / "run").exists()


def test_the_other_tasks_cut_their_epochs_alike():
    rng = np.random.default_rng(0)
    mask = np.zeros((64, 64), bool)
    mask[20:24] = True
    pictures = [
        crack_blocks.Picture("deepcrack256", str(i), "masked", rng.integers(0, 256, (64, 64), dtype=np.uint8), mask)
        for i in range(9)
    ]
    parts = crack_blocks.CrackBlocks(tuple(pictures), (), (), "made up", "0")
    task = SegmentTask(recipes.get("segment", ["batch=8", "pixels.crop_px=64"]), parts)
    assert [len(job()[0]) for job in task.epoch_jobs(0)] == [8]
