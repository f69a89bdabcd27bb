"""pack and verify on a run folder with an untrained network: the chain's joint, without a data set."""

import json
import resource
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from aoienet.cli import app, verify  # noqa: E402
from aoienet.deploy import segment  # noqa: E402
from aoienet.engine import Model  # noqa: E402
from aoienet.familiar import FEATURES  # noqa: E402
from aoienet.models import specs  # noqa: E402
from aoienet.models.blocks.hourglass import Hourglass  # noqa: E402
from aoienet.models.blocks.unit import Unit, residual  # noqa: E402
from aoienet.models.spec import Conv, Stem  # noqa: E402
from aoienet.train import networks, recipes, runs  # noqa: E402

RESULT = {
    "accuracy": 0.75,
    "accuracy_interval95": [0.5, 0.9],
    "correct": 3,
    "count": 4,
    "classes": ["clean", "crack"],
    "per_class": {
        name: {
            "precision": 0.5,
            "precision_interval95": [0.1, 0.9],
            "recall": 1.0,
            "recall_interval95": [0.2, 1.0],
            "f1": 0.667,
            "count": 2,
        }
        for name in ("clean", "crack")
    },
    "confusion": [[2, 0], [1, 1]],
    "auc": 0.9,
    "test": {"deepcrack256": {"clean_dropped": {"value": 0.5, "count": 1, "of": 2, "interval95": [0.0, 1.0]}}},
    "split": "by photograph",
    "command": "aoienet train --recipe blocks",
    "threshold": -0.5,
    "threshold_rule": "the largest of three",
    "temperature": 1.5,
    "certificate": {
        "threshold": -0.5,
        "found_when": "half of it is seen",
        "length_passed_on": 0.875,
        "photographs": 20,
        "cracks": 40,
        "cracks_missed": 3,
        "photographs_with_a_missed_crack": 2,
        "photographs_with_a_missed_crack_at_most": 0.283,
        "photographs_without_any_crack_found": 0,
        "photographs_without_any_crack_found_at_most": 0.139,
    },
    "familiar": {
        "features": list(FEATURES),
        "around_px": 96,
        "mean": [-2.0, -0.9, -0.6, 0.0, 0.0],
        "inverse_covariance": np.eye(5).tolist(),
        "limit": 28.4,
        "quantile": 0.995,
        "training": {"pictures": 1268, "blocks": 65959},
        "validation": {"pictures": 73, "blocks": 3577},
    },
}

RESULT["at_threshold"] = {k: RESULT[k] for k in ("per_class", "classes")}


def untrained(folder, recipe, result):
    torch.manual_seed(0)
    net = networks.build(recipe)
    with torch.no_grad():
        net.train()(torch.randint(-127, 128, (2, 1, 128, 128)).float())
    folder.mkdir()
    document = {"recipe": recipes.recipe_dict(recipe), "state": net.state_dict(), "epoch": 1}
    runs.save_checkpoint(folder, document | {"random": runs.random_states(), "history": []})
    runs.write_json(folder / "result.json", result)
    return folder


@pytest.fixture
def run_folder(tmp_path):
    return untrained(tmp_path / "run", recipes.get("blocks"), RESULT)


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_pack_writes_file_and_card_and_verify_finds_no_differing_bit(run_folder, tmp_path):
    out = tmp_path / "blocks.aoie"
    answer = call("pack", run_folder, "-o", out, "--json")
    assert answer.exit_code == 0, answer.output
    model = Model.open(out)
    assert json.loads(answer.stdout)["sha256"] == model.sha256
    assert model.scan["threshold"] == -0.5 and model.scan["halo_px"] == 96  # 64, were the statistics not wider
    text = out.with_suffix(".md").read_text()
    assert "75.00 %" in text and "by photograph" in text and "| clean | 2 |" in text
    assert "threshold -0.500 (log-odds): the largest of three" in text and "found when half of it is seen" in text
    assert (
        "87.50 % of the length" in text
        and "37 of 40" in text
        and "a crack missed: 2 of 20 photographs; with 95 % confidence at most 28.30 %" in text
    )
    meta = model.header["meta"]
    assert meta["certificate"] == RESULT["certificate"] and "certificate" not in meta["result"]
    assert meta["familiar"] == RESULT["familiar"] and "familiar" not in meta["result"]
    assert "99.50 % of the 3,577 blocks of 73 validation pictures: squared Mahalanobis distance above 28.4" in text
    answer = call("verify", out, run_folder, "--blocks", 100, "--full", 1, "--json")
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    assert document["passed"] and document["blocks"] >= 100 and document["bits"] > 1_000_000


def test_a_scanner_with_levels_says_where_tiles_begin(tmp_path, monkeypatch):
    level = ()
    for width in (128, 64, 32):  # strides 64, 32, 16
        level = (Hourglass((Unit(2 * width, stride=2), *level, Unit(width, join="none"))),)
    scan = specs()["aoienet_scan"]
    levels = replace(scan, stem=Stem("conv", (Conv(16, 7, 4),)), body=(*residual(((16, 1, 1), (32, 1, 2))), *level))
    assert (levels.total_stride, levels.level_stride) == (8, 64)
    monkeypatch.setattr(networks, "spec", lambda recipe: levels)
    run = untrained(tmp_path / "run", recipes.get("blocks"), RESULT)
    answer = call("pack", run, "-o", tmp_path / "m.aoie")
    assert answer.exit_code == 0, answer.output
    scan = Model.open(tmp_path / "m.aoie").scan
    assert (scan["align_px"], scan["block_stride_px"]) == (64, 32) and scan["halo_px"] % 64 == 0


def test_verify_takes_a_binary_segmentation_run_and_refuses_a_float_one(tmp_path):
    for name, code, answered in (
        ("segment_binary", 0, "no bit differs"),
        ("segment", 1, "segment_light, which is float32"),
    ):
        run = untrained(tmp_path / name, recipes.get(name), {})
        if name == "segment_binary":
            net, info = runs.load_run(run)
            segment.pack(net, tmp_path / "m.aoie", "m", 0.5, info["transform"])
        answer = call("verify", tmp_path / "m.aoie", run, "--blocks", 1, "--full", 1)
        assert answer.exit_code == code and answered in answer.output, answer.output


def test_verify_without_a_number_compares_as_many_blocks_as_its_help_says(run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "BLOCKS", 50)
    call("pack", run_folder, "-o", tmp_path / "m.aoie")
    answer = json.loads(call("verify", tmp_path / "m.aoie", run_folder, "--full", 1, "--json").stdout)
    assert 50 <= answer["blocks"] < 150


def test_verify_of_another_run_fails_with_exit_code_2_and_names_the_layer(run_folder, tmp_path):
    out = tmp_path / "blocks.aoie"
    assert call("pack", run_folder, "-o", out).exit_code == 0
    checkpoint = runs.read_checkpoint(run_folder)
    checkpoint["state"]["units.1.layers.0.planes.bn.0.bias"] += 0.1
    runs.save_checkpoint(run_folder, checkpoint)
    answer = call("verify", out, run_folder, "--blocks", 49, "--full", 1)
    assert answer.exit_code == 2
    assert "FAILED first in value" in answer.output and "units.1.layers.0.planes" in answer.output


def test_pack_onto_a_full_disk_and_into_no_folder_says_so_and_leaves_nothing(run_folder, tmp_path):
    out = tmp_path / "packed"
    out.mkdir()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, unlimited[1]))
    try:
        answer = call("pack", run_folder, "-o", out / "m.aoie")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert answer.exit_code == 1 and "m.aoie: File too large; next: -o with a file in a folder" in answer.stderr
    assert not list(out.iterdir())
    answer = call("pack", run_folder, "-o", tmp_path / "none" / "m.aoie")
    assert answer.exit_code == 1 and "none/m.aoie: No such file or directory; next: -o" in answer.stderr


def test_pack_writes_no_model_under_the_name_of_its_card(run_folder, tmp_path):
    for name in ("m.md", "m.onnx", "m"):
        answer = call("pack", run_folder, "-o", tmp_path / name)
        assert (
            answer.exit_code == 1 and "is written as a .aoie file" in answer.stderr and not (tmp_path / name).exists()
        )


def test_pack_of_a_missing_run_says_so(tmp_path):
    answer = call("pack", tmp_path / "none", "-o", tmp_path / "m.aoie")
    assert answer.exit_code == 1 and "none" in answer.output
    assert not (tmp_path / "m.aoie").exists()
