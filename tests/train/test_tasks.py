"""Losses and batches of the tasks."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aoienet.data.datasets import crack_blocks as data  # noqa: E402
from aoienet.train import recipes  # noqa: E402
from aoienet.train.tasks.crack_blocks import CrackBlocksTask  # noqa: E402


def parts():
    rng = np.random.default_rng(1)
    mask = np.zeros((256, 256), bool)
    mask[:, 100:104] = True

    def image():
        return rng.integers(0, 256, (256, 256), dtype=np.uint8)

    train = (
        data.Picture("deepcrack256", "a", "masked", image(), mask),
        data.Picture("brick_crack227", "b", "weak", image()),
        data.Picture("drone", "c", "clean", rng.integers(0, 256, (600, 700), dtype=np.uint8)),
    )
    return data.CrackBlocks(train, train[:1], train[:1], "made up", "0")


@pytest.fixture
def task():
    few = ["batch=2", "blocks.brick_per_epoch=2", "blocks.drone_per_epoch=2"]
    return CrackBlocksTask(recipes.get("blocks", few), parts())


def test_batches_depend_on_seed_and_epoch_only(task):
    first, again, later = (task.epoch_jobs(e) for e in (0, 0, 1))
    for job, same in zip(first, again, strict=True):
        for a, b in zip(job(), same(), strict=True):
            assert np.array_equal(a, b)
    assert not np.array_equal(first[0]()[0], later[0]()[0])


def test_batch_shapes_and_labels(task):
    seen = set()
    for job in task.epoch_jobs(0):
        x, y = job()
        assert x.shape[1:] == (1, 256, 256) and y.shape[1:] == (7, 7)
        assert np.abs(x).max() <= 127 and np.array_equal(x, np.rint(x))
        seen |= set(np.unique(y))
    assert {data.WEAK, 0, 1} <= seen <= {data.WEAK, data.IGNORED, 0, 1}


def test_loss_ignores_blocks_between(task):
    logits = torch.randn(1, 2, 7, 7, requires_grad=True)
    labels = torch.full((1, 7, 7), data.IGNORED)
    labels[0, 0, 0] = 1
    task.loss(logits, labels).backward()
    assert logits.grad[0, :, 0, 0].abs().sum() > 0
    assert logits.grad[0, :, 1:, :].abs().sum() == 0


def test_weak_loss_pulls_the_best_blocks_up(task):
    logits = torch.zeros(1, 2, 7, 7)
    logits[0, 1, 3, :4] = 2.0
    logits.requires_grad_()
    task.loss(logits, torch.full((1, 7, 7), data.WEAK)).backward()
    assert (logits.grad[0, 1, 3, :4] < 0).all()
    assert logits.grad[0, 1, :3].abs().sum() == 0


def test_the_result_holds_the_statistics_of_training_pictures(task):
    net = torch.nn.Sequential(torch.nn.AvgPool2d(64, 32), torch.nn.Conv2d(1, 2, 1))
    found = task.result(net)["familiar"]
    assert found == data.familiar(task.train, task.val, 64, 32)
    assert found["training"] == {"pictures": 3, "blocks": 49 + 49 + 17 * 20} and found["around_px"] == 64
    assert found["validation"] == {"pictures": 1, "blocks": 49}


def test_wrong_grid_is_refused(task):
    with pytest.raises(ValueError, match="grid"):
        task.loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 7, 7, dtype=torch.long))
