"""What others read of a run; and the verb `train`."""

import math
import os
import pickle
import shlex
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from aoienet.cli import train as verb  # noqa: E402
from aoienet.cli._common import own_command  # noqa: E402
from aoienet.train import interrupts, load_run, loop, networks, recipes, runs, state  # noqa: E402


@pytest.mark.parametrize("name", ["neu_best", "blocks"])
def test_load_run(tmp_path, name):
    recipe = recipes.get(name)
    net = networks.build(recipe)
    document = {
        "recipe": recipes.recipe_dict(recipe),
        "state": net.state_dict(),
        "epoch": 3,
        "random": runs.random_states(),
    }
    runs.save_checkpoint(tmp_path, document)
    runs.write_json(tmp_path / "result.json", {"threshold": -1.5, "temperature": 2.0, "auc": math.nan})
    loaded, info = load_run(tmp_path)
    assert not loaded.training and info["classes"] == list(recipe.classes) and info["result"]["auc"] is None
    for key, value in net.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key])
    if name == "blocks":
        assert info["scan"] == {
            "block_px": 64,
            "block_stride_px": 32,
            "total_stride": loaded.spec.total_stride,
            "defect": 1,
            "threshold": -1.5,
            "temperature": 2.0,
        }
        assert info["transform"]["window_px"] == 65
    else:
        assert info["scan"] is None
    assert recipes.recipe_from(info["recipe"]) == recipe


def test_random_states_return():
    states = runs.random_states()
    first = torch.rand(3), np.random.rand(3)
    runs.restore_random(states)
    assert torch.equal(first[0], torch.rand(3)) and np.array_equal(first[1], np.random.rand(3))


def test_verb_names_what_is_wrong(tmp_path):
    app = typer.Typer()
    verb.register(app)
    app.command("other")(lambda: None)
    words = ["train", "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--recipe"]
    answer = CliRunner().invoke(app, [*words, "neu_bets"])
    assert answer.exit_code == 1 and "did you mean 'neu_best'" in answer.output
    answer = CliRunner().invoke(app, [*words, "neu_best", "-o", "epochs=1"])
    assert answer.exit_code == 1 and "lacks 1799 of 1799 pictures of NEU-CLS" in answer.output
    answer = CliRunner().invoke(app, [*words[:-1], "--config", str(tmp_path / "r.toml")])
    assert answer.exit_code == 1 and "r.toml is missing; --config names a recipe.toml" in answer.output
    answer = CliRunner().invoke(app, [*words, "neu_best", "--threads", "-3"])
    assert isinstance(answer.exception, SystemExit) and answer.exit_code and "--threads" in answer.output


@pytest.fixture
def saved(tmp_path):
    """A small whole checkpoint."""
    document = {"recipe": recipes.recipe_dict(recipes.get("blocks")), "state": {"w": torch.ones(100)}}
    document |= {"epoch": 1, "random": runs.random_states()}
    runs.save_checkpoint(tmp_path, document)
    assert runs.read_checkpoint(tmp_path)["version"] == runs.CHECKPOINT_VERSION
    return document


def test_a_checkpoint_of_a_newer_version_is_refused_with_both_numbers(tmp_path, saved):
    runs.save_checkpoint(tmp_path, {"version": 7, "state": saved["state"]})
    with pytest.raises(ValueError, match=rf"checkpoint\.pt is .* version 7; .* up to {runs.CHECKPOINT_VERSION}"):
        runs.read_checkpoint(tmp_path)


class Foreign:
    """What a pickle of another program may name."""

    def __reduce__(self):
        return print, ("executed",)


def test_cut_and_foreign_checkpoints_are_refused_in_words(tmp_path, saved, capsys):
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    for cut in (0, 1, 100, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"checkpoint\.pt \([\d,]+ bytes\) is not a whole checkpoint"):
            runs.read_checkpoint(tmp_path)
    for content in (
        b"hello",
        b"\x80\x02}q\x00.",
        pickle.dumps({"a": 1}, 2),
        pickle.dumps(Foreign(), 2),
        b"PK\x03\x04" * 9,
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="another program wrote it"):
            runs.read_checkpoint(tmp_path)
    for foreign in (torch.ones(3), [1, 2], {"state": {}}, {"version": "x"}, Foreign()):
        torch.save(foreign, path)
        with pytest.raises(ValueError, match="another program wrote it"):
            runs.read_checkpoint(tmp_path)
    assert "executed" not in capsys.readouterr().out


def test_a_checkpoint_with_a_wrong_bit_is_refused(tmp_path, saved):
    """A weight of another value would train, pack and classify, and nobody would see it."""
    path = tmp_path / "checkpoint.pt"
    content = bytearray(path.read_bytes())
    at = content.index(saved["state"]["w"].numpy().tobytes())
    content[at + 37] ^= 8
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint\.pt is damaged: the checksum of .* differs; .* restore the file"):
        runs.read_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["result.json", "report.html", "metrics.csv", "curves.png"])
def test_a_new_run_writes_over_no_files_of_another(tmp_path, name):
    assert loop.read_saved(tmp_path / "new", False) is None and loop.read_saved(tmp_path, False) is None
    (tmp_path / "recipe.json").write_text("{}")  # stopped before its first checkpoint
    (tmp_path / "train.log").write_text("")
    assert loop.read_saved(tmp_path, False) is None
    (tmp_path / name).write_text("of a scan")
    with pytest.raises(FileExistsError, match=f"holds {name} of another run and no checkpoint; give another --out"):
        loop.read_saved(tmp_path, False)
    with pytest.raises(FileExistsError, match=f"received the file .*{name}; give another --out"):
        loop.read_saved(tmp_path / name, False)


def test_weights_of_another_network_are_refused_by_name(tmp_path, saved):
    state = torch.nn.Linear(3, 2).state_dict()
    with pytest.raises(ValueError, match=r"weight is \(2, 3\), not \(2, 4\)"):
        runs.load_weights(torch.nn.Linear(4, 2), state, tmp_path)
    with pytest.raises(ValueError, match="another network: bias is unknown"):
        runs.load_weights(torch.nn.Linear(3, 2, bias=False), state, tmp_path)


def test_a_recipe_of_a_newer_program_is_refused_and_of_an_older_one_read():
    document = recipes.recipe_dict(recipes.get("neu_best"))
    with pytest.raises(ValueError, match="unknown keys.*from_the_future"):
        recipes.recipe_from(document | {"from_the_future": 1})
    with pytest.raises(ValueError, match="unknown keys.*data.from_the_future"):
        recipes.recipe_from(document | {"data": document["data"] | {"from_the_future": 1}})
    older = document | {"data": {k: v for k, v in document["data"].items() if k != "workers"}}
    assert recipes.recipe_from({k: v for k, v in older.items() if k != "bf16"}) == recipes.get("neu_best")


def test_the_stored_command_can_be_pasted_into_a_shell(monkeypatch):
    words = [
        "train",
        "--data",
        "my pictures",
        "-o",
        "data.train=x-{0000..0002}.tar",
        "--resume",
        "-g",
        "optim.lr=1e-3|1e-4",
    ]
    monkeypatch.setattr(sys, "argv", ["aoienet", *words])
    command = own_command("--resume")
    assert shlex.split(command) == ["aoienet", *(w for w in words if w != "--resume")] and "'my pictures'" in command
    monkeypatch.setenv("WORLD_SIZE", "16")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert own_command().startswith("torchrun --nnodes 2 --nproc-per-node 8 -m aoienet train --data 'my pictures'")


@pytest.fixture
def ctrl_c():
    """Python's own handler, which a test run in a script's background lacks: SIGINT is ignored there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="os.kill ends the own process there")
@pytest.mark.parametrize(("kept", "number", "code"), [(True, signal.SIGINT, 130), (False, signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_leave_with_their_codes_and_say_how_to_go_on(
    tmp_path, monkeypatch, ctrl_c, kept, number, code
):
    monkeypatch.setattr(loop, "train", lambda *args, **kwargs: os.kill(os.getpid(), number))
    before = signal.getsignal(signal.SIGTERM)
    if kept:
        (tmp_path / "checkpoint.pt").touch()
    app = typer.Typer()
    verb.register(app)
    app.command("other")(lambda: None)
    answer = CliRunner().invoke(app, ["train", "--data", "x", "--out", str(tmp_path), "--recipe", "neu_best"])
    assert answer.exit_code == code and signal.getsignal(signal.SIGTERM) is before
    assert ("resume with --resume" in answer.output) == kept


@pytest.mark.skipif(os.name != "posix", reason="os.kill ends the own process there")
@pytest.mark.parametrize("on_ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
def test_sigterm_waits_for_the_end_of_a_step(on_ctrl_c):
    came, done = [], []
    before = signal.signal(signal.SIGINT, on_ctrl_c)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts.sigterm_interrupts(came):
            with interrupts.interrupts_wait():
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGTERM)  # of another sender
                done.append("step")
            done.append("next step")
        with interrupts.sigterm_interrupts(came):
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("the checkpoint of the first one")
        with pytest.raises(KeyboardInterrupt), interrupts.sigterm_interrupts([]):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["step", "the checkpoint of the first one"] and came == [signal.SIGTERM]


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_the_commit_of_another_project_around_the_package_is_not_stored(tmp_path, monkeypatch):
    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "runs.py").touch()
    git("init")
    git("commit", "--allow-empty", "-m", "theirs")
    monkeypatch.setattr(runs, "__file__", str(tmp_path / "runs.py"))
    assert runs.git_hash() == "unknown"
    git("add", "runs.py")
    assert len(runs.git_hash()) == len("+changes") + 40


def test_what_may_change_last_bits_is_told_and_older_runs_say_less():
    now = runs.environment()
    assert now["pillow"] and now["cpu"] == torch.backends.cpu.get_cpu_capability()
    other = {"recipe": {"device": "cuda"}, "environment": now | {"cpu": "AVX0", "gpu": "none such"}}
    told = state.other_roundings(other, now)
    assert [line.split(" and is ")[0] for line in told] == ["cpu was AVX0", "gpu was none such"]
    assert len(state.other_roundings(other | {"recipe": {"device": "cpu"}}, now)) == 1
    older = {key: value for key, value in now.items() if key not in ("cpu", "processes")}
    assert state.other_roundings({"recipe": {}, "environment": older}, now) == []


def test_show_prints_the_recipe_that_config_takes_back_and_needs_no_data(tmp_path):
    app = typer.Typer()
    verb.register(app)
    app.command("other")(lambda: None)
    shown = CliRunner().invoke(app, ["train", "--recipe", "neu_best", "-o", "epochs=7", "--seed", "3", "--show"])
    assert shown.exit_code == 0
    (tmp_path / "recipe.toml").write_text(shown.stdout)
    assert recipes.read_toml(tmp_path / "recipe.toml") == recipes.get("neu_best", ["epochs=7", "seed=3"])
    answer = CliRunner().invoke(app, ["train", "--recipe", "neu_bets", "--show"])
    assert answer.exit_code == 1 and "did you mean 'neu_best'" in answer.output
    answer = CliRunner().invoke(app, ["train", "--recipe", "neu_best", "--out", str(tmp_path / "run")])
    assert answer.exit_code == 1 and "received no --data; next: add it" in answer.output
    assert verb.known() == ", ".join(recipes.names())
