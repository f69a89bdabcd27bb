"""The segmentation task: batches, the loss and what it pulls at, the result, a run that can be resumed and packed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aoienet.data import masks  # noqa: E402
from aoienet.data.datasets import cracks as data  # noqa: E402
from aoienet.models import segment as networks  # noqa: E402
from aoienet.models.segment.light import TwoScales  # noqa: E402
from aoienet.train import recipes  # noqa: E402
from aoienet.train.tasks import segment as task_module  # noqa: E402
from aoienet.train.tasks.segment import CLEAN, CRACK, LINE, SegmentTask  # noqa: E402

FEW = ["batch=4", "pixels.drone_per_epoch=2", "pixels.photo_per_epoch=0", "pixels.crop_px=64"]


def parts(channels: int = 1, cracks: int = 6, bands: bool = False) -> data.CrackBlocks:
    """Dark lines on noise; the answer is in the pixels. bands: the clean pictures have lines that are twice as wide."""
    rng = np.random.default_rng(1)

    def masked(k: int) -> data.Picture:
        mask = np.zeros((96, 96), bool)
        mask[:, 10 + 12 * k : 15 + 12 * k] = True
        image = rng.integers(120, 200, (96, 96, channels), np.uint8)
        image[mask] //= 4
        return data.Picture("deepcrack256", str(k), "masked", image.squeeze(2) if channels == 1 else image, mask)

    clean = rng.integers(0, 256, (200, 300) if channels == 1 else (200, 300, 3), np.uint8)
    if bands:
        clean[:] = rng.integers(120, 200, clean.shape, np.uint8)
        clean[:, np.arange(300) % 40 < 10] //= 4
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


def learn(task: SegmentTask, epochs: int) -> torch.nn.Module:
    torch.manual_seed(0)
    net = networks.create("segment_light")
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
    for epoch in range(epochs):
        optimiser.param_groups[0]["lr"] = 1e-2 * (1 - epoch / epochs)  # to an end that hangs less on rounding
        for job in task.epoch_jobs(epoch):
            x, y = (torch.from_numpy(a) for a in job())
            optimiser.zero_grad()
            task.loss(net(x), y).backward()
            optimiser.step()
    return net


def test_it_learns_and_the_result_counts_pixels():
    task = task_of("segment", "epochs=4")
    net = learn(task, epochs=12)
    result = task.result(net)
    test = result["test"]["deepcrack256"]
    assert test["f1"] > 0.8 and set(masks.MEASURES) <= set(test)
    shift = result["wide_shift"]
    asked = net if shift is None else TwoScales(net, shift)
    said = task.probabilities(asked, task.test[:1])[0] >= result["threshold"]
    assert test["f1"] == masks.measures(masks.counts(task.test[0].mask_HW, said))["f1"]
    assert result["test"]["drone"]["false_crack_pixels"]["of"] == 96 * 96
    assert 0 <= task.validate(net)["val_f1"] <= 1


def test_cracks_that_are_too_wide_are_seen_at_half_the_size(tmp_path):
    """Of lines that are twice as wide it was learned that they are none."""
    fixed = ("augment.scale_least=1", "augment.scale_most=1", "pixels.drone_per_epoch=6")
    task = SegmentTask(recipes.get("segment", [*FEW, *fixed]), parts(bands=True))
    net = learn(task, epochs=30)

    def twice(pictures: tuple[data.Picture, ...]) -> tuple[data.Picture, ...]:
        grown = [[np.kron(a, np.ones((2, 2), a.dtype)) for a in (p.image_HW, p.mask_HW)] for p in pictures]
        return tuple(replace(p, image_HW=i, mask_HW=m) for p, (i, m) in zip(pictures, grown, strict=True))

    val, test = parts().val, parts().test[:1]
    wide = SegmentTask(task.recipe, replace(parts(), val=val + twice(val), test=twice(test)))
    result = wide.result(net)
    (picture,), (alone,) = wide.test, wide.probabilities(net, wide.test)
    before = masks.measures(masks.counts(picture.mask_HW, alone >= result["threshold"]))
    found = result["test"]["deepcrack256"]["f1"]
    assert result["wide_shift"] in task_module.SHIFTS and found > before["f1"] + 0.02
    pytest.importorskip("onnx")
    from aoienet import segment as field
    from aoienet.deploy import segment as deploy

    deploy.write(net, {"model_name": "segment_light", "result": result}, tmp_path / "wide.onnx", "wide")
    said = field.picture(field.load(tmp_path / "wide.onnx"), picture.image_HW) >= result["threshold"]
    packed = masks.measures(masks.counts(picture.mask_HW, said))
    assert packed["f1"] == pytest.approx(found, abs=1e-3)  # what is written is what was measured


def test_a_network_of_one_size_has_no_other():
    task = task_of("segment_binary")
    assert "wide_shift" not in task.result(networks.create("segment_binary").eval())


def test_networks_by_name():
    assert sum(p.numel() for p in networks.create("segment_light", 3).parameters()) <= 300_000
    with pytest.raises(ValueError, match="did you mean 'segment_light'"):
        networks.create("segment_lite")
    with pytest.raises(ValueError, match="grey; received in_channels=3"):
        networks.create("segment_binary", 3)
