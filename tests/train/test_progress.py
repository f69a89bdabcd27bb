"""What a person sees of a training: bars, plots, the page, TensorBoard."""

import io
import json
import re
import resource
import struct

import pytest
from rich.console import Console

torch = pytest.importorskip("torch")

from tests.train.test_interruption import SIZES, STEPS, Toy, make_net, recipe  # noqa: E402

from aoienet.train import loop, plots, report, runs, show, state  # noqa: E402
from aoienet.train.board import Board  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of three epochs; the folder and the rows that its watcher was told."""
    out, told = tmp_path_factory.mktemp("runs") / "toy", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "open_task", lambda recipe, root: Reported(recipe, SIZES))
        loop.train(recipe("aoienet"), out, out, make_net=make_net, say=lambda text: None, watcher=told.append)
    return out, told


class Reported(Toy):
    """With the report of a whole-picture task."""

    def result(self, net):
        row = {"precision": 0.5, "recall": 0.75, "f1": 0.6, "count": 4}
        return {
            "accuracy": 0.625,
            "accuracy_interval95": [0.25, 0.9],
            "correct": 5,
            "count": 8,
            "per_class": {"dark": row, "bright": row},
            "confusion": [[3, 1], [2, 2]],
            "top5": {"value": 0.5, "count": 4, "of": 8, "interval95": [0.157, 0.843]},
            "test": {"walls": {"f1": 0.7125, "pictures": 3}},
            "broken": {"a.jpg": "cut"},
        }


def test_the_metrics_tell_flips_planes_and_every_layer(run):
    out, told = run
    rows = [json.loads(line) for line in (out / "metrics.jsonl").open()]
    assert rows == told and [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(0 <= row["weight_flips"] < 1 and 0 < row["plane_distance"] < 1 for row in rows)
    layer = rows[-1]["layers"]["units.0.layers.0.planes.act.0"]
    assert (
        set(layer) == {"alpha", "beta"}
        and layer["alpha"] != rows[0]["layers"]["units.0.layers.0.planes.act.0"]["alpha"]
    )
    header = (out / "metrics.csv").read_text().splitlines()[0].split(",")
    assert "weight_flips" in header and "layers" not in header


def size_of(path):
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">II", content[16:24])


def test_plots_are_pictures(run):
    out, _ = run
    for name in ("curves.png", "layers.png", "confusion.png"):
        assert min(size_of(out / name)) > 200


@pytest.mark.parametrize(
    ("key", "panel"),
    [("val_loss", "loss"), ("train_accuracy", "accuracy, AUC, F1"), ("lr", "learning rate"), ("seconds", None)],
)
def test_numbers_are_drawn_where_they_belong(key, panel):
    assert plots.panel_of(key) == panel


def test_a_full_disk_is_named_and_leaves_the_old_picture(run, tmp_path):
    path = tmp_path / "confusion.png"
    path.write_bytes(b"before")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, unlimited[1]))
    try:
        with pytest.raises(OSError, match=r"confusion\.png needs [\d,]+ bytes .* make room, then start again"):
            plots.confusion([[3, 1], [2, 2]], ("dark", "bright"), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert [p.name for p in tmp_path.iterdir()] == ["confusion.png"] and path.read_bytes() == b"before"


def test_a_float_network_has_no_layers_to_draw(tmp_path):
    assert not plots.layers([{"epoch": 1, "loss": 1.0}], tmp_path / "layers.png")
    assert not (tmp_path / "layers.png").exists()


def test_the_page_is_whole_without_network_or_other_files(run):
    out, _ = run
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3 and "warning" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page) and "http" not in page
    for words in ("62.50 %", "25.00 to 90.00 %", "3 of 3 epochs", "bright", "[optim]", "lr = 0.02", "weight_flips"):
        assert words in page
    assert "<td>top5</td><td>0.5000 (0.1570 to 0.8430), 4 of 8</td>" in page
    assert "<td>test.walls.f1</td><td>0.7125</td>" in page and "1 broken pictures were left out" in page


def test_the_page_of_an_unfinished_run_says_so_and_names_are_escaped(run, tmp_path):
    history = [json.loads(line) for line in (run[0] / "metrics.jsonl").open()][:1]
    about = {"weights": 1, "split": "<made> up", "command": "", "environment": {}, "data_hash": "0", "teacher": None}
    report.write(tmp_path, recipe("aoienet"), history, about, None)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "not finished" in page and "--resume" in page and "&lt;made&gt; up" in page and "data:image" not in page


def made_run():
    return state.Run(recipe(), None, None, None, None, None)


def test_bars_tell_progress_loss_and_what_is_left():
    text = io.StringIO()
    terminal = Console(file=text, force_terminal=True, width=160, _environ={})
    now = made_run()
    with show.bars(now, terminal) as bars:
        bars.epoch(now, STEPS)
        for _ in range(STEPS):
            now.sums = state.Sums(loss=3.0, samples=6, right=3, counted=6, lr=0.02)
            now.steps += 1
            bars.step(now)
        bars.progress.refresh()
        whole, part = bars.progress.tasks
        assert (whole.completed, whole.total, part.completed, part.total) == (STEPS, 3 * STEPS, STEPS, STEPS)
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue())
    assert "loss 0.5000  accuracy 0.5000  lr 2.00e-02" in said and "ETA" in said and "epoch 1/3" in said


def test_a_resumed_run_begins_in_the_middle_of_its_bar():
    now = made_run()
    now.history, now.steps = [{}], 2
    with show.bars(now, Console(file=io.StringIO(), force_terminal=True)) as bars:
        bars.epoch(now, STEPS)
        assert [task.completed for task in bars.progress.tasks] == [STEPS + 2, 2]


def test_without_a_terminal_there_are_no_bars(capsys):
    with show.bars(made_run()) as bars:
        assert type(bars) is show.Bars
    assert capsys.readouterr().err == ""


def test_a_line_leaves_layers_out():
    assert show.line({"epoch": 2, "loss": 0.123456, "layers": {"a": {}}}) == "epoch   2  loss 0.1235"


def test_tensorboard_has_every_number(run, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first, again = Board(tmp_path), Board(tmp_path)
    for row in run[1][:2]:
        first(row)
    for row in run[1][1:]:  # resumed after the first epoch
        again(row)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("loss")] == [1, 2, 3]
    assert events.Scalars("loss")[2].value == pytest.approx(run[1][2]["loss"], rel=1e-6)
    assert "alpha/units.0.layers.0.planes.act.0" in events.Tags()["scalars"]


def test_without_tensorboard_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with pytest.raises(ModuleNotFoundError, match=r'is missing; next: pip install "\.\[tensorboard\]" in your clone'):
        Board(tmp_path)


def test_nothing_is_drawn_before_there_is_an_epoch(tmp_path):
    now = made_run()
    now.out = tmp_path
    loop.draw(now, None)
    assert not list(tmp_path.iterdir())
    assert runs.finite({"a": float("nan")}) == {"a": None}


def test_planes_that_are_copies_are_told_once_and_on_the_page(tmp_path, monkeypatch):
    def alike(recipe):
        net = make_net(recipe)
        for name, bias in net.named_parameters():
            if "planes.bn" in name and name.endswith("bias"):
                torch.nn.init.zeros_(bias)
        return net

    said = []
    monkeypatch.setattr(loop, "open_task", lambda recipe, root: Toy(recipe, SIZES))
    monkeypatch.setattr(loop, "draw", lambda *args: None)
    loop.train(recipe("aoienet", 2), tmp_path, tmp_path, make_net=alike, say=said.append)
    (warning,) = (line for line in said if line.startswith("warning"))
    assert (
        "the two planes of units.0.layers.0.planes differ in 0 % of their bits" in warning and "net.spread" in warning
    )
    history = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    about = {"weights": 1, "split": "", "command": "", "environment": {}, "data_hash": "0", "teacher": None}
    report.write(tmp_path, recipe("aoienet"), history, about, None)
    assert warning in (tmp_path / "report.html").read_text(encoding="utf-8")
