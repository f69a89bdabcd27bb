"""The NEU-CLS protocols: splits that leak nothing, draws that are stored and read again, a table that pools them."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("skimage")

from aoienet.data import metrics  # noqa: E402
from aoienet.data.datasets import neu_cls  # noqa: E402
from aoienet.train import networks, recipes, tasks  # noqa: E402
from aoienet.train.tasks.neu_cls import NeuClsTask  # noqa: E402


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "neu.py"
    spec = importlib.util.spec_from_file_location("neu_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Ten pictures of 48 px per class, in pairs of one surface; the classes differ in their grain."""
    base = tmp_path_factory.mktemp("data") / "neu_cls"
    rows = ["image,class,group"]
    for label, c in enumerate(neu_cls.CLASSES):
        (base / "images" / c).mkdir(parents=True)
        for i in range(10):
            noise = np.random.default_rng([label, i]).normal(128, 4 + 9 * label, (48, 48))
            Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)).save(base / "images" / c / f"{c}_{i}.png")
            rows.append(f"{c}_{i},{c},{c}{i // 2}")
    (base / "groups.csv").write_text("\n".join(rows) + "\n")
    return base.parent


def parts_of(n: int = 300, per_group: int = 3):
    labels = [i % 6 for i in range(n)]
    groups = [f"{i % 6}-{i // 6 // per_group}" for i in range(n)]
    return labels, groups


@pytest.mark.parametrize("seed", [0, 1])
def test_grouped_parts_share_no_surface_and_keep_the_shares_of_classes(seed):
    labels, groups = parts_of()
    part = neu_cls.part(labels, groups, neu_cls.Split("grouped", seed, 0.1, 0.2))
    owners = {g: {int(p) for p, other in zip(part, groups, strict=True) if other == g} for g in groups}
    assert all(len(found) == 1 for found in owners.values())
    for c in range(6):
        assert 8 <= sum(1 for p, label in zip(part, labels, strict=True) if p == 2 and label == c) <= 10
    other = neu_cls.part(labels, groups, neu_cls.Split("grouped", seed + 2, 0.1, 0.2))
    assert not np.array_equal(part, other)


def test_few_pictures_leave_their_partners_out():
    labels, groups = parts_of()
    part = neu_cls.part(labels, groups, neu_cls.Split(val_fraction=0.0, per_class=5))
    train = [groups[i] for i in np.flatnonzero(part == 0)]
    assert np.bincount(np.array(labels)[part == 0]).tolist() == [5] * 6
    assert not set(train) & {groups[i] for i in np.flatnonzero(part == 2)}
    assert {groups[i] for i in np.flatnonzero(part == 3)} <= set(train) and (part == 3).any() and not (part == 1).any()


def test_no_picture_of_the_class_that_is_left_out_is_trained_with(bench, root):
    split = bench.Draw(bench.LEFT, "logistic", 4).split()
    data, whole = neu_cls.load(root, split), neu_cls.load(root, replace(split, leave_out=""))
    left = data.labels_N == 4
    assert split.leave_out == neu_cls.CLASSES[4] and (data.part_N[left] == 2).all()
    assert np.array_equal(data.part_N[~left], whole.part_N[~left]) and (whole.part_N[left] == 0).any()
    with pytest.raises(ValueError, match="one of crazing, .*received 'rust'"):
        neu_cls.Split(leave_out="rust")
    with pytest.raises(ValueError, match="without per_class; received 'patches', per_class=5"):
        neu_cls.Split(val_fraction=0.0, per_class=5, leave_out="patches")


def test_a_class_that_is_left_out_wants_whole_parts(root):
    words = ["data.split=grouped", "data.leave_out=patches", "data.limit=4"]
    with pytest.raises(ValueError, match="received data.limit=4 with data.leave_out=patches"):
        tasks.open_task(recipes.get("neu_best", words), root)


def test_a_class_that_is_left_out_is_told_by_the_confidence(bench, root, tmp_path):
    words = ["--data", str(root), "--out", str(tmp_path), "--draws", "7", "--protocols", bench.LEFT]
    words += ["--methods", "logistic", "one_plane", "-o", "epochs=1", "-o", "batch=16"]
    args = bench.parser().parse_args(words)
    lines = {line["method"]: line for line in bench.study(args, "made up")}
    for line in lines.values():
        assert [u["class"] for u in line["unknown"]] == list(neu_cls.CLASSES) and line["draws"] == 6
        assert all(u["passed_at_95"]["of"] == 10 for u in line["unknown"])
        assert line["count"] == 60  # two known test pictures of five classes each time
    assert lines["logistic"]["mean"] > 50
    assert "| left out |" in (tmp_path / "table.md").read_text()


def test_confidence_that_tells_the_unknown_apart_has_an_auroc_of_one():
    sure, unsure = np.array([[9.0, 0, 0], [0, 8, 0]]), np.array([[1.0, 0.9, 1], [0, 0.1, 0], [2, 2, 2]])
    assert metrics.unknown(sure, unsure) == {"auroc": 1.0, "passed_at_95": metrics.share(0, 3)}
    assert metrics.unknown(unsure, sure)["auroc"] == 0.0 and metrics.unknown(unsure, sure)["passed_at_95"]["value"] == 1
    assert metrics.unknown(sure, sure)["auroc"] == 0.5


def test_splits_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="unknown split 'official'; known: grouped, random"):
        neu_cls.Split("official")
    with pytest.raises(ValueError, match="grouped and has no validation part"):
        neu_cls.Split("random", val_fraction=0.0, per_class=5)
    with pytest.raises(ValueError, match="received 'grouped', val_fraction=0.05"):
        neu_cls.Split(per_class=5)


def test_the_split_of_a_recipe_is_the_split_of_the_benchmark(bench, root):
    for protocol in bench.PROTOCOLS:
        few = bench.FEW.get(protocol, 0)
        draw = bench.Draw(protocol, "aoienet", 3)
        words = [w if not few or not w.startswith("data.per_class") else "data.per_class=2" for w in draw.words()]
        task = tasks.open_task(recipes.get("neu_best", words), root)
        split = draw.split()
        mine = neu_cls.load(root, replace(split, per_class=2 if few else 0))
        assert task.data_hash == mine.data_hash and not len(task.parts["val"])


def test_every_method_is_a_network_of_the_same_frame(bench):
    frames = set()
    for method in bench.METHODS:
        r = recipes.get("neu_best", bench.Draw("grouped", method, 0).words())
        spec = networks.spec(r)
        assert spec.head.levels == (method != "one_level")
        frames.add((spec.stem, spec.body, replace(spec.head, levels=True)))
        assert torch.isfinite(networks.build(r)(torch.randint(-128, 128, (2, 1, 64, 64)).float())).all()
    assert len(frames) == 1 and set(bench.TITLES) == {bench.LOGISTIC, *bench.METHODS}


def test_draws_are_stored_read_again_and_pooled(bench, root, tmp_path, monkeypatch):
    words = ["--data", str(root), "--out", str(tmp_path), "--draws", "2", "--protocols", "grouped"]
    words += ["--methods", "logistic", "one_plane", "-o", "epochs=1", "-o", "batch=16"]
    args = bench.parser().parse_args(words)
    lines = {line["method"]: line for line in bench.study(args, "made up")}
    assert lines["logistic"]["mean"] > 50 and lines["logistic"]["draws"] == 2  # chance: 17
    stored = [
        json.loads((tmp_path / "grouped" / "one_plane" / f"draw-{k}" / "result.json").read_text()) for k in (0, 1)
    ]
    right, count = (sum(r[key] for r in stored) for key in ("correct", "count"))
    pooled = lines["one_plane"]
    assert (pooled["right"], pooled["count"]) == (right, count) and count == 24
    assert pooled["interval95"] == pytest.approx([100 * v for v in metrics.clopper_pearson(right, count)])
    assert pooled["mean"] == pytest.approx(50 * (stored[0]["accuracy"] + stored[1]["accuracy"]))
    assert sum(pooled["errors"].values()) == count - right
    text = (tmp_path / "table.md").read_text()
    assert "grouped 8:2" in text and f"{right:,} of {count:,}" in text and f"| {pooled['mean']:.2f} |" in text
    monkeypatch.setattr(bench.grid.loop, "train", lambda *a, **k: pytest.fail("trained again"))
    monkeypatch.setattr(bench.texture, "features", lambda image: pytest.fail("features made again"))
    assert {line["method"]: line for line in bench.study(args, "made up")} == lines
    corrupted_again(
        bench, bench.parser().parse_args([*words, "--methods", "one_plane", "--corruptions"]), pooled, monkeypatch
    )


def corrupted_again(bench, args, stored: dict, monkeypatch):
    """Of the stored draws: pictures as they are, a gain that changes nothing, and black ones, which are of one class for all."""
    monkeypatch.setattr(bench, "CORRUPTIONS", (("gain", 1.0), ("gain", 0.0)))
    clean, same, black = bench.corruption_study(args, "made up")
    assert clean["accuracies"] == same["accuracies"] == stored["accuracies"]
    assert black["corruption"] == "gain 0" and black["mean"] == pytest.approx(100 / 6)
    text = (args.out / "corruptions.md").read_text()
    assert f"| gain 0 | {black['mean']:.2f} ± 0.00 |" in text and "| mean of the corrupted |" in text


def test_corruptions_are_those_of_their_names(bench):
    image = np.full((200, 200), 128, np.uint8)
    noisy, spiked, bright = (
        bench.corrupted(image, kind, level, np.random.default_rng(0))
        for kind, level in (("noise", 10), ("salt and pepper", 0.1), ("gain", 1.5))
    )
    assert noisy.std() == pytest.approx(10, rel=0.02) and noisy.mean() == pytest.approx(128, abs=0.2)
    assert [(spiked == v).mean() for v in (0, 255)] == pytest.approx([0.05, 0.05], abs=0.005)
    assert set(np.unique(spiked)) == {0, 128, 255} and set(np.unique(bright)) == {192}


def task_with(*overrides: str) -> NeuClsTask:
    images = np.random.default_rng(0).integers(0, 256, (24, 40, 40), dtype=np.uint8)
    data = neu_cls.NeuCls(tuple("ab" * 12), images, np.arange(24) % 6, np.zeros(24, int), "made up", "0")
    return NeuClsTask(recipes.get("neu_best", ["batch=8", *overrides]), data)


def test_crops_come_first_and_whole_pictures_last():
    task = task_with("epochs=10", "augment.crop_px=24", "augment.whole_share=0.3")
    sides = [task.epoch_jobs(epoch)[0]()[0].shape[-1] for epoch in (0, 6, 7, 9)]
    assert sides == [24, 24, 40, 40]
    assert task_with("augment.crop_px=24").epoch_jobs(19)[0]()[0].shape[-1] == 24
    assert task_with().epoch_jobs(0)[0]()[0].shape[-1] == 40


def test_still_pictures_are_those_of_the_training_part_as_they_are():
    task = task_with()
    x, y = (np.concatenate(part) for part in zip(*(job() for job in task.still_jobs()), strict=True))
    wanted = {
        (image.astype(np.float32) - 128).tobytes(): label
        for image, label in zip(task.data.images_NHW, task.data.labels_N, strict=True)
    }
    assert len(x) == 24 and all(wanted[row[0].tobytes()] == label for row, label in zip(x, y, strict=True))


@pytest.mark.parametrize(
    ("flips", "turns", "count"), [("off", "off", 1), ("on", "off", 4), ("off", "on", 4), ("on", "on", 8)]
)
def test_flips_and_turns_can_be_switched(flips, turns, count):
    task = task_with(f"augment.flips={flips}", f"augment.turns={turns}")
    image, rng = np.arange(9, dtype=np.uint8).reshape(3, 3), np.random.default_rng(0)
    assert len({task.turned(rng, image).tobytes() for _ in range(200)}) == count
