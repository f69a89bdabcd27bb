"""Tables, overlay and truth of a small scan made by hand."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from aoienet import files
from aoienet.cells import largest
from aoienet.report import overlay, tables, truth
from aoienet.scan.keep import OUTSIDE, Reason
from aoienet.scan.runner import Decision, ScanResult
from aoienet.scan.tiles import Geometry, block_grid
from aoienet.synth import Crack, Joint

G = Geometry(64, 32, 64, 8)


def made(height=150, width=200, kept=((1, 2),), factor=1):
    grid = block_grid(height, width, G)
    scores = np.full((grid.rows, grid.cols), -9.0, np.float32)
    for place in kept:
        scores[place] = 3.25
    thumb = np.full((-(-height // factor), -(-width // factor)), 120, np.uint8)
    cells = largest(scores >= 0.5, G.block_px, G.stride_px)[: -(-height // 32), : -(-width // 32)] * np.uint8(
        Reason.SCORE
    )
    best = np.zeros(scores.shape, np.uint16)
    return ScanResult(grid, G, Decision(1, 1.0, 0.5), scores, best, cells, thumb, factor)


def test_blocks_csv_has_one_line_per_block_clipped_to_the_picture(tmp_path):
    result = made()
    result.reasons_HW[0, 0] = Reason.BLURRED | Reason.LINKED
    tables.write_blocks(tmp_path / "blocks.csv", result, ["clean", "crack"])
    rows = list(csv.DictReader((tmp_path / "blocks.csv").open()))
    assert len(rows) == result.grid.rows * result.grid.cols == 4 * 6
    assert list(rows[8].values()) == ["64", "32", "64", "64", "3.25", "crack", "score"]
    assert list(rows[0].values()) == ["0", "0", "64", "64", "-9", "clean", "linked+blurred"]
    assert rows[5]["passed_on"] == "" and rows[7]["passed_on"] == "score"
    assert (rows[-1]["w_px"], rows[-1]["h_px"]) == ("40", "54")


def test_a_block_at_the_threshold_is_kept():
    result = made(kept=())
    result.scores_HW[0, 0] = 0.5
    result.reasons_HW[:2, :2] = Reason.SCORE | Reason.BLURRED
    counts = tables.counts(result, ["clean", "crack"])
    assert counts["blocks_at_threshold"] == 1 and counts["cells_passed_on"] == 4
    assert counts["cells_by_reason"] == {
        "score at or above the threshold": 4,
        "nearly as suspicious, and linked to such a cell": 0,
        "too blurred to judge": 4,
        "over-exposed": 0,
        "under-exposed": 0,
        "unlike the training pictures": None,
        "a crack that was found goes on there": 0,
    }


def test_shares_are_of_what_was_photographed(tmp_path):
    result = made(kept=())
    result.reasons_HW[:] = OUTSIDE
    result.reasons_HW[:2, :4] = 0
    result.reasons_HW[0, 0] = Reason.FOLLOWED
    counts, cells = tables.counts(result, ["clean", "crack"]), result.reasons_HW.size
    assert counts["cells_passed_on"] == 1 and counts["cells_outside"] == cells - 8
    size = result.grid.height * result.grid.width
    assert tables.looked_share(result) == 1 / 8 and tables.outside_share(result) == 1 - 8 * 32**2 / size
    tables.write_blocks(tmp_path / "blocks.csv", result, ["clean", "crack"])
    rows = list(csv.DictReader((tmp_path / "blocks.csv").open()))
    assert rows[0]["passed_on"] == "followed" and rows[-1]["passed_on"] == ""


def test_unfamiliar_cells_are_counted_only_where_they_were_looked_for():
    result = made(height=128, width=128, kept=())
    result.reasons_HW[:2, :2] = Reason.UNFAMILIAR
    assert tables.reasons(result)["unlike the training pictures"] is None and tables.unfamiliar_share(result) is None
    sought = replace(result, sought=True)
    assert tables.reasons(sought)["unlike the training pictures"] == 4 and tables.unfamiliar_share(sought) == 0.25


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
    assert tables.looked_share(made(kept=kept)) == pytest.approx(area / 30000, abs=1e-9)


def test_overlay_colors_only_what_is_near_the_threshold_and_outlines_kept_blocks():
    picture = overlay.render(made(height=640, width=640, kept=((5, 5),)))
    assert (picture[:96, :96] == 120).all()
    red, green, blue = picture[192, 192].astype(int)
    assert red > 60 + max(green, blue)
    assert picture[160, 160].tolist() == overlay.OUTLINE.tolist() == picture[223, 190].tolist()
    assert picture[159, 190].tolist() != overlay.OUTLINE.tolist()


def line(number, y, x0, x1):
    x = np.arange(x0, x1, dtype=np.float32)
    return Crack(number, np.stack([np.full_like(x, y), x, np.ones_like(x), np.ones_like(x)], axis=1))


def found(y, x0, x1, width=2.0, kind="crack", compact=False):
    x = np.arange(x0, x1, 0.5)
    return truth.Line(np.stack([np.full_like(x, y), x], axis=1), x1 - x0, width, False, kind, compact)


def test_truth_tells_recall_precision_and_errors():
    cracks = (line(1, 50, 70, 120), line(2, 140, 0, 30))
    said = truth.score_against_truth(cracks, [found(52, 70, 110, 3.0, compact=True), found(200, 0, 40, compact=True)])
    assert (said["cracks_found"], said["crack_recall"], said["lines_right"], said["lines_compact"]) == (1, 0.5, 1, 1)
    assert said["length_recall"] == pytest.approx(43 / 80, abs=0.02) and said["length_precision"] == 0.5
    assert said["length_error_median"] == pytest.approx(0.2) and said["width_error_median_px"] == pytest.approx(1.0)
    assert [m["crack"] for m in said["missed"]] == [2]


def test_cracks_that_touch_are_left_out_of_the_error_of_those_alone():
    cracks = (line(1, 50, 0, 100), line(2, 53, 50, 150), line(3, 150, 0, 100))
    said = truth.score_against_truth(cracks, [found(50, 0, 150), found(150, 0, 90)])
    assert (said["cracks_found"], said["alone"]) == (3, 1)
    assert said["length_error_median_alone"] == pytest.approx(0.1) and said["length_error_median"] > 0.4


def test_truth_counts_joints_apart_from_cracks():
    cracks, joints = (line(1, 50, 70, 120),), (Joint(200, 2, 0), Joint(300, 2, 0), Joint(30, 2, 1))
    lines = [found(50, 70, 120), found(201, 0, 90, kind="joint"), found(199, 120, 150), found(300, 0, 40, kind="joint")]
    lines.append(found(400, 0, 20, kind="joint"))
    said = truth.score_against_truth(cracks, lines, joints, (600, 160))
    assert (said["cracks_found"], said["lines"], said["lines_right"]) == (1, 2, 1)
    assert said["length_precision"] == pytest.approx(50 / 80, abs=0.01)
    assert (said["joints"], said["joints_recognised"], said["joint_lines"]) == (3, 1, 3)
    assert said["joint_length_recognised"] == pytest.approx(130 / 160, abs=0.02)
    assert said["joint_length_false"] == pytest.approx(20 / 150, abs=0.01)


def test_truth_reads_lines_where_the_writer_put_them(tmp_path):
    from tests.report.cracks import surface

    from aoienet.report.defects import write_geojson
    from aoienet.report.records import Scale, place_of

    cracks = surface()[2]
    write_geojson(tmp_path / "d.geojson", cracks, Scale(None, ""), place_of(None))
    lines = truth.lines_of(tmp_path / "d.geojson")
    assert [round(found.length_px, 3) for found in lines] == [round(c.length_px, 3) for c in cracks]
    points = np.concatenate(cracks[0].paths_px)[:, ::-1]
    away = np.abs(lines[0].points[:, None] - points[None]).max(axis=2).min(axis=1)
    assert away.max() < 1.0


def test_truth_without_cracks_has_no_recall():
    said = truth.score_against_truth((), [found(5, 0, 9)])
    assert said["crack_recall"] is None and said["length_precision"] == 0.0


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
