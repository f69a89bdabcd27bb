"""Several processes that train one network: two on the CPU end where one with the joint batch ends.

Run as a program, `torchrun --nproc-per-node 2 test_ranks.py OUT RECIPE_WORDS...`, it is one of these processes.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from toy_task import Toy, spec  # noqa: E402

from aoienet.models.net import BinaryNet  # noqa: E402
from aoienet.models.spec import Head  # noqa: E402
from aoienet.models.zoo.aoienet import CELL  # noqa: E402
from aoienet.train import loop, ranks, runs, synchronised  # noqa: E402
from aoienet.train.recipes import Data, Finish, Optim, RealWeights, Recipe, override  # noqa: E402

STEPS, BATCH = 3, 10
# Sums in another order differ in the last bits. Adam divides by the size of the gradient, so that a weight may move apart by a small
# part of lr in a step; a sign that flips where the others' does not would be seen at once, as a difference of about lr.
LR = 0.01
LOSS_TOLERANCE, WEIGHT_TOLERANCE = 1e-6, 1e-5


def make_net(recipe):
    # behind a batch norm the last shift would have no gradient but rounding, which Adam makes as large as any
    return BinaryNet(spec(recipe.model, CELL, Head()))


def task(recipe):
    """The last batch of an epoch is smaller, and odd."""
    seconds = float(os.environ.get("TOY_SECONDS", "0"))
    return Toy(recipe, (*(recipe.batch,) * (STEPS - 1), 7), event=lambda epoch, step: time.sleep(seconds))


def recipe(*words):
    base = Recipe(
        "toy", "toy", ("dark", "bright"), Data("toy"), epochs=4, batch=BATCH, optim=Optim(lr=LR),
        real_weights=RealWeights(2), finish=Finish(ema=0.9, bn_batches=2), sync_bn=True,
    )  # fmt: skip
    return override(base, words)


def train(out, *words, resume=False):
    opened, loop.open_task = loop.open_task, lambda recipe, root: task(recipe)
    try:
        return loop.train(recipe(*words), Path(), Path(out), resume=resume, make_net=make_net)
    finally:
        loop.open_task = opened


def launch(out, *words, processes=2, **environment):
    """torchrun with this file as the program; the text of all processes when they have ended."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", __file__]
    return subprocess.Popen(
        [*command, str(out), *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(out, *words, **options):
    process = launch(out, *words, **options)
    text = process.communicate()[0]
    assert process.returncode == 0, text
    return text


def rows(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").open()]


@pytest.fixture(scope="module")
def runs_of_both(tmp_path_factory):
    """The same recipe in two processes and in one; the text of the two."""
    out = tmp_path_factory.mktemp("runs")
    text = finished(out / "two")
    train(out / "one")
    return out, text


def test_two_processes_lose_what_one_with_the_joint_batch_loses(runs_of_both):
    out, _ = runs_of_both
    one, two = rows(out / "one"), rows(out / "two")
    assert len(one) == len(two) == 4
    for a, b in zip(one, two, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=LOSS_TOLERANCE)
        assert a["val_loss"] == pytest.approx(b["val_loss"], abs=10 * LOSS_TOLERANCE)
        assert (a["train_accuracy"], a["lr"], a["weight_flips"]) == (b["train_accuracy"], b["lr"], b["weight_flips"])


def test_two_processes_end_with_the_weights_and_statistics_of_one(runs_of_both):
    out, _ = runs_of_both
    one, two = (runs.read_checkpoint(out / name)["state"] for name in ("one", "two"))
    assert one.keys() == two.keys()
    moved = 0.0
    start = make_net(recipe()).state_dict()
    for key, value in one.items():
        assert torch.allclose(value, two[key], rtol=1e-5, atol=WEIGHT_TOLERANCE), key
        moved = max(moved, float((value - start[key]).abs().max())) if key.endswith("conv.weight") else moved
    assert moved > 100 * WEIGHT_TOLERANCE


def test_there_is_one_log_and_one_run_folder(runs_of_both):
    out, text = runs_of_both
    assert text.count("epoch   1 ") == 1 and "in each of 2 processes" in text
    names = {p.name for p in (out / "two").iterdir()}
    assert {"checkpoint.pt", "result.json", "metrics.csv", "curves.png"} <= names
    document = json.loads((out / "two" / "result.json").read_text())
    assert document["environment"]["processes"] == 2
    assert not list((out / "two").glob(".*.part"))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGTERM")
def test_two_processes_stopped_and_resumed_end_bit_by_bit_where_unbroken_ones_end(runs_of_both, tmp_path):
    out, path = tmp_path / "killed", tmp_path / "killed" / "checkpoint.pt"
    process = launch(out, TOY_SECONDS="0.3", EVERY_STEP="1")
    while process.poll() is None and not (path.exists() and runs.read_checkpoint(out)["epoch"] >= 1):
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()[0]
    os.kill(process.pid, signal.SIGTERM)  # torchrun ends its processes
    process.communicate()
    assert runs.read_checkpoint(out)["epoch"] < 4
    finished(out, "--resume")
    whole, resumed = (runs.read_checkpoint(p)["state"] for p in (runs_of_both[0] / "two", out))
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


def test_another_number_of_processes_may_go_on_with_synchronised_norms_only(runs_of_both, tmp_path):
    out, _ = runs_of_both
    saved = runs.read_checkpoint(out / "two")
    assert loop.other_roundings(saved, runs.environment()) != []
    runs.save_checkpoint(tmp_path, {k: v for k, v in saved.items() if k != "version"} | {
        "recipe": saved["recipe"] | {"sync_bn": False}
    })  # fmt: skip
    with pytest.raises(
        ValueError, match="batch norms saw 5 pictures .2 processes of the joint batch 10. and would see 10"
    ):
        train(tmp_path, "sync_bn=off", resume=True)


def test_a_joint_batch_that_does_not_divide_is_refused(monkeypatch):
    monkeypatch.setattr(ranks, "world", lambda: 3)
    with pytest.raises(ValueError, match="received batch=10, 3 processes; next: -o batch=9"):
        ranks.check_batch(10)
    ranks.check_batch(12)


@pytest.mark.parametrize(("count", "processes"), [(10, 2), (7, 2), (7, 3), (256, 8)])
def test_shares_cover_the_batch_once_and_differ_by_one_at_most(monkeypatch, count, processes):
    monkeypatch.setattr(ranks, "world", lambda: processes)
    parts = []
    for k in range(processes):
        monkeypatch.setattr(ranks, "number", lambda k=k: k)
        parts.append(list(range(count))[ranks.share(count)])
    assert sum(parts, []) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert sum(ranks.weight(len(p), count) for p in parts) / processes == pytest.approx(1)


def test_a_batch_of_fewer_than_processes_is_everybodys(monkeypatch):
    monkeypatch.setattr(ranks, "world", lambda: 3)
    monkeypatch.setattr(ranks, "number", lambda: 2)
    assert ranks.share(2) == slice(0, 2) and ranks.weight(2, 3 * 2) == 1


def test_every_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    assert [ranks.own_gpu(i) for i in (0, 1)] == ["4", "5"]
    with pytest.raises(ValueError, match="process 2 of this machine .* finds 2; next: torchrun"):
        ranks.own_gpu(2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")  # what SLURM gives a task
    assert ranks.own_gpu(3) == "7"


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3, 3)])
@pytest.mark.parametrize("affine", [True, False])
def test_the_joint_batch_norm_of_one_process_is_batch_norm(shape, affine):
    kind = torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d
    rng = torch.Generator().manual_seed(0)
    outputs = []
    for joint in (False, True):
        net = torch.nn.Sequential(kind(5, affine=affine)).double()
        assert synchronised.synchronise(net) == 1 if joint else True
        x = torch.randn(shape, generator=rng.manual_seed(1), dtype=torch.float64).mul_(3).add_(2).requires_grad_()
        y = net(x)
        y.backward(torch.randn(shape, generator=rng, dtype=torch.float64))
        grads = [x.grad, *(p.grad for p in net.parameters())]
        outputs.append([y.detach(), *grads, net[0].running_mean, net[0].running_var, net.eval()(x).detach()])
    for a, b in zip(*outputs, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)


def test_the_joint_batch_norm_keeps_parameters_state_and_half_precision():
    net = torch.nn.Sequential(torch.nn.BatchNorm2d(3, eps=1e-3, momentum=0.3))
    weight, keys = net[0].weight, set(net.state_dict())
    synchronised.synchronise(net)
    assert net[0].weight is weight and set(net.state_dict()) == keys
    assert (net[0].eps, net[0].momentum) == (1e-3, 0.3)
    assert net(torch.randn(2, 3, 4, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "EVERY_STEP" in os.environ:
        loop.CHECKPOINT_SECONDS = 0.0
    with ranks.joined("cpu"):
        train(sys.argv[1], resume="--resume" in sys.argv)
