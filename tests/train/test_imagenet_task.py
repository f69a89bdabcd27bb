"""Photographs in class folders or shards: batches, resume, shares, broken pictures, the whole training."""

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from aoienet.cli.eval import subject
from aoienet.data import evaluate
from aoienet.data.stores import shard_writer
from aoienet.data.stores.class_folders import open_folders
from aoienet.deploy import export
from aoienet.deploy import format as model_file
from aoienet.engine import Model
from aoienet.train import loop, networks, ranks, recipes, runs
from aoienet.train.tasks import open_task
from aoienet.train.tasks.imagenet import BrokenPictureError

COLORS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (210, 50, 40)}
SMALL = ("model=adabin_resnet20", "net.input_px=16", "batch=8", "data.workers=2", "epochs=2", "real_weights.epochs=1")


@pytest.fixture
def root(tmp_path):
    """Three colors under noise, one of the pictures grey; 24 train, 9 validation."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 8), ("val", 3)):
        for name, color in COLORS.items():
            folder = tmp_path / "set" / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                noisy = np.clip(rng.normal(color, 30, (24 + i, 30, 3)), 0, 255).astype(np.uint8)
                picture = Image.fromarray(noisy)
                picture = picture.convert("L") if (part, name, i) == ("train", "red", 0) else picture
                picture.save(folder / f"{i}.JPEG", "JPEG", quality=90)
    return tmp_path / "set"


def recipe(*words, name="imagenet_paper"):
    return recipes.get(name, [*SMALL, *words])


def task_of(root, *words):
    return open_task(recipe(*words), root)


def stream(task, epoch=0, done=0):
    steps, batches = task.epoch_stream(epoch, done)
    return steps, list(batches)


def same(first, second) -> bool:
    return all(
        np.array_equal(a, b) for one, two in zip(first, second, strict=True) for a, b in zip(one, two, strict=True)
    )


def test_the_paper_recipe_is_that_of_the_design_note():
    r = recipes.get("imagenet_paper")
    assert (r.model, r.epochs, r.real_weights.epochs, r.batch) == ("aoienet_mobilenet", 240, 120, 256)
    assert (r.optim.lr, r.optim.schedule, r.optim.weight_decay, r.real_weights.weight_decay) == (
        5e-4,
        "linear",
        0,
        1e-5,
    )
    assert (r.augment.area_least, r.augment.lighting, r.augment.flips, r.distill.weight) == (0.08, 0.1, True, 1.0)
    assert recipes.get("imagenet_best").finish.bn_batches and recipes.get("imagenet_float").model == "resnet34"


@pytest.mark.parametrize(("model", "dtype"), [("adabin_resnet20", np.int8), ("aoienet_cifar", np.uint8)])
def test_batches_are_8_bit_pictures_as_the_stem_wants_them(root, model, dtype):
    task = task_of(root, f"model={model}")
    steps, batches = stream(task)
    assert steps == len(batches) == 3 and task.recipe.classes == ("blue", "green", "red")
    for x, y in batches:
        assert x.shape == (8, 3, 16, 16) and x.dtype == dtype
        means = x.astype(float).mean((2, 3))
        colored = np.ptp(means, 1) > 40  # all but the grey one
        assert (means.argmax(1) == np.array([2, 1, 0])[y])[colored].all() and colored.sum() >= 7


def test_an_epoch_depends_on_seed_and_epoch_alone_and_is_entered_anywhere(root):
    batches = stream(task_of(root))[1]
    assert same(batches, stream(task_of(root, "data.workers=1"))[1])
    assert same(batches[2:], stream(task_of(root), done=2)[1])
    assert not same(batches, stream(task_of(root), epoch=1)[1])
    assert not same(batches, stream(task_of(root, "seed=1"))[1])
    seen = sorted(label for _, y in batches for label in y)
    assert seen == [0] * 8 + [1] * 8 + [2] * 8


def test_processes_decode_their_parts_of_the_joint_batch(root, monkeypatch):
    whole = stream(task_of(root))[1]
    parts = []
    for k in (0, 1):
        monkeypatch.setattr(ranks, "world", lambda: 2)
        monkeypatch.setattr(ranks, "number", lambda k=k: k)
        parts.append(stream(task_of(root))[1])
    joined = [tuple(np.concatenate(pair) for pair in zip(a, b, strict=True)) for a, b in zip(*parts, strict=True)]
    assert same(whole, joined)


def test_a_part_smaller_than_a_batch_and_wrong_recipes_are_refused(root):
    with pytest.raises(ValueError, match="24 pictures, batch=25; next: -o batch=N"):
        task_of(root, "batch=25")
    with pytest.raises(ValueError, match="square color pictures, as pixels; received in_channels=1"):
        task_of(root, "in_channels=1")
    with pytest.raises(ValueError, match="reads no augment.cutmix"):
        task_of(root, "augment.cutmix=0.5")


def test_a_limit_keeps_the_same_pictures_in_every_epoch(root):
    task = task_of(root, "data.limit=8")
    assert task.count == {"train": 8, "val": 8} and "limited to 8" in task.split
    sets = [{x.tobytes() for x in task._plan(epoch)[0]} for epoch in (0, 1)]
    assert sets[0] == sets[1] and len(sets[0]) == 8


# --- broken pictures --------------------------------------------------------------------------------------------------


def test_a_broken_picture_stops_the_run_and_is_named(root):
    path = root / "train" / "green" / "3.JPEG"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(
        BrokenPictureError, match=r"train.green.3.JPEG cannot be decoded .*most_broken=0 .*next: remove"
    ):
        stream(task_of(root))


def test_broken_pictures_are_left_out_and_recorded_up_to_the_limit(root, tmp_path):
    for name in ("green/3", "red/1"):
        (root / "train" / f"{name}.JPEG").write_bytes(b"no picture")
    result = loop.train(recipe("data.most_broken=2"), root, tmp_path / "run", say=lambda text: None)
    assert sorted(result["broken"]) == ["train/green/3.JPEG", "train/red/1.JPEG"]
    assert result["last_epoch"]["broken"] == 2
    assert sorted(runs.read_checkpoint(tmp_path / "run")["broken"]) == sorted(result["broken"])
    with pytest.raises(BrokenPictureError, match="most_broken=1"):
        stream(task_of(root, "data.most_broken=1"))


def test_a_cut_shard_is_recorded_too(root, tmp_path):
    for part in ("train", "val"):
        shard_writer.write(open_folders(root / part), tmp_path / "shards" / part, part, 12)
    path = tmp_path / "shards" / "train" / "train-0001.tar"
    path.write_bytes(path.read_bytes()[:-11000])
    path.with_suffix(".index").unlink()
    with pytest.raises(ValueError, match="train-0001.tar is cut short.*data.most_broken"):
        task_of(tmp_path / "shards")
    task = task_of(tmp_path / "shards", "data.most_broken=1")
    assert list(task.broken) == ["train-0001.tar"] and 12 < task.count["train"] < 24
    assert stream(task)[0] == task.count["train"] // 8


# --- the whole training -----------------------------------------------------------------------------------------------


def test_two_steps_with_a_teacher_learn_and_report_top1_and_top5(root, tmp_path):
    words = ("epochs=4", "optim.lr=0.01")
    quiet = {"say": lambda text: None}
    teacher = recipe("model=resnet20", "real_weights.epochs=0", *words, name="imagenet_float")
    loop.train(teacher, root, tmp_path / "teacher", **quiet)
    said = []
    student = recipe(f"distill.teacher={tmp_path / 'teacher'}", "real_weights.epochs=2", *words)
    result = loop.train(student, root, tmp_path / "run", say=said.append)
    assert result["count"] == 9 and result["accuracy"] >= 6 / 9  # chance is 3 of 9
    assert result["top5"]["count"] == 9 and result["part"] == "validation" and len(result["confusion"]) == 3
    assert result["last_epoch"]["val_top5"] == 1.0 and result["peak_memory_mib"]["memory"] > 10
    assert sum("pictures/s  peak memory" in line for line in said) == 4


def test_a_run_stopped_within_an_epoch_ends_where_an_unbroken_one_ends(root, tmp_path, monkeypatch):
    quiet = {"say": lambda text: None}
    loop.train(recipe(), root, tmp_path / "a", **quiet)
    step, left = loop.train_step, iter([1, 1, 1, 1, 0])

    def stop(run, batch, steps):
        if not next(left, 1):
            raise KeyboardInterrupt
        step(run, batch, steps)

    monkeypatch.setattr(loop, "train_step", stop)
    with pytest.raises(KeyboardInterrupt):
        loop.train(recipe(), root, tmp_path / "b", **quiet)
    saved = runs.read_checkpoint(tmp_path / "b")
    assert (saved["epoch"], saved["steps"]) == (1, 1)
    monkeypatch.setattr(loop, "train_step", step)
    loop.train(recipe(), root, tmp_path / "b", resume=True, **quiet)
    first, second = (runs.read_checkpoint(tmp_path / name)["state"] for name in "ab")
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_statistics_are_counted_anew_over_pictures_that_are_not_augmented(root, tmp_path):
    words = ("finish.ema=0.5", "finish.bn_batches=2")
    result = loop.train(recipe(*words), root, tmp_path / "run", say=lambda text: None)
    assert result["finished"]["val_loss"] != result["last_epoch"]["val_loss"]
    task = task_of(root)
    still = list(task.still_stream(2))
    assert [len(y) for _, y in still] == [8, 8] and same(still, list(task.still_stream(2)))


def test_the_reader_of_real_photographs(data_dir, monkeypatch):
    """Grey JPEGs among them; a validation view is the same twice."""
    words = ["model=aoienet_mobilenet_quarter", "net.input_px=64", "batch=32", "data.limit=64", "data.workers=2"]
    task = open_task(
        recipes.get("imagenet_paper", [*words, "epochs=2", "real_weights.epochs=1"]), data_dir / "imagenette224"
    )
    steps, batches = stream(task)
    assert steps == 2 and all(x.shape == (32, 3, 64, 64) for x, _ in batches) and len(task.recipe.classes) == 10
    files = sorted((data_dir / "imagenette224" / "train").glob("*/*.JPEG"))
    grey = [f for f in files if Image.open(io.BytesIO(f.read_bytes())).mode == "L"]
    names = list(task.data.train.names)
    i = names.index(f"{grey[0].parent.name}/{grey[0].name}")
    view = task._picture("train", task._still_view, i)
    assert np.array_equal(view[..., 0], view[..., 2])


@pytest.mark.parametrize("name", ["imagenet_paper", "imagenet_best", "imagenet_float"])
def test_the_network_of_every_recipe_is_built_for_thousand_classes(name):
    r = replace(recipes.get(name), classes=tuple(f"n{i:08d}" for i in range(1000)))
    with torch.device("meta"):
        net = networks.build(r).eval()
    assert net(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 1000)
    assert networks.transform(r)["kind"] == ("raw" if name == "imagenet_paper" else "center")


@pytest.mark.slow
def test_the_command_in_two_processes_trains_says_its_result_once_and_refuses_the_folder_of_a_run(root, tmp_path):
    words = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "aoienet",
        "train",
    ]
    words += ["--recipe", "imagenet_paper", "--data", str(root), "--out", str(tmp_path / "run"), "--threads", "1"]
    words += [word for item in (*SMALL, "sync_bn=on") for word in ("-o", item)]
    first = subprocess.run(words, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("top-5 accuracy") == 1 and first.stderr.count("epoch   2 ") == 1
    again = subprocess.run(words, capture_output=True, text=True)
    assert again.returncode != 0 and again.stderr.count("holds a run; use --resume or another --out") == 1


def test_eval_of_the_packed_run_sees_the_pictures_of_its_validation_to_the_last_bit(root, tmp_path):
    """None is square; one is decoded at a smaller scale, one has an EXIF turn, which the training passes over."""
    large = np.tile(np.linspace(0, 255, 400).astype(np.uint8)[None, :, None], (120, 1, 3))
    Image.fromarray(large).save(root / "val" / "green" / "large.JPEG", "JPEG", quality=90)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(large[:40, :60]).save(root / "val" / "red" / "turned.JPEG", "JPEG", exif=turned)
    loop.train(recipe(), root, tmp_path / "run")
    net, info = runs.load_run(tmp_path / "run")
    header, tensors = export.pack(net, info, "photographs")
    model_file.write(tmp_path / "m.aoie", header, tensors)
    assert header["input"]["resize_px"] == 18
    with_the_runtime = subject(Model.open(tmp_path / "m.aoie"))
    report = evaluate.evaluate(with_the_runtime, root / "val")
    task, confusion = task_of(root), np.zeros((3, 3), int)
    for i, name in enumerate(task.data.val.names):
        seen, wanted = with_the_runtime.read(root / "val" / name), task._still_view(i, task.data.val.read(i))
        assert np.array_equal(seen, wanted), name
        confusion[task.data.val.label_N[i], with_the_runtime.run(wanted).argmax()] += 1
    assert report["confusion"] == confusion.tolist() and report["count"] == 11


def test_a_run_of_whole_pictures_asks_for_no_centre():
    assert networks.resize_px(recipes.get("imagenet_paper")) == 256
    assert (
        networks.resize_px(recipes.get("cifar10_paper")) is None and networks.resize_px(recipes.get("folder")) is None
    )
