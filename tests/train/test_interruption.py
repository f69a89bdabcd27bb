"""A run that is stopped anywhere and resumed ends bit by bit where an uninterrupted one ends.

Run as a program, `python test_interruption.py OUT TEACHER [--resume]`, it is the training that a test kills: with every trick of
the loop where TEACHER is a run folder, without where it is "none".
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from toy_task import Toy, spec  # noqa: E402

from aoienet.models.net import BinaryNet  # noqa: E402
from aoienet.models.spec import Head  # noqa: E402
from aoienet.models.zoo import aoienet, bnext, rbnn, siman  # noqa: E402
from aoienet.train import loop, networks, runs  # noqa: E402
from aoienet.train.recipes import Data, Distill, Finish, Optim, RealWeights, Recipe, recipe_dict  # noqa: E402

CELLS = {"rbnn": rbnn.CELL, "siman": siman.CELL, "bnext": bnext.CELL, "aoienet": aoienet.CELL}
STEPS = 5  # per epoch
SIZES = (6,) * STEPS


class Dropped(BinaryNet):
    """With dropout before the head, so that the random state matters."""

    def forward_features(self, x_NCHW):
        return torch.dropout(super().forward_features(x_NCHW), 0.2, self.training)


def make_net(recipe):
    return Dropped(spec(recipe.model, CELLS[recipe.model], Head(batchnorm=True)))


def recipe(model="rbnn", epochs=3, **changes):
    fields = {"optim": Optim(lr=0.02, warmup_epochs=0.5, weight_decay=1e-2)} | changes
    return Recipe("toy", model, ("dark", "bright"), Data("toy"), epochs=epochs, **fields)


def tricky(teacher: Path) -> Recipe:
    """Real weights first, SGD whose rate drops, a teacher, averages, batch norm statistics counted anew."""
    return recipe(
        "aoienet",
        4,
        optim=Optim("sgd", lr=0.05, schedule="drops", drop_at=(1,), weight_decay=1e-3),
        real_weights=RealWeights(epochs=2, weight_decay=1e-4),
        distill=Distill(str(teacher)),
        finish=Finish(ema=0.9, bn_batches=3),
    )


def make_teacher(folder: Path) -> Path:
    """The run folder of a float network with random weights."""
    torch.manual_seed(1)
    made = recipe("resnet20")
    state = networks.build(made).state_dict()
    folder.mkdir()
    document = {"recipe": recipe_dict(made), "state": state, "epoch": 1, "random": runs.random_states()}
    runs.save_checkpoint(folder, document)
    runs.write_json(folder / "result.json", {"accuracy": 0.5})
    return folder


@pytest.fixture(autouse=True)
def every_step_is_saved(monkeypatch):
    """The interval between two checkpoints is 0 s; tests of this file run on one thread, as the killed program does."""
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Factory: train into tmp_path/name on a Toy with these events."""

    def run(name, r, resume=False, make=make_net, **events):
        monkeypatch.setattr(loop, "open_task", lambda recipe, root: Toy(recipe, SIZES, **events))
        return loop.train(r, tmp_path, tmp_path / name, resume=resume, make_net=make, say=lambda text: None)

    return run


def same(a: Path, b: Path) -> None:
    """Weights, buffers, optimiser, random states and metrics are equal bit by bit."""
    first, second = runs.read_checkpoint(a), runs.read_checkpoint(b)
    assert first["state"].keys() == second["state"].keys()
    for key, value in first["state"].items():
        assert value.numpy().tobytes() == second["state"][key].numpy().tobytes(), key
    for i, moments in first["optimiser"]["state"].items():
        assert all(torch.equal(v, second["optimiser"]["state"][i][k]) for k, v in moments.items())
    assert torch.equal(first["random"]["torch"], second["random"]["torch"])
    assert (first["average"] is None) == (second["average"] is None) and first["finished"] == second["finished"]
    if first["average"] is not None:
        assert first["average"]["steps"] == second["average"]["steps"]
        for key, value in first["average"]["values"].items():
            assert torch.equal(value, second["average"]["values"][key]), key
    rows = ([json.loads(line) | {"seconds": 0} for line in (p / "metrics.jsonl").open()] for p in (a, b))
    assert next(rows) == next(rows)


def once(*places):
    """An event that interrupts at each of these (epoch, step) the first time it is reached."""
    left = set(places)

    def event(epoch, step):
        if (epoch, step) in left:
            left.remove((epoch, step))
            raise KeyboardInterrupt

    return event


@pytest.mark.parametrize("model", CELLS)
def test_a_run_stopped_within_an_epoch_ends_where_an_unbroken_one_ends(train, tmp_path, model):
    train("a", recipe(model))
    event = once((0, 2), (1, 3), (2, STEPS - 1))
    positions = []
    for resume in (False, True, True):
        with pytest.raises(KeyboardInterrupt):
            train("b", recipe(model), resume, event=event)
        saved = runs.read_checkpoint(tmp_path / "b")
        positions.append((saved["epoch"], saved["steps"]))
        torch.rand(1)  # the random state of the process is somewhere else
    assert positions == [(0, 2), (1, 3), (2, STEPS - 1)]
    train("b", recipe(model), True, event=event)
    same(tmp_path / "a", tmp_path / "b")


def test_every_trick_stopped_in_both_steps_and_at_their_border_ends_where_an_unbroken_run_ends(train, tmp_path):
    tricks = tricky(make_teacher(tmp_path / "teacher"))
    train("a", tricks)
    event = once((1, 3), (2, 0), (2, 2), (3, STEPS - 1))
    for resume in (False, True, True, True):
        with pytest.raises(KeyboardInterrupt):
            train("b", tricks, resume, event=event)
        torch.rand(1)
    train("b", tricks, True, event=event)
    same(tmp_path / "a", tmp_path / "b")
    saved = runs.read_checkpoint(tmp_path / "b")
    assert saved["finished"] and saved["average"]["steps"] == 2 * STEPS
    train("b", tricks, True)  # once more: nothing is left to do, and nothing is done twice
    same(tmp_path / "a", tmp_path / "b")


def test_a_stop_between_the_last_epoch_and_the_end_is_made_up_for(train, tmp_path, monkeypatch):
    tricks = tricky(make_teacher(tmp_path / "teacher"))
    train("a", tricks)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "reestimate", once_raise)
        train("b", tricks)
    assert not runs.read_checkpoint(tmp_path / "b")["finished"]
    train("b", tricks, True)
    same(tmp_path / "a", tmp_path / "b")


def once_raise(*args):
    raise KeyboardInterrupt


def test_resume_with_another_teacher_is_refused(train, tmp_path):
    tricks = tricky(make_teacher(tmp_path / "teacher"))
    with pytest.raises(KeyboardInterrupt):
        train("b", tricks, event=once((0, 2)))
    saved = runs.read_checkpoint(tmp_path / "teacher")
    saved["state"]["linear.bias"] += 1
    runs.save_checkpoint(tmp_path / "teacher", saved)
    with pytest.raises(ValueError, match="--resume with another teacher"):
        train("b", tricks, True)


def test_a_run_stopped_before_its_first_step_and_in_validation_goes_on(train, tmp_path, monkeypatch):
    train("a", recipe())
    with pytest.raises(KeyboardInterrupt):
        train("b", recipe(), event=once((0, 0)))
    assert runs.read_checkpoint(tmp_path / "b")["begun"]
    validate = Toy.validate

    def stop(task, net):
        monkeypatch.setattr(Toy, "validate", validate)
        raise KeyboardInterrupt

    monkeypatch.setattr(Toy, "validate", stop)
    with pytest.raises(KeyboardInterrupt):
        train("b", recipe(), True)
    assert runs.read_checkpoint(tmp_path / "b")["steps"] == STEPS
    train("b", recipe(), True)
    same(tmp_path / "a", tmp_path / "b")


def test_a_long_epoch_is_saved_before_its_validation(train, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 1e9)
    monkeypatch.setattr(loop, "VALIDATION_SECONDS", 0.0)
    monkeypatch.setattr(Toy, "validate", out_of_memory)
    with pytest.raises(MemoryError):  # as with a kill, nothing is saved on the way out
        train("a", recipe())
    assert runs.read_checkpoint(tmp_path / "a")["steps"] == STEPS


def out_of_memory(*args):
    raise MemoryError


def test_checkpoints_in_between_change_nothing(train, tmp_path, monkeypatch):
    train("a", recipe())
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 1e9)
    train("b", recipe())
    same(tmp_path / "a", tmp_path / "b")


@pytest.mark.skipif(os.name != "posix", reason="os.kill sends no SIGINT to the own process there")
def test_ctrl_c_in_the_middle_of_a_step_waits_for_its_end(train, tmp_path):
    train("a", recipe())
    calls = iter(range(1000))

    def interrupt_at_8():
        if next(calls) == 8:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train("b", recipe(), in_loss=interrupt_at_8)
    assert signal.getsignal(signal.SIGINT) is before
    saved = runs.read_checkpoint(tmp_path / "b")
    assert (saved["epoch"], saved["steps"]) == (1, 9 - STEPS)
    train("b", recipe(), True)
    same(tmp_path / "a", tmp_path / "b")


def program(out: Path, teacher: Path | None) -> subprocess.Popen:
    """The killed training in a process of its own; goes on where `out` holds a checkpoint."""
    words = [sys.executable, __file__, str(out), str(teacher) if teacher else "none"]
    words += ["--resume"] if (out / "checkpoint.pt").exists() else []
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def changed(path: Path, since: int) -> bool:
    return path.exists() and path.stat().st_mtime_ns > since


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize("tricks", [False, True])
def test_sigkill_at_any_moment_costs_nothing_but_time(train, tmp_path, tricks):
    """Two kills at random moments, each a little after a new checkpoint; then to the end."""
    teacher = make_teacher(tmp_path / "teacher") if tricks else None
    train("a", tricky(teacher) if teacher else recipe(epochs=4))
    delays, out = random.Random(0), tmp_path / "b"
    path, kills = out / "checkpoint.pt", 0
    for _ in range(2):
        since = path.stat().st_mtime_ns if path.exists() else 0
        process = program(out, teacher)
        while process.poll() is None and not changed(path, since):
            time.sleep(0.005)
        time.sleep(0.15 * delays.random())
        if process.poll() is None:
            process.kill()
            kills += 1
        text = process.communicate()[0].decode()
        assert process.returncode in (0, -signal.SIGKILL), text
    process = program(out, teacher)
    text = process.communicate()[0].decode()
    assert process.returncode == 0, text
    assert kills, "the program ended before it could be killed: make it longer"
    same(tmp_path / "a", out)


def test_a_full_disk_leaves_the_old_checkpoint_whole(train, tmp_path, monkeypatch):
    train("a", recipe())

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with pytest.raises(KeyboardInterrupt):
        train("b", recipe(), event=once((1, 2)))
    before = (tmp_path / "b" / "checkpoint.pt").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(runs.os, "fsync", full)
        with pytest.raises(OSError, match=r"checkpoint\.pt needs [\d,]+ bytes .*No space left") as caught:
            runs.save_checkpoint(tmp_path / "b", {"state": {}})
        assert caught.value.errno == 28
        with pytest.raises(OSError, match="No space left"):
            train("b", recipe(), True)
    assert (tmp_path / "b" / "checkpoint.pt").read_bytes() == before
    assert not list((tmp_path / "b").glob(".*.part"))
    train("b", recipe(), True)
    same(tmp_path / "a", tmp_path / "b")


class Overflow(torch.nn.Module):
    """Infinity where the picture has a large value."""

    def forward(self, x):
        return x / (x.abs().amax() < 1e6)


def test_a_loss_that_is_not_finite_names_the_first_layer_and_the_last_checkpoint(train, tmp_path):
    calls = iter(range(1000))

    def blow_up(module, args):
        return (args[0] * 1e30,) if next(calls) >= 7 else None

    def make_hooked(recipe):
        net = make_net(recipe)
        net.units[1].act = Overflow()
        net.units[1].act.register_forward_pre_hook(blow_up)
        return net

    # validation calls it once per epoch: call 7 is step 2 of epoch 2
    with pytest.raises(FloatingPointError, match="the loss is nan in epoch 2, step 2") as caught:
        train("a", recipe(), make=make_hooked)
    text = str(caught.value)
    kept = (
        f"Last good checkpoint: epoch 2, step 1, in {tmp_path / 'a' / 'checkpoint.pt'}. Train again into another --out"
    )
    assert "units.1.act (Overflow)" in text and kept in text
    assert "lower lr (now 0.02) or clip_norm (now 5)" in text
    saved = runs.read_checkpoint(tmp_path / "a")
    assert saved["steps"] == 1 and all(torch.isfinite(v).all() for v in saved["state"].values())


def test_a_picture_or_a_gradient_that_is_not_finite_stops_too(train, tmp_path, monkeypatch):
    batch = Toy._batch
    monkeypatch.setattr(Toy, "_batch", lambda *args: (batch(*args)[0] * np.float32(np.nan), batch(*args)[1]))
    with pytest.raises(FloatingPointError, match="the batch itself.*checkpoint: none yet. Train again with a lower lr"):
        train("a", recipe())
    monkeypatch.setattr(Toy, "_batch", batch)
    # sqrt has an infinite slope at 0: the loss is finite, its gradient is not
    monkeypatch.setattr(Toy, "loss", lambda task, logits, labels: (logits * 0).abs().sqrt().sum())
    with pytest.raises(FloatingPointError, match="length of the gradient is (nan|inf) in epoch 1, step 1"):
        train("b", recipe())
    assert not (tmp_path / "b" / "checkpoint.pt").exists()


if __name__ == "__main__":
    loop.CHECKPOINT_SECONDS = 0.0
    loop.open_task = lambda recipe, root: Toy(recipe, SIZES, event=lambda epoch, step: time.sleep(0.03))  # for a kill
    torch.set_num_threads(1)
    what = recipe(epochs=4) if sys.argv[2] == "none" else tricky(Path(sys.argv[2]))
    loop.train(what, Path(), Path(sys.argv[1]), resume="--resume" in sys.argv, make_net=make_net)
