"""`aoienet ablate`: rows, seeds, what is read again, resumed or refused, and the table."""

import csv
import json
import math
import os
import shutil
import signal
from itertools import count

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from aoienet.cli import make_app  # noqa: E402
from aoienet.data.datasets import neu_cls  # noqa: E402
from aoienet.train import grid, loop, networks, presets, recipes, runs  # noqa: E402

SMALL = ["epochs=1", "batch=8", "data.val_fraction=0", "net.multi=single"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """NEU-CLS with six pictures of 24 px per class."""
    base = tmp_path_factory.mktemp("data") / "neu_cls"
    rng = np.random.default_rng(0)
    rows = ["image,class,group"]
    for c in neu_cls.CLASSES:
        (base / "images" / c).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(rng.integers(0, 256, (24, 24), dtype=np.uint8)).save(base / "images" / c / f"{c}_{i}.png")
            rows.append(f"{c}_{i},{c},{c}{i}")
    (base / "groups.csv").write_text("\n".join(rows) + "\n")
    return base.parent


def test_axes_are_multiplied():
    rows = grid.grid(["optim.lr=0.1|0.2", "net.act=dprelu|maxout|none"])
    assert len(rows) == 6 and rows[1].overrides == ("optim.lr=0.1", "net.act=maxout")
    assert rows[0].name == "optim.lr=0.1 net.act=dprelu" and rows[0].folder() == "optim.lr=0.1_net.act=dprelu"
    with pytest.raises(ValueError, match="an axis is written"):
        grid.grid(["optim.lr"])


def test_means_and_differences():
    rows = (grid.Row("a"), grid.Row("b", ("x=1",)))
    a, b = grid.lines(rows, {"a": {0: 0.5, 1: 0.7}, "b": {1: 0.8}})
    assert a["mean"] == pytest.approx(0.6) and a["sd"] == pytest.approx(math.sqrt(0.02)) and a["to_first"] == 0
    assert b["n"] == 1 and math.isnan(b["sd"]) and b["to_first"] == pytest.approx(0.1)


@pytest.mark.parametrize("name", presets.PRESETS)
def test_every_row_of_a_preset_is_a_recipe_whose_network_learns(name):
    base = recipes.get("cifar10_paper", ["epochs=9"])
    rows = presets.PRESETS[name](base, "teacher" if name == "tricks" else "")
    assert len({row.folder() for row in rows}) == len(rows)
    x = torch.randint(0, 256, (2, 3, 8, 8)).float()
    specs = set()
    for row in rows:
        r = recipes.override(base, row.overrides)
        specs.add((networks.spec(r), r))
        net = networks.build(r)
        net(x - 128 * (networks.transform(r)["kind"] == "center")).square().mean().backward()
        assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)
    assert len(specs) == len(rows)


def test_table1_has_the_papers_five_rows():
    base = recipes.get("cifar10_paper")
    rows = presets.table1(base)
    stated = {p.top1 for row in rows for p in networks.spec(recipes.override(base, row.overrides)).published}
    assert len(rows) == 5 and {88.5, 88.7, 88.6, 90.6} <= stated


def ablate(root, out, *words):
    call = ["ablate", "--data", str(root), "--out", str(out), "--recipe", "neu_best", "--threads", "1", "--json"]
    for word in SMALL:
        call += ["-o", word]
    return CliRunner().invoke(make_app(), [*call, *words])


def test_a_study_is_finished_read_again_and_written_as_tables(root, tmp_path, monkeypatch):
    words = ("-g", "optim.lr=0.001|0.002", "--seeds", "2")
    answer = ablate(root, tmp_path, *words)
    assert answer.exit_code == 0, answer.output
    table = json.loads(answer.stdout)["table"]
    assert [(line["row"], line["n"]) for line in table] == [("optim.lr=0.001", 2), ("optim.lr=0.002", 2)]
    result = json.loads((tmp_path / "optim.lr=0.002" / "seed-1" / "result.json").read_text())
    assert result["recipe"]["optim"]["lr"] == 0.002 and result["recipe"]["seed"] == 1
    assert f"1:{result['accuracy']:.6g}" in table[1]["values"]
    stored = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert float(stored[0]["mean"]) == table[0]["mean"]
    text = (tmp_path / "table.md").read_text()
    assert "| optim.lr=0.002 |" in text and "seeds 0, 1" in text and "1 epochs" in text
    monkeypatch.setattr(loop, "train", lambda *args, **kwargs: pytest.fail("a finished run was trained again"))
    again = ablate(root, tmp_path, *words)
    assert again.exit_code == 0 and json.loads(again.stdout)["table"] == table
    other = ablate(root, tmp_path, *words, "-o", "label_smoothing=0.3")
    assert other.exit_code == 1 and "label_smoothing differ" in other.stderr


def test_a_stopped_study_goes_on_and_a_row_that_diverges_is_told(root, tmp_path, monkeypatch):
    train, calls = loop.train, count()

    def stop_second(*args, **kwargs):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return train(*args, **kwargs)

    words = ("-g", "optim.lr=0.001|0.002", "--seeds", "1")
    monkeypatch.setattr(loop, "train", stop_second)
    assert ablate(root, tmp_path, *words).exit_code == 130
    monkeypatch.setattr(loop, "train", lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGTERM))
    if os.name == "posix":
        assert ablate(root, tmp_path, *words).exit_code == 143
    assert (tmp_path / "table.csv").is_file()

    def diverge(*args, **kwargs):
        raise FloatingPointError("the loss is nan")

    monkeypatch.setattr(loop, "train", diverge)
    answer = ablate(root, tmp_path, *words)
    assert answer.exit_code == 2 and json.loads(answer.stdout)["failures"] == [
        "optim.lr=0.002, seed 0: the loss is nan"
    ]
    answer = ablate(root, tmp_path / "none", *words)  # of which no row was ever finished
    assert answer.exit_code == 2 and [line["n"] for line in json.loads(answer.stdout)["table"]] == [0, 0]
    assert "| optim.lr=0.001 |  |  | 0 |" in (tmp_path / "none" / "table.md").read_text()


def test_missing_data_leave_no_folder(tmp_path):
    answer = ablate(tmp_path / "none", tmp_path / "study", "-g", "optim.lr=0.001|0.002")
    assert answer.exit_code == 1 and "missing" in answer.stderr and not (tmp_path / "study").exists()


@pytest.mark.parametrize("finished", [True, False])
def test_runs_of_other_pictures_are_not_mixed_into_a_study_and_moved_ones_are_the_same(root, tmp_path, finished):
    words = ("-g", "optim.lr=0.001|0.002", "--seeds", "1")
    assert ablate(root, tmp_path / "study", *words).exit_code == 0
    table = (tmp_path / "study" / "table.csv").read_bytes()
    if not finished:  # with a checkpoint alone it would go on, and the rows after it are not begun
        (tmp_path / "study" / "optim.lr=0.001" / "seed-0" / "result.json").unlink()
        shutil.rmtree(tmp_path / "study" / "optim.lr=0.002")
    shutil.copytree(root, tmp_path / "moved")
    shutil.copytree(root, tmp_path / "other")
    first = sorted((tmp_path / "other").rglob("*.png"))[0]
    Image.fromarray(255 - np.asarray(Image.open(first))).save(first)
    refused = ablate(tmp_path / "other", tmp_path / "study", *words)
    assert refused.exit_code == 1 and "the runs of a study have the same data" in refused.stderr
    assert "optim.lr=0.001/seed-0 had others than --data" in refused.stderr and "another --out" in refused.stderr
    assert (tmp_path / "study" / "table.csv").read_bytes() == table
    assert (tmp_path / "study" / "optim.lr=0.002").exists() == finished
    answer = ablate(tmp_path / "moved", tmp_path / "study", *words)
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "study" / "table.csv").read_bytes() == table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give --preset"),
        (("--preset", "tables"), "unknown preset 'tables'"),
        (("-g", "optim.rl=1|2"), "unknown recipe key 'optim.rl'"),
        (("--preset", "table1", "-g", "seed=1|2"), "give --preset"),
    ],
)
def test_wrong_use_is_said_before_anything_is_trained(root, tmp_path, words, said):
    answer = ablate(root, tmp_path / "study", *words)
    assert answer.exit_code == 1 and said in answer.stderr


def test_a_measure_is_a_number_of_the_result():
    result = {"test": {"a": {"f1": 0.5}}, "split": "x"}
    assert grid.value_at(result, "test.a.f1") == 0.5
    with pytest.raises(ValueError, match="'b' is missing; known there: a"):
        grid.value_at(result, "test.b.f1")
    with pytest.raises(ValueError, match="is no number"):
        grid.value_at(result, "split")


def test_the_stored_toml_is_the_recipe(root, tmp_path):
    words = ["train", "--data", str(root), "--threads", "1", "--out"]
    first = CliRunner().invoke(
        make_app(), [*words, str(tmp_path / "a"), "--recipe", "neu_best", *(w for o in SMALL for w in ("-o", o))]
    )
    assert first.exit_code == 0, first.output
    again = CliRunner().invoke(
        make_app(), [*words, str(tmp_path / "b"), "--config", str(tmp_path / "a" / "recipe.toml")]
    )
    assert again.exit_code == 0, again.output
    a, b = (runs.read_checkpoint(tmp_path / name) for name in "ab")
    assert a["recipe"] == b["recipe"] and runs.state_digest(a["state"]) == runs.state_digest(b["state"])
    about = json.loads((tmp_path / "a" / "recipe.json").read_text())
    assert {"git", "torch", "numpy", "python", "aoienet"} <= about["environment"].keys() and len(
        about["data_hash"]
    ) >= 16
    none = CliRunner().invoke(make_app(), [*words, str(tmp_path / "c")])
    assert none.exit_code == 1 and "give --recipe NAME" in none.stderr


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_goes_through_toml(name, tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(recipes.to_toml(recipes.get(name)), encoding="utf-8")
    assert recipes.read_toml(path) == recipes.get(name)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs = 300", 'epochs = "many"', "epochs is a int; received 'many'"),
        ("epochs = 300", "epochs = 300\nepoch = 3", "unknown keys .epoch"),
        ('model = "aoienet_cifar"', "", "lacks model"),
        ("epochs = 300", "epochs 300", "is no TOML file"),
        ("lr = 0.001", "lr = -1", "optim.lr must be positive"),
        ('set = "cifar10"', "", "set"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path, old, new, said):
    path = tmp_path / "r.toml"
    text = recipes.to_toml(recipes.get("cifar10_paper"))
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        recipes.read_toml(path)
