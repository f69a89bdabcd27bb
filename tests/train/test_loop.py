"""The loop on whole epochs: files, resume, recipes. In the middle of an epoch: test_interruption.py."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from aoienet.data.datasets import neu_cls  # noqa: E402
from aoienet.train import loop, recipes, runs, schedule  # noqa: E402


class Tiny(torch.nn.Module):
    """A stand-in with dropout, so that the random state matters."""

    def __init__(self, classes):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 7, 8)
        self.bn = torch.nn.BatchNorm2d(4)
        self.last = torch.nn.Linear(4, classes)

    def forward(self, x):
        x = torch.dropout(torch.relu(self.bn(self.conv(x / 32))).mean((2, 3)), 0.5, self.training)
        return self.last(x)


def make_net(recipe):
    return Tiny(len(recipe.classes))


@pytest.fixture
def root(tmp_path):
    base = tmp_path / "neu_cls"
    rng = np.random.default_rng(0)
    rows = ["image,class,group"]
    for c in neu_cls.CLASSES:
        (base / "images" / c).mkdir(parents=True)
        for i in range(10):
            Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(base / "images" / c / f"{c}_{i}.png")
            rows.append(f"{c}_{i},{c},{c}{i // 2}")
    (base / "groups.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def recipe(epochs=2):
    return recipes.get("neu_best", [f"epochs={epochs}", "batch=8", "data.val_fraction=0.2"])


class Killed(Exception):
    pass


def flat(recipe):
    """The stored recipe as it was before its fields had groups."""
    renamed = {place: key for key, place in recipes._flat.PLACES.items()}
    out = {"loss": "cross_entropy"}
    for key, value in recipe.items():
        if not isinstance(value, dict):
            out[key] = value
        for name in value if isinstance(value, dict) else ():
            if (key, name) in renamed:
                out[renamed[key, name]] = value[name]
    return {k: v for k, v in out.items() if k not in ("bf16", "compile", "name")} | {"name": "neu_cls"}


def as_version(version, out):
    """The checkpoint as an older program wrote it. Version 1: before versions, whole epochs only."""
    saved = runs.read_checkpoint(out)
    assert saved["steps"] == 0 and not saved["begun"]
    younger = ["average", "bits", "finished", "teacher"]
    saved |= {"version": version, "recipe": flat(saved["recipe"]), "model_name": "aoienet_compact"}
    if version == 1:
        younger += ["version", "begun", "steps", "sums", "environment"]
        saved["recipe"].pop("workers")  # and before the recipe had this key
    torch.save({k: v for k, v in saved.items() if k not in younger}, out / "checkpoint.pt")


@pytest.mark.parametrize("version", [1, 2, 3])
def test_resume_after_an_epoch_is_bit_exact(root, tmp_path, monkeypatch, version):
    loop.train(recipe(), root, tmp_path / "a", make_net=make_net, say=lambda t: None)
    whole = loop.train_epoch

    def kill_in_second(run, bars):
        if run.epoch == 1:
            raise Killed
        return whole(run, bars)

    monkeypatch.setattr(loop, "train_epoch", kill_in_second)
    with pytest.raises(Killed):
        loop.train(recipe(), root, tmp_path / "b", make_net=make_net, say=lambda t: None)
    if version < runs.CHECKPOINT_VERSION:
        as_version(version, tmp_path / "b")
    monkeypatch.setattr(loop, "train_epoch", whole)
    torch.manual_seed(99)
    loop.train(recipe(), root, tmp_path / "b", resume=True, make_net=make_net, say=lambda t: None)
    a, b = runs.read_checkpoint(tmp_path / "a"), runs.read_checkpoint(tmp_path / "b")
    assert a["state"].keys() == b["state"].keys()
    for key, value in a["state"].items():
        assert value.numpy().tobytes() == b["state"][key].numpy().tobytes(), key
    assert torch.equal(a["random"]["torch"], b["random"]["torch"])
    for i, state in a["optimiser"]["state"].items():
        assert torch.equal(state["exp_avg"], b["optimiser"]["state"][i]["exp_avg"])
    first, second = ([r | {"seconds": 0} for r in c["history"]] for c in (a, b))
    assert first == second


def test_files_of_a_run(root, tmp_path):
    out = tmp_path / "run"
    result = loop.train(recipe(1), root, out, make_net=make_net, say=lambda t: None)
    there = {p.name for p in out.iterdir()}
    files = "checkpoint.pt confusion.png curves.png metrics.csv metrics.jsonl recipe.json recipe.toml report.html result.json"
    assert there == set(files.split())
    row = json.loads((out / "metrics.jsonl").read_text())
    assert {"epoch", "lr", "loss", "train_accuracy", "val_accuracy", "seconds"} <= row.keys()
    assert result == json.loads((out / "result.json").read_text())
    assert sum(map(sum, result["confusion"])) == result["count"] == 12
    low, high = result["accuracy_interval95"]
    assert low <= result["accuracy"] <= high


def test_existing_run_and_changed_recipe_are_refused(root, tmp_path):
    loop.train(recipe(1), root, tmp_path / "run", make_net=make_net, say=lambda t: None)
    with pytest.raises(FileExistsError, match="--resume"):
        loop.train(recipe(1), root, tmp_path / "run", make_net=make_net)
    with pytest.raises(ValueError, match="epochs"):
        loop.train(recipe(2), root, tmp_path / "run", resume=True, make_net=make_net)
    with pytest.raises(FileNotFoundError):
        loop.train(recipe(1), root, tmp_path / "none", resume=True, make_net=make_net)


def test_learning_rate_warms_up_and_ends_at_zero():
    r = recipes.get("neu_best", ["epochs=4"])
    rates = [schedule.learning_rate(r, s, 10) for s in range(41)]
    assert rates[0] == pytest.approx(r.optim.lr / 10)
    assert max(rates) == pytest.approx(r.optim.lr)
    assert rates[40] == pytest.approx(0.0, abs=1e-12)


def test_only_kernels_decay():
    net = Tiny(3)
    r = recipe()
    kernels, others = schedule.make_optimiser(net, r, schedule.phases(r)[0]).param_groups
    assert [p.shape for p in kernels["params"]] == [net.conv.weight.shape]
    assert kernels["weight_decay"] > 0 and others["weight_decay"] == 0


def test_prefetch_keeps_the_order():
    jobs = [lambda i=i: i for i in range(23)]
    assert list(loop.prefetch(jobs, 3)) == list(range(23))


def test_overrides():
    assert recipes.get("neu_best", ["optim.lr=0.5", "batch=7"]).batch == 7
    with pytest.raises(ValueError, match="did you mean 'epochs'"):
        recipes.get("neu_best", ["epoch=3"])
    with pytest.raises(ValueError, match="unknown recipe key 'lr'; did you mean 'optim.lr'"):
        recipes.get("neu_best", ["lr=3"])
    with pytest.raises(ValueError, match="did you mean 'neu_best'"):
        recipes.get("neu_bets")
    with pytest.raises(ValueError, match="int"):
        recipes.get("neu_best", ["epochs=many"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipes.get("neu_best").epochs = 3
