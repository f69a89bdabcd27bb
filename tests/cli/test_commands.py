"""The verbs from outside: results, exit codes, bad inputs, no torch, fast help. The model is a small real .aoie file."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage
from tests.deploy import tiny_models
from typer.testing import CliRunner

from aoienet.cli import app
from aoienet.deploy import format as aoie
from aoienet.files import OutputError
from aoienet.scan.runner import log_odds


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    header, tensors = tiny_models.scan_model(1)
    header = {k: v for k, v in header.items() if k != "scan"}
    header["graph"] = [dict(op, window=0) if op["op"] == "pool" else op for op in header["graph"]]
    header["input"] = {**header["input"], "fixed": True, "height": 128, "width": 96}
    path = tmp_path_factory.mktemp("models") / "whole.aoie"
    aoie.write(path, header, tensors)
    return path


FIRST = ("--first-stage-only", "--jobs", 1)


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_scan_writes_everything_and_prints_the_summary(model, picture, tmp_path):
    done = call("scan", picture, "--model", model, "--out", tmp_path / "o", "--json", "--jobs", 1, "--threshold", 1e6)
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    run = document.pop("run")
    assert document == json.loads((tmp_path / "o" / "summary.json").read_text())
    assert run["megapixels_per_s"] > 0 and run["peak_memory_mib"] > 1
    manifest = json.loads((tmp_path / "o" / "manifest.json").read_text())
    rows = list(csv.DictReader((tmp_path / "o" / "blocks.csv").open()))
    assert manifest["result"]["blocks"] == len(rows) and len(manifest["second_stage"]["sha256"]) == 64
    assert document["inputs"][0]["cracks"] == 0 and document["inputs"][0]["area_dropped_share"] == 1.0
    assert {"journal.jsonl", "report.html", "mask.tif", "defects.csv"} <= {p.name for p in (tmp_path / "o").iterdir()}
    assert not [p for p in (tmp_path / "o").iterdir() if p.name.startswith(".") or p.name == "progress.json"]


def test_scan_gives_the_scores_of_the_engine_on_the_whole_picture(model, picture, tmp_path):
    from aoienet.engine import Model

    opened = Model.open(model)
    pixels = np.asarray(Image.open(picture))
    stride, block = opened.scan["block_stride_px"], opened.scan["block_px"]
    pads = [(0, -(n - block) % stride) for n in pixels.shape]
    want = log_odds(opened.run(np.pad(pixels, pads, mode="reflect")), opened.scan["defect"], opened.scan["temperature"])
    assert call("scan", picture, "--model", model, "--out", tmp_path / "o", *FIRST).exit_code == 0
    got = [float(r["score"]) for r in csv.DictReader((tmp_path / "o" / "blocks.csv").open())]
    np.testing.assert_allclose(got, want.ravel(), rtol=1e-5)


def test_one_bad_input_does_not_stop_the_others(model, picture, tmp_path):
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "small.png")
    bad = [tmp_path / "none.png", tmp_path / "b.jpg", tmp_path / "small.png"]
    done = call("scan", *bad, picture, "--model", model, "--out", tmp_path / "o", *FIRST)
    assert done.exit_code == 2
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert [e["status"] for e in summary["inputs"]] == ["failed"] * 3 + ["done"] and summary["failed"] == 3
    for word in ("no such file", "broken", "at least one block"):
        assert word in done.stderr
    assert (tmp_path / "o" / "a" / "blocks.csv").is_file() and not (tmp_path / "o" / "b").exists()


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_resume_tries_failed_pictures_again_and_takes_repaired_ones(model, picture, tmp_path):
    bad = tmp_path / "b.png"
    bad.write_bytes(picture.read_bytes()[:3000])
    words = ("scan", picture, bad, tmp_path / "c.png", "--model", model, *FIRST, "--out")
    assert call(*words, tmp_path / "o").exit_code == 2
    done = (tmp_path / "o" / "a" / "report.html").stat()
    assert call(*words, tmp_path / "o", "--resume").exit_code == 2  # broken still
    bad.write_bytes(picture.read_bytes())
    assert call(*words, tmp_path / "o", "--resume").exit_code == 2  # c.png is missing still
    (tmp_path / "c.png").write_bytes(picture.read_bytes())
    assert call(*words, tmp_path / "o", "--resume").exit_code == 0
    assert (tmp_path / "o" / "a" / "report.html").stat().st_mtime_ns == done.st_mtime_ns
    assert call(*words, tmp_path / "p").exit_code == 0
    assert tree(tmp_path / "o") == tree(tmp_path / "p") and "index.html" in tree(tmp_path / "o")
    again = call(*words, tmp_path / "o", "--resume")
    assert again.exit_code == 1 and "is finished" in again.stderr


WILD = ("50 % #1?b&c.png", "Brücke.png", "a<b>.png", "dam:left.png")


def test_the_overview_of_a_batch_links_to_every_report_and_is_named_at_the_end(model, picture, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    for name in WILD:
        (site / name).write_bytes(picture.read_bytes())
    (site / "broken <1>.png").write_bytes(picture.read_bytes()[:900])
    out = tmp_path / "o"
    done = call("scan", site, "--model", model, "--out", out, *FIRST)
    assert done.exit_code == 2 and done.stdout.splitlines()[-1] == f"open {out / 'index.html'}"
    page = (out / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="([^"#]*)"', page)
    assert len(set(links)) == len(WILD) and all((out / unquote(link)).is_file() for link in links)
    assert "4</b> of 5 pictures done" in page and "broken &lt;1&gt;.png</th>" in page and page.count("<img ") == 4
    assert "cracks found" not in page and "suspected by the first stage" in page
    again = call("scan", tmp_path, "--model", model, "--out", tmp_path / "p", *FIRST, "--json")
    found = {Path(e["input"]).name for e in json.loads(again.stdout)["inputs"]}
    assert found == {"a.png", "broken <1>.png", *WILD}  # no preview.jpg of the scan before


def test_one_picture_alone_has_no_overview_and_takes_away_that_of_an_earlier_batch(model, picture, tmp_path):
    (tmp_path / "b.png").write_bytes(picture.read_bytes())
    words, out = ("--model", model, *FIRST, "--out", tmp_path / "o"), tmp_path / "o"
    out.mkdir()
    (out / "index.html").write_text("of somebody else")
    assert call("scan", picture, *words, "--overwrite").stdout.splitlines()[-1] == f"open {out / 'report.html'}"
    assert (out / "index.html").read_text() == "of somebody else"
    assert call("scan", picture, tmp_path / "b.png", *words, "--overwrite").exit_code == 0
    assert "2</b> of 2 pictures done" in (out / "index.html").read_text()
    assert call("scan", picture, *words, "--overwrite").exit_code == 0 and not (out / "index.html").exists()


def test_an_interrupted_batch_has_an_overview_of_what_is_done(model, picture, tmp_path, interrupted_at):
    (tmp_path / "b.png").write_bytes(picture.read_bytes())
    words, out = ("scan", picture, tmp_path / "b.png", "--model", model, *FIRST, "--out"), tmp_path / "o"
    with interrupted_at("b"):
        stopped = call(*words, out)
        assert stopped.exit_code == 130 and f"are done and kept ({out / 'index.html'})" in stopped.stderr
    page = (out / "index.html").read_text()
    assert (
        "1</b> of 2 pictures done" in page
        and "This scan is not finished: 1 of 2" in page
        and 'href="a/report.html"' in page
    )
    assert call(*words, out, "--resume").exit_code == 0 and call(*words, tmp_path / "p").exit_code == 0
    assert tree(out) == tree(tmp_path / "p") and "not finished" not in (out / "index.html").read_text()


def test_a_disk_too_full_for_the_overview_is_one_clear_error(model, picture, tmp_path, monkeypatch):
    from aoienet.report import template

    (tmp_path / "b.png").write_bytes(picture.read_bytes())
    real = template.write

    def full(path, *more):
        if path.name == "index.html":
            raise OutputError(f"cannot write {path}: No space left on device")
        real(path, *more)

    words = ("scan", picture, tmp_path / "b.png", "--model", model, *FIRST, "--out")
    with monkeypatch.context() as patched:
        patched.setattr(template, "write", full)
        done = call(*words, tmp_path / "o")
    assert done.exit_code == 1 and "No space left" in done.stderr and "Traceback" not in done.stderr
    assert call(*words, tmp_path / "o", "--resume").exit_code == 0 and call(*words, tmp_path / "p").exit_code == 0
    assert tree(tmp_path / "o") == tree(tmp_path / "p")


def test_resume_refuses_a_done_picture_that_has_changed(model, picture, tmp_path):
    words = ("scan", picture, tmp_path / "none.png", "--model", model, *FIRST, "--out", tmp_path / "o")
    assert call(*words).exit_code == 2
    picture.write_bytes(picture.read_bytes() + b" ")
    again = call(*words, "--resume")
    assert again.exit_code == 1 and "picture 1 was" in again.stderr


def test_two_pictures_of_one_name_do_not_overwrite_each_other(model, picture, tmp_path):
    (tmp_path / "other").mkdir()
    Image.open(picture).save(tmp_path / "other" / "a.png")
    Image.open(picture).save(tmp_path / "summary.json.png")  # would be the folder summary.json
    three = (picture, tmp_path / "other" / "a.png", tmp_path / "summary.json.png")
    done = call("scan", *three, "--model", model, "--out", tmp_path / "o", *FIRST)
    assert done.exit_code == 0 and str(tmp_path / "other" / "a.png") in done.stdout
    made = {p.name for p in (tmp_path / "o").iterdir() if p.is_dir()}
    assert made == {f"{tmp_path.name}-a", "other-a", "summary.json.png"}


def test_folders_of_names_that_collide_every_way_differ():
    from aoienet.cli._cascade import folder_names

    paths = [
        Path(p) for p in ("x/y/a.png", "z/y/a.png", "y-a.png", "B.jpg", "b.png", "rows.tif", ".h.png", "index.html.png")
    ]
    found = folder_names(paths, Path("o"))
    assert len({str(p).lower() for p in found}) == len(paths) and folder_names(paths[::-1], Path("o"))[::-1] == found
    assert found[3:6] == [Path("o/B.jpg"), Path("o/b.png"), Path("o/rows.tif")]
    assert not any(p.name.startswith(".") or p.name == "index.html" for p in found)
    long = folder_names([Path(f"{'f' * 40}/{'x' * 250}.png"), Path(f"{'g' * 40}/{'x' * 250}.png")], Path("o"))
    assert len(set(long)) == 2 and all(len(p.name) <= 255 for p in long)


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
        (("scan", picture, "--model", model, "--out", tmp_path / "o", "--segmenter", "lihgt"), "known: light"),
        (("scan", picture, "--model", model, "--out", tmp_path / "o", "--fail-on", "many"), "width_max_mm>=0.3"),
        (("scan", picture, "--model", model, "--out", tmp_path / "o", "--fail-on", "widht_px>1"), "unknown name"),
        (("scan", picture, "--model", model, "--out", tmp_path / "o", "--width-classes", "ec3"), "known: aci224r"),
        (("scan", picture, "--model", model, "--out", tmp_path / "o", "--shard", "3/2"), "--shard is I/N"),
        (("scan", picture, "--model", model, "--out", tmp_path / "o", "--mm-per-px", "-1"), "positive"),
        (("scan", picture, "--model", model, "--out", tmp_path / "o", "--scale-points", "1,2,3"), "X1,Y1,X2,Y2,MM"),
        (("scan", "-", "--model", model, "--out", tmp_path / "o"), "--width"),
        (("scan", "-", picture, "--model", model, "--out", tmp_path / "o", "--width", 5), "only input"),
        (("scan", picture, "--model", model, "--out", tmp_path / "full", "--resume"), "no unfinished scan"),
        (("merge", tmp_path / "full", "--out", tmp_path / "o"), "shard"),
        (
            ("scan", picture, "--model", model, "--out", tmp_path / "o", *FIRST, "--segmenter", "light"),
            "leave one of them",
        ),
        (("certify", model, "--data", tmp_path, "-o", tmp_path / "none" / "m.aoie"), "in a folder that is there"),
        (("certify", model, "--data", tmp_path, "-o", tmp_path / "m.txt"), "-o names an .aoie file"),
        (("eval", tmp_path / "u.onnx", "--data", tmp_path), "only be a second stage"),
        (("models", "crak*"), "no shipped model matches 'crak*'"),
        (("classify", picture, "--model", model), f"aoienet scan IMAGE... --model {model} "),
        (("info", tmp_path / "none"), "no such file"),
    ):
        done = call(*arguments)
        assert done.exit_code == 1, (arguments, done.output)
        assert word in done.stderr and done.stdout == "", arguments


def test_overwrite_writes_into_a_full_folder(model, picture, tmp_path):
    for options in ((), ("--overwrite",)):
        assert call("scan", picture, "--model", model, "--out", tmp_path / "o", *FIRST, *options).exit_code == 0


def test_unknown_model_suggests_a_near_name(picture, tmp_path, monkeypatch, model):
    from aoienet import weights

    monkeypatch.setattr(weights, "FOLDER", model.parent)
    done = call("scan", picture, "--model", "toyy", "--out", tmp_path / "o")
    assert done.exit_code == 1 and "did you mean 'toy'?" in done.stderr
    assert call("scan", picture, "--model", "toy", "--out", tmp_path / "o", *FIRST).exit_code == 0
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


def test_interrupt_ends_with_130_whole_files_and_how_to_go_on(model, picture, tmp_path, monkeypatch):
    from aoienet.report import outputs

    arguments = ("scan", picture, "--model", model, "--out", tmp_path / "o", *FIRST)
    assert call(*arguments).exit_code == 0
    whole = {p.name: p.read_bytes() for p in (tmp_path / "o").iterdir()}

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(outputs, "write_mask", stop)
        done = call(*arguments, "--overwrite")
    assert done.exit_code == 130 and "--resume" in done.stderr
    assert not [p for p in (tmp_path / "o").rglob("*.tmp")] and (tmp_path / "o" / ".work").is_dir()
    assert call(*arguments, "--resume").exit_code == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "o").iterdir()} == whole


def test_the_shipped_networks_measure_a_crack_and_a_rule_ends_with_three(wall, tmp_path):
    options = ("--mm-per-px", 0.1, "--width-classes", "ec2", "--fail-on", "cracks>0", "--jobs", 1)
    done = call("scan", wall, "--out", tmp_path / "o", *options)
    assert done.exit_code == 3 and "meet the rule cracks>0" in done.stderr, done.output
    rows = list(csv.DictReader((tmp_path / "o" / "defects.csv").open()))
    assert rows and float(rows[0]["length_mm"]) == pytest.approx(0.1 * float(rows[0]["length_px"]), abs=1e-3)
    assert rows[0]["width_class"] and rows[0]["width_class_at_most"]
    assert "ec2 asks for" in done.stdout.lower()
    assert call("scan", wall, "--out", tmp_path / "p", "--fail-on", "width_max_px>=99", "--jobs", 1).exit_code == 0
    refused = call("scan", wall, "--out", tmp_path / "q", "--fail-on", "width_max_mm>=99", "--jobs", 1, "--json")
    assert refused.exit_code == 2 and "needs a scale" in refused.stderr
    assert json.loads(refused.stdout)["run"]["megapixels"] == 0  # told before the work


def test_options_that_would_have_no_effect_are_refused(model, picture, tmp_path):
    words = ("scan", picture, "--model", model, "--out", tmp_path / "o")
    for more, word in (
        (("--first-stage-only", "--fail-on", "cracks>0"), "measures none"),
        (("--rows", 300), "--rows tells how rows"),
        (("--dtype", "uint16"), "--dtype tells how rows"),
        (("--white-level", 200), "from 256 to 65535"),
    ):
        done = call(*words, *more)
        assert done.exit_code == 1 and word in done.stderr
    stream = ("scan", "-", "--model", model, "--out", tmp_path / "o", "--width")
    assert "received --width 130, --rows 40" in call(*stream, 130, "--rows", 40).stderr
    assert "rows have none" in call(*stream, 130, "--fail-on", "width_max_mm>1").stderr
    assert not (tmp_path / "o").exists()


def test_dry_run_tells_frames_memory_and_time_and_writes_nothing(wall, tmp_path):
    done = call("scan", wall, "--out", tmp_path / "o", "--dry-run", "--json", "--jobs", 1)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["pictures"][0]["blocks"] == 11 * 15 and document["memory_mib"] > 100 and document["seconds"] >= 0
    assert "core s" in call("scan", wall, "--out", tmp_path / "o", "--dry-run").stdout and not (tmp_path / "o").exists()


def test_more_jobs_than_bands_and_the_writing_of_one_picture_do_not_make_it_faster():
    from aoienet.cli._forecast import FINISH_S_PER_MP, _of_jobs

    large = {"core_seconds": 30 + 50 * FINISH_S_PER_MP, "megapixels": 50, "bands": 3}
    for jobs, turns in ((1, 3), (2, 2), (3, 1), (8, 1)):
        assert _of_jobs([large], jobs) == pytest.approx(turns * 10 + 50 * FINISH_S_PER_MP)
    small = {"core_seconds": 4.0, "megapixels": 1, "bands": 1}
    assert _of_jobs([small] * 10, 4) == pytest.approx(10) and _of_jobs([], 4) == 0


def test_a_dry_run_tries_all_that_a_scan_does_on_parts_of_the_picture(wall, tmp_path, monkeypatch):
    from aoienet.scan import cascade

    sizes, measure = [], cascade.measure_piece
    monkeypatch.setattr(cascade, "measure_piece", lambda window, *more: sizes.append(1) or measure(window, *more))
    done = call("scan", wall, "--out", tmp_path / "o", "--dry-run", "--json", "--jobs", 1)
    assert done.exit_code == 0 and sizes, done.output
    sizes.clear()
    assert call("scan", wall, "--out", tmp_path / "o", "--dry-run", *FIRST).exit_code == 0 and not sizes


def test_a_dry_run_with_a_missing_picture_tells_the_others_and_ends_with_two(wall, tmp_path):
    words = ("scan", wall, tmp_path / "none.tif", "--out", tmp_path / "o", "--dry-run", "--jobs", 1)
    done = call(*words)
    assert done.exit_code == 2 and "no such file" in done.stdout and "about" in done.stdout
    document = json.loads(call(*words, "--json").stdout)
    assert [("error" in p) for p in document["pictures"]] == [False, True]


def test_a_surface_of_another_kind_is_said_to_be_unfamiliar_before_and_after_the_scan(model, tmp_path):
    rng = np.random.default_rng(0)
    streaks = ndimage.gaussian_filter1d(rng.normal(size=(320, 400)), 12, axis=1)
    pixels = np.clip(130 + 8 * streaks / streaks.std() + rng.normal(0, 1.5, streaks.shape), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "steel.png")
    words = ("scan", tmp_path / "steel.png", *FIRST)
    assert "if 100 % of the area is passed on" in call(*words, "--out", tmp_path / "o", "--dry-run").stdout
    done = call(*words, "--out", tmp_path / "o")
    assert "100.0 %" in done.stdout and "warning: 100 % of the area looks unlike the pictures" in done.stdout
    plain = call(*words, "--out", tmp_path / "p", "--model", model)
    assert "not looked for" in plain.stdout and "unlike the pictures" not in plain.stdout


def test_a_scan_with_the_first_stage_alone_says_nowhere_that_there_is_no_crack(model, picture, tmp_path):
    done = call("scan", picture, "--model", model, "--out", tmp_path / "o", *FIRST)
    assert done.exit_code == 0 and "not measured" in done.stdout
    (entry,) = json.loads((tmp_path / "o" / "summary.json").read_text())["inputs"]
    result = json.loads((tmp_path / "o" / "manifest.json").read_text())["result"]
    assert [entry["cracks"], entry["joints"], entry["length_px"], result["cracks"], result["joints"]] == [None] * 5
    page = (tmp_path / "o" / "report.html").read_text()
    assert "cracks found" not in page and "No crack was found" not in page and "The second stage" not in page
    assert "suspected by the first stage; nothing was segmented or measured" in page


def test_a_warning_names_the_pictures_that_it_is_of(model, picture, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 430), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "two.tif", np.stack([pixels, pixels]))
    done = call("scan", picture, tmp_path / "two.tif", "--model", model, "--out", tmp_path / "o", *FIRST)
    (line,) = [line for line in done.stdout.splitlines() if "Only page 1 of 2" in line]
    assert line.endswith(f"({tmp_path / 'two.tif'})")


def test_shards_merge_to_the_result_of_one_scan(model, tmp_path, monkeypatch):
    from aoienet.scan import cascade

    monkeypatch.setattr(cascade, "LEAST_ROWS", 512)
    monkeypatch.setattr(cascade, "UNIT_PX", 1)
    rng = np.random.default_rng(0)
    paths = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "none.png"]
    for path in paths[:2]:
        Image.fromarray(rng.integers(0, 256, (1100, 200), dtype=np.uint8)).save(path)
    common = (*paths, "--model", model, *FIRST)
    assert call("scan", *common, "--out", tmp_path / "whole").exit_code == 2
    for k in (1, 2, 3):
        part = call("scan", *common, "--out", tmp_path / f"s{k}", "--shard", f"{k}/3")
        assert part.exit_code == 2 and part.stdout.splitlines()[-1].startswith("next: aoienet merge")
    shards = [tmp_path / f"s{k}" for k in (1, 2, 3)]
    missing = call("merge", *shards[:2], "--out", tmp_path / "m")
    assert missing.exit_code == 1 and "are in no shard" in missing.stderr
    into = call("merge", *shards, "--out", shards[0], "--overwrite")
    assert into.exit_code == 1 and "--out must be none of the shards" in into.stderr  # which would lose that shard
    assert call("merge", *shards, "--out", tmp_path / "m").exit_code == 2
    trees = [
        {str(p.relative_to(tmp_path / n)): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()}
        for n in ("whole", "m")
    ]
    assert trees[0] == trees[1] and {"b/report.html", "index.html"} <= set(trees[0])
    assert not any((shard / "index.html").exists() for shard in shards)
    other = call("scan", *common, "--threshold", 3, "--out", tmp_path / "s4", "--shard", "1/3")
    assert other.exit_code == 2
    assert "differ in threshold" in call("merge", shards[0], tmp_path / "s4", "--out", tmp_path / "n").stderr


@pytest.mark.slow
def test_two_processes_with_the_shipped_networks_give_the_bytes_of_one(wall, tmp_path):
    (tmp_path / "b.tif").write_bytes(wall.read_bytes())
    for jobs in (1, 2):
        done = call("scan", wall, tmp_path / "b.tif", "--out", tmp_path / f"o{jobs}", "--jobs", jobs)
        assert done.exit_code == 0, done.output
    trees = [
        {str(p.relative_to(tmp_path / n)): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()}
        for n in ("o1", "o2")
    ]
    assert trees[0] == trees[1] and {"wall/defects.csv", "index.html"} <= set(trees[0])


@pytest.mark.slow
def test_a_line_scan_stream_becomes_pictures_that_are_scanned(model, tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (250, 130), dtype=np.uint8)
    program = "from aoienet.cli import main; main()"
    words = ["scan", "-", "--width", "130", "--rows", "100", "--model", str(model), "--out", str(tmp_path / "o")]
    command = [sys.executable, "-c", program, *words, *map(str, FIRST), "--json"]
    made = subprocess.run(command, input=rows.tobytes()[:-40], capture_output=True)
    assert made.returncode == 2 and b"whole rows" in made.stderr
    document = json.loads(made.stdout)
    assert [e["status"] for e in document["inputs"]] == [
        "done",
        "done",
        "failed",
        "failed",
    ]  # 49 rows are less than a block
    assert [e.get("height_px") for e in document["inputs"][:2]] == [100, 100]
    assert (tmp_path / "o" / "rows-0000000100" / "report.html").is_file()
    assert 'href="rows-0000000100/report.html"' in (tmp_path / "o" / "index.html").read_text()


def test_a_file_whose_sums_could_overflow_is_refused(classifier, picture, tmp_path):
    header, tensors = aoie.read(classifier)
    huge = {k: v * np.float32(1e30) if v.dtype == np.float32 else v for k, v in tensors.items()}
    (tmp_path / "n.aoie").write_bytes(aoie.serialize(header, huge))
    for verb in (("classify", picture, "--model", tmp_path / "n.aoie"), ("info", tmp_path / "n.aoie")):
        done = call(*verb)
        assert done.exit_code == 1 and "no picture makes a number above 2^126" in done.stderr


def test_classify_resizes_and_gives_probabilities(classifier, picture, tmp_path):
    done = call("classify", picture, tmp_path / "none.png", "--model", classifier, "--json")
    assert done.exit_code == 2 and "no such file" in done.stderr
    first, second = json.loads(done.stdout)["inputs"]
    assert sum(t["probability"] for t in first["top"]) == pytest.approx(1, abs=1e-5) and "resized" in first["notes"][0]
    assert second["status"] == "failed"
    assert "%" in call("classify", picture, "--model", classifier).stdout
    folder = call("classify", picture.parent, "--model", classifier, "--json")
    assert str(picture) in {e["input"] for e in json.loads(folder.stdout)["inputs"]}
    refused = call("scan", picture, "--model", classifier, "--out", tmp_path / "o")
    assert refused.exit_code == 1 and f"aoienet classify IMAGE... --model {classifier}" in refused.stderr


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
    size = ("--height-px", 400, "--width-px", 500, "--jobs", 1)
    done = call("demo", "--model", model, "--out", tmp_path / "o", *size, "--json", "--threshold", "-1e6")
    assert done.exit_code == 0, done.stderr
    truth = json.loads(done.stdout)["demo"]
    assert truth["cracks"] == 1 and truth["crack_recall"] == 1.0 and truth["length_precision"] > 0.2
    for name in ("surface.tif", "overlay.tif", "blocks.csv", "summary.json", "report.html"):
        assert (tmp_path / "o" / name).is_file()
    shown = call("demo", "--model", model, "--out", tmp_path / "o", *size, "--overwrite", "--threshold", "1e6").stdout
    assert "cracks found   0 of 1" in shown and "missed" in shown


def test_help_lists_the_verbs_and_loads_nothing_heavy():
    heavy = ("numpy", "scipy", "skimage", "PIL", "tifffile", "onnxruntime", "jinja2", "torch")
    code = f"import atexit, sys; atexit.register(lambda: print([m for m in {heavy} if m in sys.modules])); from aoienet.cli import main; main()"
    made = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert made.returncode == 0
    for verb in ("scan", "classify", "demo", "doctor", "merge", "models", "info"):
        assert verb in made.stdout
    assert made.stdout.rstrip().endswith("[]")


def test_version_is_printed():
    from aoienet import __version__

    done = call("--version")
    assert done.exit_code == 0 and done.stdout.strip() == f"aoienet {__version__}"


def test_scan_works_where_torch_cannot_be_imported(model, picture, tmp_path):
    program = "import sys; sys.modules['torch'] = None; from aoienet.cli import main; main()"
    made = subprocess.run(
        [sys.executable, "-c", program, "scan", str(picture), "--model", str(model), "--out", str(tmp_path / "o"), "--jobs", "1"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "o" / "overlay.tif").is_file()
