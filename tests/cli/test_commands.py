"""The verbs from outside: results, exit codes, bad inputs, no torch, fast help. The model is a small real .aoie file."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.deploy import tiny_models
from typer.testing import CliRunner

from aoienet.cli import app
from aoienet.deploy import format as aoie
from aoienet.scan.runner import log_odds


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "toy.aoie"
    aoie.write(path, *tiny_models.scan_model())
    return path


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    header, tensors = tiny_models.scan_model(1)
    header = {k: v for k, v in header.items() if k != "scan"}
    header["graph"] = [dict(op, window=0) if op["op"] == "pool" else op for op in header["graph"]]
    header["input"] = {**header["input"], "fixed": True, "height": 128, "width": 96}
    path = tmp_path_factory.mktemp("models") / "whole.aoie"
    aoie.write(path, header, tensors)
    return path


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 430), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_scan_writes_table_summary_and_overlay(model, picture, tmp_path):
    done = call("scan", picture, "--model", model, "--out", tmp_path / "o", "--json", "--jobs", 2)
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == json.loads((tmp_path / "o" / "summary.json").read_text())
    entry = document["inputs"][0]
    rows = list(csv.DictReader((tmp_path / "o" / "blocks.csv").open()))
    assert entry["blocks"] == len(rows) and len(entry["sha256"]) == len(document["model"]["sha256"]) == 64
    assert (
        sum(entry["by_class"].values()) == len(rows)
        and entry["megapixels_per_s"] > 0
        and document["peak_memory_mib"] > 1
    )
    assert Image.open(tmp_path / "o" / "overlay.png").size == (430, 300)
    assert not [p for p in (tmp_path / "o").iterdir() if p.name.startswith(".")]


def test_scan_gives_the_scores_of_the_engine_on_the_whole_picture(model, picture, tmp_path):
    from aoienet.engine import Model

    opened = Model.open(model)
    pixels = np.asarray(Image.open(picture))
    stride, block = opened.scan["block_stride_px"], opened.scan["block_px"]
    pads = [(0, -(n - block) % stride) for n in pixels.shape]
    want = log_odds(opened.run(np.pad(pixels, pads, mode="reflect")), opened.scan["defect"], opened.scan["temperature"])
    tables = []
    for tile in (1, 130, 4000):
        assert call("scan", picture, "--model", model, "--out", tmp_path / f"o{tile}", "--tile-px", tile).exit_code == 0
        tables.append((tmp_path / f"o{tile}" / "blocks.csv").read_bytes())
    assert tables[0] == tables[1] == tables[2]
    got = [float(r["score"]) for r in csv.DictReader((tmp_path / "o1" / "blocks.csv").open())]
    np.testing.assert_allclose(got, want.ravel(), rtol=1e-5)


def test_one_bad_input_does_not_stop_the_others(model, picture, tmp_path):
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "small.png")
    bad = [tmp_path / "none.png", tmp_path / "b.jpg", tmp_path / "small.png"]
    done = call("scan", *bad, picture, "--model", model, "--out", tmp_path / "o")
    assert done.exit_code == 2
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert [e["status"] for e in summary["inputs"]] == ["failed"] * 3 + ["done"] and summary["failed"] == 3
    for word in ("no such file", "broken", "at least one block"):
        assert word in done.stderr
    assert (tmp_path / "o" / "a" / "blocks.csv").is_file() and (tmp_path / "o" / "a" / "summary.json").is_file()


def test_two_pictures_of_one_name_do_not_overwrite_each_other(model, picture, tmp_path):
    (tmp_path / "other").mkdir()
    Image.open(picture).save(tmp_path / "other" / "a.png")
    assert call("scan", picture, tmp_path / "other" / "a.png", "--model", model, "--out", tmp_path / "o").exit_code == 0
    assert len([p for p in (tmp_path / "o").iterdir() if p.is_dir()]) == 2


def test_wrong_use_ends_with_one_and_a_next_step(model, picture, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "bad.aoie").write_bytes(b"AOIENET\0" + bytes(10))
    for arguments, word in (
        (("scan", picture), "--out"),
        (("scan", picture, "--out", tmp_path / "o", "--jobs", 0), "--jobs"),
        (("scan", picture, "--out", tmp_path / "o", "--nonsense"), "--nonsense"),
        (("sacn",), "sacn"),
        (("scan", picture, "--model", model, "--out", tmp_path / "full"), "--overwrite"),
        (("scan", picture, "--model", model, "--out", picture), "must be a folder"),
        (("scan", picture, "--model", tmp_path / "no.aoie", "--out", tmp_path / "o"), "no such model file"),
        (("scan", picture, "--model", tmp_path / "bad.aoie", "--out", tmp_path / "o"), "bad.aoie"),
        (("scan", picture, "--model", model, "--out", tmp_path / "o", "--threshold", "nan"), "finite"),
        (("classify", picture, "--model", model), "aoienet scan"),
        (("info", tmp_path / "none"), "no such file"),
    ):
        done = call(*arguments)
        assert done.exit_code == 1, (arguments, done.output)
        assert word in done.stderr and done.stdout == "", arguments


def test_overwrite_writes_into_a_full_folder(model, picture, tmp_path):
    for options in ((), ("--overwrite",)):
        assert call("scan", picture, "--model", model, "--out", tmp_path / "o", *options).exit_code == 0


def test_unknown_model_suggests_a_near_name(picture, tmp_path, monkeypatch, model):
    from aoienet import weights

    monkeypatch.setattr(weights, "FOLDER", model.parent)
    done = call("scan", picture, "--model", "toyy", "--out", tmp_path / "o")
    assert done.exit_code == 1 and "did you mean 'toy'?" in done.stderr
    assert call("scan", picture, "--model", "toy", "--out", tmp_path / "o").exit_code == 0
    assert weights.card("toy") is None


def test_read_only_output_folder_is_refused(model, picture, tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    done = call("scan", picture, "--model", model, "--out", tmp_path / "ro")
    assert done.exit_code == 1 and "cannot write" in done.stderr and "Permission denied" in done.stderr


def test_output_folder_below_a_file_is_refused(model, picture):
    done = call("scan", picture, "--model", model, "--out", picture / "deep")
    assert done.exit_code == 1 and "cannot write" in done.stderr


def test_interrupt_ends_with_130_and_whole_files_only(model, picture, tmp_path, monkeypatch):
    from aoienet.report import run

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "write_overlay", stop)
    done = call("scan", picture, "--model", model, "--out", tmp_path / "o")
    assert done.exit_code == 130
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["blocks.csv"]


def test_classify_resizes_and_gives_probabilities(classifier, picture, tmp_path):
    done = call("classify", picture, tmp_path / "none.png", "--model", classifier, "--json")
    assert done.exit_code == 2 and "no such file" in done.stderr
    first, second = json.loads(done.stdout)["inputs"]
    assert sum(t["probability"] for t in first["top"]) == pytest.approx(1, abs=1e-5) and "resized" in first["notes"][0]
    assert second["status"] == "failed"
    assert "%" in call("classify", picture, "--model", classifier).stdout
    refused = call("scan", picture, "--model", classifier, "--out", tmp_path / "o")
    assert refused.exit_code == 1 and "aoienet classify" in refused.stderr


def test_info_tells_about_pictures_and_models(model, picture, tmp_path):
    tifffile.imwrite(tmp_path / "t.tif", np.zeros((100, 100), np.uint16), tile=(32, 32), compression="zlib")
    stored = json.loads(call("info", tmp_path / "t.tif", "--json").stdout)
    assert stored["stored"]["layout"] == "tiles" and stored["stored"]["bits"] == 16 and stored["white_level"] == 65535
    told = json.loads(call("info", model, "--json").stdout)
    assert told["kind"] == "model" and told["scan"]["block_px"] == 64 and told["ops"]["conv_bits"] >= 1
    assert "picture    PNG" in call("info", picture).stdout


def test_models_and_doctor_know_what_ships(model, monkeypatch):
    from aoienet import weights
    from aoienet.cli import doctor

    monkeypatch.setattr(weights, "FOLDER", model.parent)
    assert [m["name"] for m in json.loads(call("models", "--json").stdout)["models"]] == ["toy"]
    assert "toy" in call("models").stdout
    monkeypatch.setattr(doctor, "PROBE", "import os; print('same')")
    done = call("doctor", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 0 and document["ok"] and document["self_test"][0]["ok"]
    assert "reference" in document["runtime"]["isas"] and len(document["readers"]) >= 6
    monkeypatch.setattr(doctor, "PROBE", "import os; print(os.environ['AOIENET_ISA'])")
    failed = call("doctor")
    assert failed.exit_code == (2 if len(document["runtime"]["isas"]) > 1 else 0)


def test_doctor_compares_real_bits(model):
    from aoienet.cli import doctor

    result = doctor.self_test([str(model)], ["reference"])[0]
    assert result["ok"] and len(result["sha256"]["reference"]) == 64
    assert not doctor.self_test([str(model) + "x"], ["reference"])[0]["ok"]


def test_demo_scores_a_small_surface(model, tmp_path):
    size = ("--height-px", 400, "--width-px", 500)
    done = call("demo", "--model", model, "--out", tmp_path / "o", *size, "--json")
    assert done.exit_code == 0, done.stderr
    truth = json.loads(done.stdout)["demo"]
    assert truth["cracks"] == 1 and 0 <= truth["crack_recall"] <= 1
    for name in ("surface.tif", "overlay.png", "blocks.csv", "summary.json"):
        assert (tmp_path / "o" / name).is_file()
    shown = call("demo", "--model", model, "--out", tmp_path / "o", *size, "--overwrite", "--threshold", "1e6").stdout
    assert "cracks found   0 of 1" in shown and "missed" in shown


def test_help_lists_the_verbs_and_loads_nothing_heavy():
    heavy = ("numpy", "scipy", "skimage", "PIL", "tifffile", "onnxruntime", "jinja2", "torch")
    code = f"import atexit, sys; atexit.register(lambda: print([m for m in {heavy} if m in sys.modules])); from aoienet.cli import main; main()"
    made = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert made.returncode == 0
    for verb in ("scan", "classify", "demo", "doctor", "models", "info"):
        assert verb in made.stdout
    assert made.stdout.rstrip().endswith("[]")


def test_version_is_printed():
    from aoienet import __version__

    done = call("--version")
    assert done.exit_code == 0 and done.stdout.strip() == f"aoienet {__version__}"


def test_scan_works_where_torch_cannot_be_imported(model, picture, tmp_path):
    program = "import sys; sys.modules['torch'] = None; from aoienet.cli import main; main()"
    made = subprocess.run(
        [sys.executable, "-c", program, "scan", str(picture), "--model", str(model), "--out", str(tmp_path / "o")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "o" / "overlay.png").is_file()
