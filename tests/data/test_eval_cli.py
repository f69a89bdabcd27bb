"""The verb `eval` with a model that stands in for the runtime."""

import json

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from aoienet.cli import _common
from aoienet.cli import eval as verb
from aoienet.cli.classify import classify_file


class Level:
    """Two classes by mean level; wants RGB of 8x8."""

    classes = ("dark", "light")
    header = {
        "classes": ["dark", "light"],
        "input": {"channels": 3, "height": 8, "width": 8, "fixed": True},
    }

    def run(self, image):
        assert image.shape == (8, 8, 3)
        odds = float(image.mean()) - 128.0
        return np.array([[[-odds, odds]]], np.float32)


@pytest.fixture
def call(monkeypatch):
    monkeypatch.setattr(_common, "open_model", lambda name: Level())
    app = typer.Typer()
    verb.register(app)
    app.command("other")(lambda: None)
    return lambda *words: CliRunner().invoke(app, ["eval", "m.aoie", *map(str, words)])


@pytest.fixture
def folders(tmp_path):
    for name, level in (("dark", 10), ("light", 240)):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((20, 30), level, np.uint8)).save(tmp_path / name / "a.png")
    Image.fromarray(np.full((20, 30), 250, np.uint8)).save(tmp_path / "dark" / "b.png")
    return tmp_path


def test_json(call, folders):
    answer = call("--data", folders, "--json")
    assert answer.exit_code == 0, answer.output
    report = json.loads(answer.stdout)
    assert report["confusion"] == [[1, 1], [0, 1]]
    assert report["per_class"]["light"]["precision"] == 0.5


def test_text(call, folders):
    answer = call("--data", folders)
    assert "accuracy 0.6667" in answer.stdout and "2 of 3" in answer.stdout and "dark" in answer.stdout


def test_a_broken_picture_is_named_and_the_exit_code_says_so(call, folders):
    (folders / "light" / "broken.png").write_bytes(b"no picture")
    answer = call("--data", folders)
    assert answer.exit_code == 2 and "left out: light/broken.png" in answer.stderr and "2 of 3" in answer.stdout


def test_wrong_use(call, tmp_path):
    assert call("--data", tmp_path / "none").exit_code == 1
    assert call("--data", tmp_path).exit_code == 1


def test_eval_and_classify_cut_the_centre_where_the_file_says_so(call, folders, monkeypatch, tmp_path):
    """A wide picture, dark in the middle and light elsewhere: of another class as a whole than in its centre."""
    wide = np.full((40, 120), 255, np.uint8)
    wide[:, 40:80] = 0
    Image.fromarray(wide).save(folders / "dark" / "wide.png")
    Image.fromarray(wide).save(folders / "dark" / "wide.tif")  # a kind that no training reads
    names = ("wide.png", "wide.tif")

    def told() -> list[str]:
        found = [classify_file(Level(), folders / "dark" / name, 1) for name in names]
        return [f["top"][0]["class"] + "".join(f["notes"]) for f in found]

    assert json.loads(call("--data", folders, "--json").stdout)["confusion"] == [[1, 3], [0, 1]]
    assert told() == ["lightresized from 120x40 to 8x8"] * 2
    monkeypatch.setitem(Level.header["input"], "resize_px", 10)
    assert json.loads(call("--data", folders, "--json").stdout)["confusion"] == [[3, 1], [0, 1]]
    assert told() == ["darkresized from 120x40 to 8x8, its centre with the shorter side at 10 px"] * 2
