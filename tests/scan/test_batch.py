"""A batch: the same bytes for any number of processes, after kills and a full disk; bad pictures do not stop it."""

import csv
import io
import json
import random
import signal
import subprocess
import sys
import time

import pytest
from tests.scan import toy_cascade as toy

from aoienet.files import OutputError
from aoienet.report.outputs import FILES
from aoienet.scan.batch import WORK, begin
from aoienet.scan.journal import Journal

PROGRAM = [sys.executable, "-m", "tests.scan.toy_cascade"]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    return [toy.write(folder / f"{name}.tif", 1700, 400, seed=k, joint=200) for k, name in enumerate("ab")]


@pytest.fixture(scope="module")
def undisturbed(paths, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    assert all(r["cracks"] > 1 and r["joints"] == 1 for r in toy.run(out, paths))
    return toy.tree(out)


def test_a_batch_leaves_the_outputs_of_every_picture_and_a_journal(undisturbed):
    names = {f"{folder}/{name}" for folder in "ab" for name in (*FILES, "manifest.json")}
    assert set(undisturbed) == names | {"journal.jsonl"}
    lines = [json.loads(line) for line in undisturbed["journal.jsonl"].splitlines()]
    assert [(e["picture"], e.get("band")) for e in lines] == [(p, b) for p in (0, 1) for b in (0, 1, 2, None)]
    assert all("outputs_sha256" in e or e["crack_px"] >= 0 for e in lines)


def test_a_joint_over_all_units_is_one_row(undisturbed):
    for folder in "ab":
        rows = list(csv.DictReader(io.StringIO(undisturbed[f"{folder}/defects.csv"].decode())))
        (joint,) = (row for row in rows if row["kind"] == "joint")
        assert float(joint["length_px"]) == pytest.approx(1700, rel=0.01)
        assert [int(joint[name]) for name in ("y_px", "h_px", "branches")] == [0, 1700, 1]
        assert all(float(row["length_px"]) < 400 for row in rows if row["kind"] == "crack")


@pytest.mark.slow
def test_processes_give_the_same_bytes(paths, undisturbed, tmp_path):
    toy.run(tmp_path / "o", paths, jobs=3)
    assert toy.tree(tmp_path / "o") == undisturbed


def start(out, paths, jobs=1, resume=False, limit=0):
    words = [*PROGRAM, out, jobs, "resume" if resume else "begin", limit, *paths]
    return subprocess.Popen([str(w) for w in words], stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "seed"), [(1, 0), (1, 1), (2, 2)])
def test_killed_at_any_moment_and_resumed_the_bytes_are_the_same(paths, undisturbed, tmp_path, jobs, seed):
    rng, out, kills = random.Random(seed), tmp_path / "o", 0
    while True:
        process = start(out, paths, jobs, resume=(out / WORK / "plan.json").exists())
        wanted = rng.randint(0, 8)
        while process.poll() is None and kills < 4:
            journal = out / "journal.jsonl"
            if journal.exists() and journal.read_bytes().count(b"\n") >= wanted:
                time.sleep(rng.uniform(0, 0.4))
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.002)
        _, errors = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
    assert toy.tree(out) == undisturbed and kills >= 1


@pytest.mark.slow
def test_a_full_disk_is_one_error_and_the_rest_is_done_later(paths, undisturbed, tmp_path):
    for limit in (2_000, 30_000):  # bytes that a file may have: too few for a unit, too few for an overlay
        process = start(tmp_path / "o", paths, limit=limit, resume=limit > 2_000)
        _, errors = process.communicate()
        assert process.returncode == 1 and "OutputError: cannot write" in errors
    assert start(tmp_path / "o", paths, resume=True).wait() == 0
    assert toy.tree(tmp_path / "o") == undisturbed


def test_a_unit_s_file_that_was_changed_is_done_again(paths, undisturbed, tmp_path):
    out = tmp_path / "o"
    toy.run(out, paths, mine=lambda picture, band: band < 2)
    files = sorted((out / WORK).glob("*.npz"))
    assert len(files) == 4
    files[0].write_bytes(files[0].read_bytes()[:-5])
    files[1].unlink()
    with open(out / "journal.jsonl", "a") as journal:
        journal.write('{"picture": 1, "band": 2, "sha2')  # cut off by a kill
    toy.run(out, paths, resume=True)
    assert toy.tree(out) == undisturbed


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_bad_pictures_are_recorded_and_the_others_are_the_same(paths, undisturbed, tmp_path, jobs):
    data = paths[0].read_bytes()
    cut, none = tmp_path / "cut.tif", tmp_path / "none.tif"
    cut.write_bytes(data[: int(len(data) * 0.8)])
    results = toy.run(tmp_path / "o", [cut, paths[0], none, paths[1]], jobs)
    assert "cut.tif" in results[0]["error"] and "no such file" in results[2]["error"]
    made = toy.tree(tmp_path / "o")
    for name in ("a/defects.csv", "b/mask.tif"):
        assert made[name] == undisturbed[name]
    lines = Journal(tmp_path / "o").entries
    assert [e["picture"] for e in lines if "error" in e] == [0, 2] and not (tmp_path / "o" / "cut").exists()


def test_resume_of_another_scan_is_refused_with_what_differs(paths, tmp_path):
    begin(tmp_path / "o", {"threshold": 1.0, "pictures": ["a"]}, resume=False)
    with pytest.raises(OutputError, match=r"threshold was 1\.0, now it is 2\.0"):
        begin(tmp_path / "o", {"threshold": 2.0, "pictures": ["a"]}, resume=True)
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "x").write_text("x")
    with pytest.raises(OutputError, match="no unfinished scan"):
        begin(tmp_path / "p", {}, resume=True)


def test_a_journal_of_something_else_is_refused(tmp_path):
    (tmp_path / "journal.jsonl").write_text("hello\n")
    with pytest.raises(OutputError, match="line 1"):
        Journal(tmp_path)
