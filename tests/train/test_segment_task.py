"""The segmentation task: batches, the loss and what it pulls at, the result, a run that can be resumed and packed."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aoienet.data import masks  # noqa: E402
from aoienet.data.datasets import cracks as data  # noqa: E402
from aoienet.models import segment as networks  # noqa: E402
from aoienet.train import recipes  # noqa: E402
from aoienet.train.tasks import segment as task_module  # noqa: E402
from aoienet.train.tasks.segment import CLEAN, CRACK, LINE, SegmentTask  # noqa: E402

FEW = ["batch=4", "pixels.drone_per_epoch=2", "pixels.photo_per_epoch=0", "pixels.crop_px=64"]


def parts(channels: int = 1, cracks: int = 6) -> data.CrackBlocks:
    """Dark lines on noise; the answer is in the pixels."""
    rng = np.random.default_rng(1)

    def masked(k: int) -> data.Picture:
        mask = np.zeros((96, 96), bool)
        mask[:, 10 + 12 * k : 15 + 12 * k] = True
        image = rng.integers(120, 200, (96, 96, channels), np.uint8)
        image[mask] //= 4
        return data.Picture("deepcrack256", str(k), "masked", image.squeeze(2) if channels == 1 else image, mask)

    clean = rng.integers(0, 256, (200, 300) if channels == 1 else (200, 300, 3), np.uint8)
    train = (*(masked(k) for k in range(cracks)), data.Picture("drone", "c", "clean", clean))
    test = (masked(6), data.Picture("drone", "d", "clean", clean[:96, :96]))
    return data.CrackBlocks(train, (masked(5),), test, "made up", "0")


def task_of(recipe: str = "segment", *overrides: str) -> SegmentTask:
    made = recipes.get(recipe, [*FEW, *overrides])
    return SegmentTask(made, parts(made.in_channels))


@pytest.mark.parametrize("recipe", ["segment", "segment_binary"])
def test_batches_depend_on_seed_and_epoch_only(recipe):
    task = task_of(recipe)
    first, again, later = (task.epoch_jobs(e) for e in (0, 0, 1))
    for job, same in zip(first, again, strict=True):
        for a, b in zip(job(), same(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0]()[0], later[0]()[0])


@pytest.mark.parametrize("channels", [1, 3])
def test_batch_shapes_and_labels(channels):
    seen, clean = set(), 0
    for job in task_of("segment", f"in_channels={channels}").epoch_jobs(0):
        x, y = job()
        assert x.dtype == np.float32 and x.shape[1:] == (channels, 64, 64) and y.shape[1:] == (64, 64)
        assert np.abs(x).max() <= 2.0
        seen |= set(np.unique(y))
        clean += int((y == CLEAN).all(axis=(1, 2)).sum())
    assert seen == {CLEAN, CRACK, LINE} and clean >= 2


def test_labels_mark_the_middle_of_wide_cracks():
    mask = np.zeros((60, 60), bool)
    mask[10:50, 20:40] = True
    made = task_module.labels(mask)
    np.testing.assert_array_equal(made > CLEAN, mask)
    assert made[30, 30] == LINE and made[30, 21] == CRACK
    thin = np.zeros((60, 60), bool)
    thin[30, 5:55] = True
    np.testing.assert_array_equal(task_module.labels(thin), LINE * thin)


def test_loss_falls_with_the_answer_and_pulls_hardest_at_the_middle_line():
    task = task_of()
    y = torch.zeros(1, 32, 32, dtype=torch.uint8)
    y[0, 10:20] = CRACK
    y[0, 14:16] = LINE
    right = torch.where(y[:, None] > 0, 5.0, -5.0)
    assert task.loss(right, y) < 0.1 < task.loss(torch.zeros_like(right), y) < task.loss(-right, y)
    logits = torch.zeros(1, 1, 32, 32, requires_grad=True)
    task.loss(logits, y).backward()
    pull = logits.grad[0, 0]
    assert pull[14, 0] < pull[11, 0] < 0 < pull[25, 0]


def test_loss_of_a_clean_batch_is_about_false_alarms():
    task = task_of()
    y = torch.zeros(2, 32, 32, dtype=torch.uint8)
    calm, alarm = torch.full((2, 1, 32, 32), -6.0), torch.full((2, 1, 32, 32), 2.0)
    assert torch.isfinite(task.loss(calm, y)) and task.loss(calm, y) < task.loss(alarm, y)


def test_it_learns_and_the_result_counts_pixels():
    task = task_of("segment", "epochs=4")
    torch.manual_seed(0)
    net = networks.create("segment_light")
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
    for epoch in range(12):
        for job in task.epoch_jobs(epoch):
            x, y = (torch.from_numpy(a) for a in job())
            optimiser.zero_grad()
            task.loss(net(x), y).backward()
            optimiser.step()
    result = task.result(net)
    test = result["test"]["deepcrack256"]
    assert test["f1"] > 0.8 and set(masks.MEASURES) <= set(test)
    said = task.probabilities(net, task.test[:1])[0] >= result["threshold"]
    assert test["f1"] == masks.measures(masks.counts(task.test[0].mask_HW, said))["f1"]
    assert result["test"]["drone"]["false_crack_pixels"]["of"] == 96 * 96
    assert 0 <= task.validate(net)["val_f1"] <= 1


def test_networks_by_name():
    assert sum(p.numel() for p in networks.create("segment_light", 3).parameters()) <= 300_000
    with pytest.raises(ValueError, match="did you mean 'segment_light'"):
        networks.create("segment_lite")
    with pytest.raises(ValueError, match="grey; received in_channels=3"):
        networks.create("segment_binary", 3)
