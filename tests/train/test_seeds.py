"""Several seeds, some at a time: order, bounds, failures, going on, and a real training of two."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from aoienet.cli import app
from aoienet.train import recipes
from aoienet.train.seeds import Launcher, summary, values
from aoienet.train.tasks import open_task

# a "training" that notes when it runs, and ends, fails or waits as its seed says
PROGRAM = """
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, signal.default_int_handler)
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
seed, out = int(words["--seed"]), words["--out"]
os.makedirs(out, exist_ok=True)
with open(os.path.join(os.path.dirname(out), "starts"), "a") as f: f.write(f"{seed} {'--resume' in sys.argv} {time.time()}\\n")
open(os.path.join(out, "checkpoint.pt"), "w").close()
try:
    time.sleep(float(words["--wait"]))
except KeyboardInterrupt:
    print("saved"); sys.exit(130)
if seed == int(words["--bad"]):
    print("error: this seed is bad"); sys.exit(1)
with open(os.path.join(out, "result.json"), "w") as f: json.dump({"accuracy": seed / 10, "top5": {"value": 1.0}}, f)
with open(os.path.join(os.path.dirname(out), "ends"), "a") as f: f.write(f"{seed} {time.time()}\\n")
"""


def launcher(out, at_once=2, wait=0.0, bad=-1):
    said = []
    words = ["--wait", str(wait), "--bad", str(bad)]
    return Launcher(words, out, at_once, said.append, (sys.executable, "-c", PROGRAM)), said


def starts(out):
    return [line.split() for line in (out / "starts").read_text().splitlines()]


def test_all_seeds_run_and_never_more_than_wanted_at_a_time(tmp_path):
    made, _ = launcher(tmp_path, at_once=2, wait=0.3)
    made.run(range(5))
    assert sorted(int(seed) for seed, _, _ in starts(tmp_path)) == list(range(5)) and not made.failed
    begun = {int(seed): float(at) for seed, _, at in starts(tmp_path)}
    ended = {
        int(seed): float(at) for seed, at in (line.split() for line in (tmp_path / "ends").read_text().splitlines())
    }
    assert max(sum(begun[s] <= at < ended[s] for s in begun) for at in begun.values()) == 2
    assert values(tmp_path, range(5), "accuracy") == {s: s / 10 for s in range(5)}


def test_a_failure_is_named_and_the_others_go_on(tmp_path):
    made, said = launcher(tmp_path, bad=1)
    made.run(range(3))
    assert made.failed == {1: "failed with exit code 1: error: this seed is bad"}
    assert any("seed 1: failed" in line for line in said) and len(values(tmp_path, range(3), "accuracy")) == 2


def test_called_again_finished_ones_stay_and_begun_ones_are_resumed(tmp_path):
    launcher(tmp_path, bad=1)[0].run(range(2))
    again, _ = launcher(tmp_path)
    again.run(range(2))
    assert starts(tmp_path)[2][:2] == ["1", "True"] and len(starts(tmp_path)) == 3 and not again.failed


def test_numbers_of_the_results_and_their_spread(tmp_path):
    launcher(tmp_path)[0].run(range(3))
    table = summary(values(tmp_path, range(3), "accuracy"))
    assert table == pytest.approx({"n": 3, "mean": 0.1, "sd": 0.1, "least": 0.0, "most": 0.2})
    assert values(tmp_path, [0], "top5.value") == {0: 1.0} and summary({4: 0.5})["sd"] is None
    with pytest.raises(ValueError, match="has no 'top1'"):
        values(tmp_path, [0], "top1")


@pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent otherwise there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_are_passed_on_and_waited_for(tmp_path, number):
    code = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so do their children
sys.path.insert(0, {str(os.path.dirname(__file__))!r})
from pathlib import Path
from test_seeds import launcher
from aoienet.train.interrupts import sigterm_interrupts
try:
    with sigterm_interrupts([]): launcher(Path({str(tmp_path)!r}), wait=60)[0].run(range(2))
except KeyboardInterrupt:
    sys.exit(130)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    while not ((tmp_path / "starts").exists() and len(starts(tmp_path)) == 2):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(number)
    assert process.wait(30) == 130
    assert all((tmp_path / f"seed-{s}.log").read_text().strip() == "saved" for s in (0, 1))


def test_wrong_words_are_found_before_anything_starts(tmp_path):
    words = ["seeds", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--recipe", "neu_paper", "-o", "lr=1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1 and "optim.lr" in result.stderr and not (tmp_path / "out").exists()


def test_finished_seeds_of_another_recipe_are_no_result(tmp_path):
    """A finished run is read and not trained again: of another recipe its numbers would be taken for those of this one."""
    folder = tmp_path / "seed-1"
    folder.mkdir()
    stored = recipes.recipe_dict(recipes.get("folder", ["seed=1", "epochs=3"])) | {"classes": ["a", "b"]}
    (folder / "result.json").write_text(json.dumps({"recipe": stored, "accuracy": 0.75}))
    command = ["seeds", "--data", str(tmp_path), "--out", str(tmp_path), "--recipe", "folder", "--seeds", "2", "-o"]
    result = CliRunner().invoke(app, [*command, "epochs=4"])
    assert result.exit_code == 1 and "seed-1/result.json: another recipe" in result.stderr
    assert "epochs: 3 before, 4 now" in result.stderr and [p.name for p in tmp_path.iterdir()] == ["seed-1"]


@pytest.mark.parametrize("file", ["result.json", "recipe.json"])
def test_seeds_of_other_pictures_are_refused_before_anything_starts(tmp_path, file):
    """Finished or begun: the other seeds would be trained on other pictures, and all of them stand in one line."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(5):
            picture = Image.fromarray(rng.integers(0, 256, (20, 20), dtype=np.uint8))
            picture.save(tmp_path / "data" / name / f"{i}.png")
    made = recipes.get("folder", ["seed=0"])
    folder = tmp_path / "out" / "seed-0"
    folder.mkdir(parents=True)
    said = {"recipe": recipes.recipe_dict(made) | {"classes": ["a", "b"]}, "data_hash": "0" * 64, "split": "of others"}
    (folder / file).write_text(json.dumps(said | {"accuracy": 0.5}))
    (folder / "checkpoint.pt").touch()
    command = ["seeds", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--recipe", "folder"]
    result = CliRunner().invoke(app, [*command, "--seeds", "2"])
    assert result.exit_code == 1 and "before: of others, hash 000000000000; now: " in result.stderr
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["seed-0"]
    said["data_hash"] = open_task(made, tmp_path / "data").data_hash
    (folder / "result.json").write_text(json.dumps(said | {"accuracy": 0.5}))
    again = CliRunner().invoke(app, [*command, "--seeds", "1", "--json"])
    assert again.exit_code == 0 and json.loads(again.stdout)["mean"] == 0.5, again.stderr


@pytest.mark.slow
def test_two_real_trainings_at_a_time(tmp_path):
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for label, level in enumerate((60, 190)):
            folder = tmp_path / "set" / part / f"c{label}"
            folder.mkdir(parents=True)
            for i in range(8):
                noisy = np.clip(rng.normal(level, 30, (20, 20, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(folder / f"{i}.png")
    words = ["model=adabin_resnet20", "net.input_px=16", "batch=8", "epochs=1", "real_weights.epochs=0"]
    command = ["seeds", "--data", str(tmp_path / "set"), "--out", str(tmp_path / "out"), "--recipe", "imagenet_paper"]
    command += ["--seeds", "2", "--at-once", "2", "--json", *(w for word in words for w in ("-o", word))]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["n"] == 2 and document["measure"] == "accuracy" and set(document["seeds"]) == {"0", "1"}
