"""Tables, overlay and truth of a small scan made by hand."""

import csv

import numpy as np
import pytest
from PIL import Image

from aoienet.report import files, overlay, tables, truth
from aoienet.scan.runner import Decision, ScanResult
from aoienet.scan.tiles import Geometry, block_grid
from aoienet.synth import Crack

G = Geometry(64, 32, 64, 8)


def made(height=150, width=200, kept=((1, 2),), factor=1):
    grid = block_grid(height, width, G)
    scores = np.full((grid.rows, grid.cols), -9.0, np.float32)
    for place in kept:
        scores[place] = 3.25
    thumb = np.full((-(-height // factor), -(-width // factor)), 120, np.uint8)
    return ScanResult(grid, G, Decision(1, 1.0, 0.5), scores, np.zeros(scores.shape, np.uint16), thumb, factor)


def test_blocks_csv_has_one_line_per_block_clipped_to_the_picture(tmp_path):
    result = made()
    tables.write_blocks(tmp_path / "blocks.csv", result, ["clean", "crack"])
    rows = list(csv.DictReader((tmp_path / "blocks.csv").open()))
    assert len(rows) == result.grid.rows * result.grid.cols == 4 * 6
    assert rows[0] == {"x_px": "0", "y_px": "0", "w_px": "64", "h_px": "64", "score": "-9", "class": "clean"}
    assert rows[8] == {"x_px": "64", "y_px": "32", "w_px": "64", "h_px": "64", "score": "3.25", "class": "crack"}
    assert (rows[-1]["w_px"], rows[-1]["h_px"]) == ("40", "54")


def test_a_block_at_the_threshold_is_kept():
    result = made(kept=())
    result.scores_HW[0, 0] = 0.5
    assert tables.counts(result, ["clean", "crack"])["blocks_kept"] == 1


@pytest.mark.parametrize(
    ("kept", "area"),
    [
        ((), 0),
        (((0, 0),), 4096),
        (((0, 0), (0, 1)), 64 * 96),
        (((3, 5),), 40 * 54),
        (((0, 0), (1, 1)), 2 * 4096 - 1024),
    ],
)
def test_area_counts_overlapping_blocks_once(kept, area):
    result = made(kept=kept)
    assert tables.kept_area_px(result) == area
    share = tables.counts(result, ["clean", "crack"])["area_dropped_share"]
    assert share == pytest.approx(1 - area / 30000, abs=1e-6)


def test_overlay_colors_only_what_is_near_the_threshold_and_outlines_kept_blocks():
    picture = overlay.render(made(height=640, width=640, kept=((5, 5),)))
    assert (picture[:96, :96] == 120).all()
    red, green, blue = picture[192, 192].astype(int)
    assert red > 60 + max(green, blue)
    assert picture[160, 160].tolist() == overlay.OUTLINE.tolist() == picture[223, 190].tolist()
    assert picture[159, 190].tolist() != overlay.OUTLINE.tolist()


def test_overlay_of_a_reduced_picture_has_its_size(tmp_path):
    overlay.write_overlay(tmp_path / "o.png", made(height=1000, width=1600, factor=4))
    assert Image.open(tmp_path / "o.png").size == (400, 250)


def line(number, y, x0, x1):
    x = np.arange(x0, x1, dtype=np.float32)
    return Crack(number, np.stack([np.full_like(x, y), x, np.ones_like(x), np.ones_like(x)], axis=1))


def test_truth_counts_cracks_blocks_and_length():
    cracks = (line(1, 50, 70, 120), line(2, 140, 0, 30))
    found = truth.score_against_truth(cracks, made(kept=((1, 2), (0, 5))))
    assert (found["cracks_found"], found["crack_recall"]) == (1, 0.5)
    assert found["length_recall"] == pytest.approx(50 / 80)
    assert found["block_precision"] == 0.5 and found["false_alarm_blocks"] == 1
    assert [m["crack"] for m in found["missed"]] == [2]
    assert truth.length_per_block(cracks, made())[:2, :5].tolist() == [[0, 26, 50, 24, 0]] * 2
    assert found["block_recall"] == pytest.approx(1 / int((truth.length_per_block(cracks, made()) >= 16).sum()))


def test_truth_without_cracks_has_no_recall():
    assert truth.score_against_truth((), made(kept=()))["crack_recall"] is None


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), files.atomic(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with files.atomic(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_output_folder_rules(tmp_path):
    assert files.open_folder(tmp_path / "new" / "deep", False).is_dir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(files.OutputError, match="must be a folder"):
        files.open_folder(tmp_path / "file", True)
    with pytest.raises(files.OutputError, match="--overwrite"):
        files.open_folder(tmp_path, False)
    files.open_folder(tmp_path, True)
