"""The verb `eval` with a model that stands in for the runtime."""

import json

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from aoienet.cli import _common
from aoienet.cli import eval as verb


class Level:
    """Two classes by mean level; wants RGB of 8x8."""

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
