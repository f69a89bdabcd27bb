"""What others read of a run; and the verb `train`."""

import math

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from aoienet.cli import train as verb  # noqa: E402
from aoienet.models import create_model  # noqa: E402
from aoienet.train import load_run, recipes, runs  # noqa: E402


@pytest.mark.parametrize("name", ["neu_cls", "crack_blocks"])
def test_load_run(tmp_path, name):
    recipe = recipes.get(name)
    kwargs = {"num_classes": len(recipe.classes), "in_channels": 1}
    net = create_model(recipe.model, **kwargs)
    document = {
        "recipe": runs.recipe_dict(recipe),
        "model_name": recipe.model,
        "model_kwargs": kwargs,
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
    if name == "crack_blocks":
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
    assert runs.recipe_from(info["recipe"]) == recipe


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
    answer = CliRunner().invoke(app, [*words, "neu_clss"])
    assert answer.exit_code == 1 and "did you mean 'neu_cls'" in answer.output
    answer = CliRunner().invoke(app, [*words, "neu_cls", "-o", "epochs=1"])
    assert answer.exit_code == 1 and "is missing" in answer.output
