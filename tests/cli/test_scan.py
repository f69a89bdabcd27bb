"""aoienet scan from outside: what is in the folder afterwards, which pictures are meant, what is refused before the work."""

import json
import os

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from aoienet.cli import app

FIRST = ("--first-stage-only", "--jobs", 1)


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def scan(model):
    """Calls the verb with a small model and the first stage alone."""
    return lambda *arguments: call("scan", *arguments, "--model", model, *FIRST)


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def three(picture, tmp_path):
    """Two pictures and a broken one."""
    (tmp_path / "b.png").write_bytes(picture.read_bytes())
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return picture, tmp_path / "b.png", tmp_path / "broken.jpg"


@pytest.mark.parametrize("before", [(0,), (0, 1), (0, 2)])
@pytest.mark.parametrize("after", [(1,), (2,), (1, 2)])
def test_overwriting_leaves_what_a_scan_into_an_empty_folder_leaves(scan, three, tmp_path, before, after):
    scan(*(three[k] for k in before), "--out", tmp_path / "o")
    scan(*(three[k] for k in after), "--out", tmp_path / "o", "--overwrite")
    scan(*(three[k] for k in after), "--out", tmp_path / "p")
    assert tree(tmp_path / "o") == tree(tmp_path / "p")
    assert {p.name for p in (tmp_path / "o").iterdir()} == {p.name for p in (tmp_path / "p").iterdir()}


def test_overwriting_touches_no_file_of_the_user_and_follows_no_link(scan, three, tmp_path):
    out, away = tmp_path / "o", tmp_path / "away"
    assert scan(*three[:2], "--out", out).exit_code == 0
    (out / "b").rename(away)
    (out / "b").symlink_to(away)
    own = {"notes.txt": b"1", "a/notes.txt": b"2", "c/mask.tif": b"3", "mask.tif": b"4", "report.html": b"5"}
    for name, data in own.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(data)
    elsewhere = tree(away)
    assert scan(*three[1:], "--out", out, "--overwrite").exit_code == 2
    assert {name: (out / name).read_bytes() for name in own} == own
    assert not (out / "a" / "report.html").exists() and tree(away).keys() == elsewhere.keys()


def test_overwriting_an_interrupted_scan_leaves_nothing_of_it(scan, three, tmp_path, interrupted_at):
    with interrupted_at("b"):
        assert scan(*three[:2], "--out", tmp_path / "o").exit_code == 130
    (tmp_path / "o" / "b" / ".mask.tif.1.tmp").write_bytes(b"half")
    assert scan(three[1], "--out", tmp_path / "o", "--overwrite").exit_code == 0
    assert scan(three[1], "--out", tmp_path / "p").exit_code == 0
    assert tree(tmp_path / "o") == tree(tmp_path / "p") and not (tmp_path / "o" / "a").exists()


def test_a_certificate_set_aside_by_the_threshold_is_named_in_every_report(three, tmp_path):
    words = ("scan", *three[:2], "--threshold", 1, *FIRST)
    assert call(*words, "--out", tmp_path / "whole").exit_code == 0
    for k in (1, 2):
        assert call(*words, "--out", tmp_path / f"s{k}", "--shard", f"{k}/2").exit_code == 0
    assert call("merge", tmp_path / "s1", tmp_path / "s2", "--out", tmp_path / "m").exit_code == 0
    for name in ("index.html", "a/report.html"):
        page = (tmp_path / "m" / name).read_text()
        assert "The certificate of the model file is for threshold" in page and "this scan used 1, so no share" in page
        assert page == (tmp_path / "whole" / name).read_text()


@pytest.mark.parametrize(("more", "warned"), [((), True), (("--blur-px", "1"), False)])
def test_widths_are_called_upper_bounds_where_the_blur_is_unknown(scan, picture, tmp_path, more, warned):
    done = scan(picture, "--out", tmp_path / "o", "--mm-per-px", "0.5", "--width-classes", "ec2", *more)
    assert done.exit_code == 0 and ("upper bounds unless the blur is known" in done.output) == warned


@pytest.mark.parametrize("sigma", ["0", "-1", "nan", "inf", "11"])
def test_an_impossible_blur_is_refused_before_anything_is_written(scan, picture, tmp_path, sigma):
    for more in ((), ("--dry-run",)):
        done = scan(picture, "--out", tmp_path / "o", "--blur-px", sigma, *more)
        assert done.exit_code == 1 and "from 0.1 to 10 px" in done.stderr and "leave it out" in done.stderr
    assert not (tmp_path / "o").exists()


def test_points_of_a_scale_outside_of_a_picture_fail_it_before_the_work(scan, picture, tmp_path):
    Image.fromarray(np.zeros((600, 600), np.uint8)).save(tmp_path / "large.png")
    words = (tmp_path / "large.png", picture, "--scale-points", "0,0,500,0,50")
    for more in ((), ("--shard", "1/1")):
        done = scan(*words, "--out", tmp_path / f"o{len(more)}", *more, "--json")
        assert (
            done.exit_code == 2
            and "a.png: the points of a scale must lie in the picture, which has 430 x 300 px" in done.stderr
        )
        assert json.loads(done.stdout)["run"]["megapixels"] == 0.36
    assert call("merge", tmp_path / "o2", "--out", tmp_path / "m").exit_code == 2
    assert tree(tmp_path / "m") == tree(tmp_path / "o0")
    assert "430 x 300 px" in scan(*words, "--out", tmp_path / "p", "--dry-run").stdout


@pytest.mark.parametrize("mm", ["1e-6", "1e6"])
def test_the_smallest_and_the_largest_pixel_can_be_written(scan, picture, tmp_path, mm):
    assert scan(picture, "--out", tmp_path / "o", "--mm-per-px", mm).exit_code == 0


def test_a_picture_alone_that_failed_leaves_nothing_to_open(scan, three, tmp_path):
    done = scan(three[2], "--out", tmp_path / "o")
    assert done.exit_code == 2 and "open" not in done.stdout and "merge" not in done.stdout
    assert json.loads(scan(three[2], "--out", tmp_path / "p", "--json").stdout)["run"]["open"] is None


def test_a_line_break_in_a_name_does_not_break_the_table(scan, picture, tmp_path):
    odd, gone = tmp_path / "ä\nb.png", tmp_path / "c\nd.png"
    odd.write_bytes(picture.read_bytes())
    done = scan(odd, gone, "--out", tmp_path / "o")
    lines = done.stdout.splitlines()
    assert lines[1].startswith("ä\\nb.png  430x300") and lines[2].startswith("c\\nd.png")
    assert len(done.stderr.splitlines()) == 1


def test_a_scan_that_was_interrupted_is_not_thrown_away_by_the_advice(scan, three, tmp_path):
    assert scan(*three, "--out", tmp_path / "o").exit_code == 2
    again = scan(*three, "--out", tmp_path / "o")
    assert again.exit_code == 1 and "--resume, which keeps what is done" in again.stderr
    assert scan(*three, "--out", tmp_path / "o", "--resume").exit_code == 2


def other_pixel(path):
    """Another picture of the same length."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_shards_of_copies_with_other_times_are_merged_and_of_other_pictures_are_not(scan, three, tmp_path):
    words = (*three[:2], tmp_path / "none.png", "--out")
    assert scan(*words, tmp_path / "whole").exit_code == 2
    for k in (1, 2):
        assert scan(*words, tmp_path / f"s{k}", "--shard", f"{k}/2").exit_code == 2
        os.utime(three[0], (k, k))
    assert call("merge", tmp_path / "s1", tmp_path / "s2", "--out", tmp_path / "m").exit_code == 2
    assert tree(tmp_path / "m") == tree(tmp_path / "whole")
    other_pixel(three[1])
    changed = call("merge", tmp_path / "s1", tmp_path / "s2", "--out", tmp_path / "n")
    assert changed.exit_code == 1 and "b.png must be as it was when the shards were scanned" in changed.stderr
    assert scan(*words, tmp_path / "s3", "--shard", "2/2").exit_code == 2
    differ = call("merge", tmp_path / "s1", tmp_path / "s3", "--out", tmp_path / "n")
    assert differ.exit_code == 1 and "differ in pictures" in differ.stderr


def test_a_missing_picture_alone_is_the_same_in_all_shards(scan, tmp_path):
    for k in (1, 2):
        assert scan(tmp_path / "none.png", "--out", tmp_path / f"s{k}", "--shard", f"{k}/2").exit_code == 2
    done = call("merge", tmp_path / "s1", tmp_path / "s2", "--out", tmp_path / "m")
    assert done.exit_code == 2 and "no such file" in done.stderr
    plan = tmp_path / "s2" / ".work" / "plan.json"
    plan.write_text(plan.read_text().replace('"format": 4', '"format": 3'))
    older = call("merge", tmp_path / "s1", tmp_path / "s2", "--out", tmp_path / "n")
    assert older.exit_code == 1 and "which has 3; next: scan it with this version" in older.stderr


def test_a_picture_with_another_time_is_resumed_and_another_picture_of_the_same_length_is_not(scan, three, tmp_path):
    assert scan(*three, "--out", tmp_path / "o").exit_code == 2
    os.utime(three[0], (1, 1))
    assert scan(*three, "--out", tmp_path / "o", "--resume").exit_code == 2
    other_pixel(three[0])
    again = scan(*three, "--out", tmp_path / "o", "--resume")
    assert again.exit_code == 1 and "picture 1 was" in again.stderr


def test_the_progress_of_a_scan_is_there_while_its_first_band_is_done(scan, picture, tmp_path, monkeypatch):
    from aoienet.scan.work import Worker

    real, seen = Worker.do, []

    def do(self, task):
        seen.append((tmp_path / "o" / "progress.json").is_file())
        return real(self, task)

    monkeypatch.setattr(Worker, "do", do)
    assert scan(picture, "--out", tmp_path / "o").exit_code == 0 and seen == [True, True]
    assert not (tmp_path / "o" / "progress.json").exists()


def test_an_output_of_the_earlier_scan_is_not_removed_where_it_is_the_picture(scan, picture, tmp_path):
    assert scan(picture, "--out", tmp_path / "o").exit_code == 0
    before = tree(tmp_path / "o")
    done = scan(tmp_path / "o" / "mask.tif", "--out", tmp_path / "o", "--overwrite")
    assert done.exit_code == 1 and "received" in done.stderr and "--out" in done.stderr
    assert tree(tmp_path / "o") == before
