"""What a newcomer gets wrong: one line that says the rule, the value received and the next step, before the work."""

import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from aoienet.cli import app  # noqa: E402

QUICK = ("-o", "epochs=1", "-o", "batch=4")


def draw(root, classes, count=6):
    rng = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (24, 24), dtype=np.uint8)).save(root / name / f"{i}.png")


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Two classes in data/set, three in data3, a finished and packed run of each."""
    base = tmp_path_factory.mktemp("mistakes")
    draw(base / "data" / "set", ("a", "b"))
    draw(base / "data3", ("a", "b", "c"))
    for run, data in (("run", base / "data" / "set"), ("run3", base / "data3")):
        done = call("train", "--recipe", "folder", "--data", data, "--out", base / run, *QUICK)
        assert done.exit_code == 0, done.stderr
        assert call("pack", base / run, "-o", base / f"{run}.aoie").exit_code == 0
    return base


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "{}/data"), "has one, 'set'; next: --data {}/data/set if a, b are the classes"),
        (("--data", "{}/data/set/a"), "If a is a class itself, beside b: --data {}/data/set."),
        (
            ("-o", "distill.teacher={}/none"),
            "distill.teacher={}/none: {}/none/checkpoint.pt is missing: {}/none is not a run",
        ),
        (("-o", "distill.teacher={}/run3"), "next: train the teacher on the same classes"),
        (("-o", "net.surrogate=clip:x"), "is a number, as in clip:1.3; received 'clip:x'"),
        (("-o", "input.window_px=64"), "input.window_px is odd, or 0 for the whole picture; got 64"),
        (("-o", "model=segment_light"), "segment_light answers for pixels and learns from data.set=segment"),
        (("-o", "real_weights.epochs=5"), "next: -o real_weights.epochs=N with fewer"),
        (("--config", "{}/run/recipe.toml"), "received both --recipe folder and --config {}/run/recipe.toml"),
        (("--resume",), "--resume: {}/new/checkpoint.pt is missing"),
    ],
)
def test_training(base, words, said):
    data = () if "--data" in words else ("--data", base / "data" / "set")
    given = [word.format(base) for word in words]
    done = call("train", "--recipe", "folder", *data, "--out", base / "new", *QUICK, *given)
    assert done.exit_code == 1 and said.replace("{}", str(base)) in done.stderr, done.stderr
    assert "--resume" in words or "without --resume" not in done.stderr
    assert not (base / "new").exists()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("run", "received the folder {}/run; next: --config {}/run/recipe.toml"),
        ("run/recipe.json", "next: --config with the"),
    ],
)
def test_another_file_than_the_recipe(base, config, said):
    done = call("train", "--config", base / config, "--data", base / "data" / "set", "--out", base / "new")
    assert done.exit_code == 1 and said.replace("{}", str(base)) in done.stderr


def test_one_class_in_given_parts(tmp_path):
    for part in ("train", "test"):
        draw(tmp_path / part, ("a",))
    done = call("train", "--recipe", "folder", "--data", tmp_path, "--out", tmp_path / "run")
    assert done.exit_code == 1 and "has one, 'a'; next: add" in done.stderr


def test_verify_of_the_file_of_another_run(base):
    done = call("verify", base / "run3.aoie", base / "run", "--blocks", "2")
    assert done.exit_code == 1 and "holds another network than the run" in done.stderr
    for words in (("--blocks", "0"), ("--full", "0")):  # nothing compared is nothing passed
        done = call("verify", base / "run.aoie", base / "run", *words)
        assert done.exit_code != 0 and "PASSED" not in done.stdout
    assert call("verify", base / "run.aoie", base / "run", "--blocks", "2").exit_code == 0


def test_a_run_folder_is_no_model_and_no_run_is_named(base):
    for verb, words in (("eval", ("--data", base / "data3")), ("info", ())):
        done = call(verb, base / "run", *words)
        assert done.exit_code == 1 and "run" in done.stderr
    assert f"next: aoienet pack {base / 'run'} -o FILE.aoie" in call("eval", base / "run", "--data", base).stderr
    done = call("pack", base / "data", "-o", base / "x.aoie")
    assert done.exit_code == 1 and "is not a run folder" in done.stderr and "--resume" not in done.stderr


def test_eval_tells_folders_that_are_no_class_of_the_model(base, tmp_path):
    done = call("eval", base / "run.aoie", "--data", base / "data3")
    assert done.exit_code == 0 and "left out: c: no class of the model" in done.stderr and "of 12" in done.stdout
    shutil.copytree(base / "data" / "set", tmp_path / "set")
    assert "left out" not in call("eval", base / "run.aoie", "--data", tmp_path / "set").stderr
