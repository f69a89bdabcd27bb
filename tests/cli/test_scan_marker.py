"""aoienet scan --marker-mm from outside: millimetres of the shipped networks, exit codes, resume, merge, wrong use."""

import csv
import json
import subprocess
import sys

import pytest
from benchmarks import marker as drawn
from typer.testing import CliRunner

from aoienet import synth
from aoienet.cli import app

SIDE_PX, SIDE_MM = 100.0, 20.0


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def rows_of(path):
    return list(csv.DictReader(path.open()))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A surface with a crack, the same with a marker beside it, as PNG."""
    pytest.importorskip("cv2", reason='markers are found by OpenCV: pip install ".[marker]"')
    from PIL import Image

    folder = tmp_path_factory.mktemp("walls")
    wall = synth.surface(384, 640, 5, cracks=1).band(0, 384)
    Image.fromarray(wall).save(folder / "plain.png")
    truth = drawn.corners(540, 190, SIDE_PX, 15)
    Image.fromarray(drawn.draw(wall, truth)).save(folder / "marked.png")
    return folder / "marked.png", folder / "plain.png"


def test_a_scan_measures_in_the_millimetres_of_the_marker(pictures, tmp_path):
    marked, plain = pictures
    words = ("--marker-mm", SIDE_MM, "--fail-on", "width_max_mm>=99", "--jobs", 1)
    assert "core s" in call("scan", marked, "--out", tmp_path / "o", *words, "--dry-run").stdout
    done = call("scan", marked, plain, "--out", tmp_path / "o", *words, "--json")
    assert done.exit_code == 2 and "plain.png: --marker-mm needs a marker" in done.stderr, done.output
    document = json.loads(done.stdout)
    assert [e["status"] for e in document["inputs"]] == ["done", "failed"] and document["run"]["megapixels"] < 0.3
    rows = rows_of(tmp_path / "o" / "marked" / "defects.csv")
    assert rows and float(rows[0]["mm_per_px"]) == pytest.approx(SIDE_MM / SIDE_PX, rel=0.005)
    assert all(not (480 < int(r["x_px"]) and 130 < int(r["y_px"]) < 250) for r in rows)
    assert (
        json.loads((tmp_path / "o" / "marked" / "manifest.json").read_text())["scale"]["marker"]["side_mm"] == SIDE_MM
    )
    assert json.loads((tmp_path / "o" / ".work" / "plan.json").read_text())["marker_mm"] == SIDE_MM
    other = call("scan", marked, plain, "--out", tmp_path / "o", "--marker-mm", 30, *words[2:], "--resume")
    assert other.exit_code == 1 and "marker_mm was 20.0, now it is 30.0" in other.stderr
    plain_mm = call("scan", marked, "--out", tmp_path / "p", "--mm-per-px", SIDE_MM / SIDE_PX, "--jobs", 1)
    assert plain_mm.exit_code == 0


def test_shards_merge_to_the_bytes_of_one_scan(pictures, tmp_path):
    words = ("scan", *pictures, "--marker-mm", SIDE_MM, "--first-stage-only", "--jobs", 1)
    assert call(*words, "--out", tmp_path / "one").exit_code == 2
    for k in (1, 2):
        assert call(*words, "--out", tmp_path / f"s{k}", "--shard", f"{k}/2").exit_code == 2
    assert call("merge", tmp_path / "s1", tmp_path / "s2", "--out", tmp_path / "m").exit_code == 2
    one, merged = (
        {str(p.relative_to(tmp_path / n)): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()}
        for n in ("one", "m")
    )
    assert one == merged and "marked/report.html" in one


def test_wrong_use_ends_with_one_and_a_next_step(pictures, tmp_path):
    for more, word in (
        (("--marker-mm", 20, "--mm-per-px", 0.1), "--mm-per-px and --marker-mm say the same thing"),
        (("--marker-mm", 20, "--scale-points", "0,0,99,0,5"), "--scale-points and --marker-mm say the same thing"),
        (("--marker-mm", 0), "positive and finite, in mm; received 0.0"),
    ):
        done = call("scan", pictures[0], "--out", tmp_path / "o", *more)
        assert done.exit_code == 1 and word in done.stderr
    assert not (tmp_path / "o").exists()


def test_a_missing_extra_is_told_before_the_work(tmp_path):
    program = "import sys; sys.modules['cv2'] = None; from aoienet.cli import main; main()"
    words = ["scan", "none.png", "--out", str(tmp_path / "o"), "--marker-mm", "20"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
    assert done.returncode == 1 and 'pip install ".[marker]"' in done.stderr and not (tmp_path / "o").exists()
