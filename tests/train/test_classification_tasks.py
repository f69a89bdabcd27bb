"""Batches and losses of the whole-picture tasks: CIFAR-10 and NEU-CLS."""

import numpy as np
import pytest
import torch

from aoienet.data import augment
from aoienet.data.datasets import cifar10, neu_cls
from aoienet.train import loop, recipes
from aoienet.train.tasks import cifar10 as cifar10_task
from aoienet.train.tasks import still_jobs
from aoienet.train.tasks.cifar10 import Cifar10Task
from aoienet.train.tasks.neu_cls import NeuClsTask


def pictures(n: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.fixture
def cifar():
    """Ten colours, one per class."""
    labels = np.arange(60) % 10
    images = (pictures(60, (32, 32, 3)) // 8 + (20 * labels)[:, None, None, None]).astype(np.uint8)
    parts = {"train": slice(0, 40), "val": slice(40, 50), "test": slice(50, 60)}
    split = {k: images[v] for k, v in parts.items()}, {k: labels[v] for k, v in parts.items()}
    return cifar10.Cifar10(*split, "made up", "0")


@pytest.mark.parametrize(("model", "low", "high"), [("aoienet_cifar", 0, 255), ("adabin_resnet20", -128, 127)])
def test_pixels_are_raw_or_centred_as_the_stem_wants_them(cifar, model, low, high):
    recipe = recipes.get("cifar10_paper", [f"model={model}", "batch=16"])
    x, y = Cifar10Task(recipe, cifar).epoch_jobs(0)[0]()
    assert x.shape == (16, 3, 32, 32) and x.dtype == np.float32 and y.shape == (16,)
    assert low <= x.min() and x.max() <= high and (x.min() < 0) == (low < 0)


def test_batches_depend_on_seed_and_epoch_only(cifar):
    task = Cifar10Task(recipes.get("cifar10_paper", ["batch=16"]), cifar)
    first, again, later = (task.epoch_jobs(epoch) for epoch in (0, 0, 1))
    assert len(first) == 3
    for job, same in zip(first, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(job(), same(), strict=True))
    assert not np.array_equal(first[0]()[0], later[0]()[0])


@pytest.mark.parametrize("words", [[], ["net.stem=conv"], ["augment.flips=off"]])
def test_batches_made_on_the_device_are_the_same_pixel_by_pixel(cifar, words):
    recipe = recipes.get("cifar10_paper", ["batch=16", *words])
    here, there = Cifar10Task(recipe, cifar), cifar10_task.Cifar10OnDevice(recipe, cifar)
    for job, other in zip(here.epoch_jobs(1), there.epoch_jobs(1), strict=True):
        (x, y), (x_device, y_device) = job(), other()
        assert x_device.dtype == torch.float32 and np.array_equal(x, x_device.numpy())
        assert np.array_equal(y, y_device.numpy())


@pytest.mark.parametrize("made", [Cifar10Task, cifar10_task.Cifar10OnDevice])
def test_statistics_are_counted_anew_over_pictures_that_are_augmented(cifar, made):
    task = made(recipes.get("cifar10_paper", ["batch=16", "epochs=7"]), cifar)
    for job, other in zip(still_jobs(task, 7), task.epoch_jobs(7), strict=True):
        assert np.array_equal(np.asarray(job()[0]), np.asarray(other()[0]))


def test_without_flips_no_picture_is_mirrored():
    ramp = np.tile(np.arange(32, dtype=np.uint8)[:, None], (50, 32, 1, 3))
    cut = augment.flip_and_crop(np.random.default_rng(0), ramp + 100, 4, flips=False).astype(int)
    assert (np.diff(cut[:, 16, 4:28, 0], axis=1) == 1).all()
    cut = augment.flip_and_crop(np.random.default_rng(0), ramp + 100, 4).astype(int)
    assert (np.diff(cut[:, 16, 4:28, 0], axis=1) == -1).any()


def test_bf16_trains_with_logits_of_float32(cifar, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10_task.cifar10, "load", lambda *args: cifar)
    words = ["model=aoienet_cifar_aba_io", "batch=20", "epochs=1", "optim.lr=0.01"]
    losses = {}
    for bf16 in ("on", "off"):
        recipe = recipes.get("cifar10_paper", [*words, f"bf16={bf16}"])
        losses[bf16] = loop.train(recipe, tmp_path, tmp_path / bf16, say=lambda text: None)["last_epoch"]["loss"]
    assert losses["on"] != losses["off"] and losses["on"] == pytest.approx(losses["off"], rel=0.1)


def test_a_run_on_cifar10_ends_with_a_report_of_the_test_part(cifar, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10_task.cifar10, "load", lambda *args: cifar)
    recipe = recipes.get("cifar10_paper", ["model=adabin_resnet20", "batch=20", "epochs=2"])
    result = loop.train(recipe, tmp_path, tmp_path / "run", say=lambda text: None)
    assert result["count"] == 10 and len(result["confusion"]) == 10
    assert result["last_epoch"]["val_loss"] > 0


def neu(cutmix: float) -> NeuClsTask:
    part = np.repeat([0, 1, 2], 12)
    data = neu_cls.NeuCls(tuple("abc" * 12), pictures(36, (40, 40)), np.arange(36) % 6, part, "made up", "0")
    return NeuClsTask(recipes.get("neu_best", ["batch=6", f"augment.cutmix={cutmix}"]), data)


def test_labels_are_soft_only_with_cutmix():
    for cutmix in (0.0, 1.0):
        soft = [np.any((y > 0) & (y < 1)) for _, y in (job() for job in neu(cutmix).epoch_jobs(0))]
        assert all(soft) == any(soft) == (cutmix == 1.0)


def test_soft_labels_go_through_loss_and_score():
    task = neu(1.0)
    x, y = task.epoch_jobs(0)[0]()
    logits = torch.zeros(len(x), 6, requires_grad=True)
    task.loss(logits, torch.from_numpy(y)).backward()
    assert logits.grad.abs().sum() > 0
    assert task.correct(torch.from_numpy(10 * y), torch.from_numpy(y)) == (len(y), len(y))
