"""Rules, scales and settings of the outputs of a picture."""

import csv
import json
import re
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import tifffile
from tests.scan import toy_cascade as toy

from aoienet.measure.classes import load
from aoienet.report.finish import Options, Rule, RuleError, scale_of, score_lookup
from aoienet.scan.tiles import Geometry


def rows(kind, *widths):
    return [{"kind": kind, "width_max_mm": width} for width in widths]


def test_a_rule_speaks_of_cracks_unless_it_names_joints():
    both = rows("crack", 0.2) + rows("joint", 6.0, 5.0)
    assert not Rule.parse("width_max_mm>1").holds(both) and not Rule.parse("crack.width_max_mm>1").holds(both)
    assert Rule.parse("joint.width_max_mm>=6").holds(both) and not Rule.parse("joint.width_max_mm>6").holds(both)
    assert not Rule.parse("joint.width_max_mm<1").holds(both) and Rule.parse("joint.width_max_mm>1").needs_scale
    assert Rule.parse("cracks==1").holds(both) and Rule.parse("joints==2").holds(both)


def test_a_rule_is_a_column_or_the_number_of_cracks():
    rule = Rule.parse("width_max_mm >= 0.3")
    assert rule.needs_scale and rule.holds(rows("crack", 0.1, 0.3))
    assert not rule.holds(rows("crack", 0.29, None)) and not rule.holds([])
    assert Rule.parse("cracks>0").holds(rows("crack", 1)) and not Rule.parse("cracks>1").holds(rows("crack", 1))
    assert Rule.parse("cracks==0").holds([])
    for text, word in (
        ("cracks", "NAME>=NUMBER"),
        ("width_max_mm>=wide", "NAME>=NUMBER"),
        ("depth_mm>1", "unknown name"),
        ("kind>1", "unknown name"),
        ("joint.cracks>1", "unknown name"),
        ("pore.width_max_mm>1", "NAME>=NUMBER"),
        ("cracks>1 and length_mm>3", "stand alone"),
        ("length_mm>3 and", "NAME>=NUMBER"),
    ):
        with pytest.raises(RuleError, match=word):
            Rule.parse(text)


def test_conditions_joined_by_and_speak_of_one_crack():
    rule = Rule.parse("width_max_mm>=0.3 and length_mm>=10")
    assert rule.needs_scale and not Rule.parse("width_max_px>3 and length_px>10").needs_scale
    pore = {"kind": "crack", "width_max_mm": 2.0, "length_mm": 2.5}
    hairline = {"kind": "crack", "width_max_mm": 0.1, "length_mm": 400.0}
    joint = {"kind": "joint", "width_max_mm": 6.0, "length_mm": 900.0}
    assert not rule.holds([pore, hairline, joint])
    assert rule.holds([pore, {"kind": "crack", "width_max_mm": 0.3, "length_mm": 10.0}])
    for text in ("joint.width_max_mm>=0.3 and length_mm>=10", "joint.width_max_mm>=0.3 and joint.length_mm>=10"):
        assert Rule.parse(text).holds([joint]) and not Rule.parse(text).holds([hairline, pore])


def test_millimetres_come_from_the_user_or_there_are_none():
    classes = load("ec2")
    assert scale_of(Options(0.5, "--mm-per-px", classes), None, (9, 9)).classes == classes
    none = scale_of(Options(classes=classes), None, (9, 9))
    assert none.mm_per_px is None and none.classes is None and "--mm-per-px" in none.origin
    assert scale_of(Options(classes=load("en10163")), None, (9, 9)).classes is not None


def test_the_score_of_a_point_is_that_of_the_best_block_over_it():
    scores = np.array([[0, 1], [2, 9]], np.float32)
    look = score_lookup(scores, Geometry(64, 32, 64, 8))
    assert look(np.array([[0, 0], [40, 10], [10, 40], [40, 40], [500, 500], [-0.5, -0.5]])).tolist() == [
        0,
        1,
        2,
        9,
        9,
        0,
    ]


def test_width_classes_and_warnings_reach_the_outputs(tmp_path):
    path = toy.write(tmp_path / "wall.tif", 600, 400)
    (found,) = toy.run(tmp_path / "o", [path], mm_per_px=0.2, scale_origin="--mm-per-px", classes=load("ec2"))
    table = (tmp_path / "o" / "wall" / "defects.csv").read_text().splitlines()
    assert "width_class,width_class_at_least,width_class_at_most" in table[0] and len(table) > 1
    page = (tmp_path / "o" / "wall" / "report.html").read_text()
    assert "asks for" in page and "Class (ec2)" in page and '<th scope="col">Class</th>' in page
    rows = list(csv.DictReader(table))
    assert found["cracks_by_width_class"] == {
        c.name: [r["width_class"] for r in rows].count(c.name) for c in load("ec2").classes
    }
    sure = [r["width_class"] for r in rows if r["width_class_at_least"] == r["width_class"]]
    assert found["cracks_certain_by_width_class"] == {c.name: sure.count(c.name) for c in load("ec2").classes}
    (near,) = toy.run(tmp_path / "near", [path], mm_per_px=0.082, scale_origin="--mm-per-px", classes=load("ec2"))
    assert sum(near["cracks_certain_by_width_class"].values()) < near["cracks"]  # lines of 4.9 px: 0.4 mm, a limit
    assert (found["mm_per_px"], found["scale"]) == (0.2, "--mm-per-px")


def test_the_worst_crack_of_a_summary_is_the_first_of_the_report(tmp_path):
    pixels = toy.picture(600, 400, cracks=1)
    pixels[300:314, 300:313] = 40  # a hole, wider than any crack and hardly longer than wide
    tifffile.imwrite(tmp_path / "wall.tif", pixels, tile=(256, 256))
    (found,) = toy.run(tmp_path / "o", [tmp_path / "wall.tif"])
    page = (tmp_path / "o" / "wall" / "report.html").read_text()
    assert re.findall(r"<h3>Crack (\d+)", page)[0] == str(found["worst"]["id"])
    (row,) = (
        r
        for r in csv.DictReader((tmp_path / "o" / "wall" / "defects.csv").open())
        if r["id"] == str(found["worst"]["id"])
    )
    assert found["worst"]["width_max_px"] == float(row["width_max_px"]) < found["width_max_px"]
    assert not found["worst"]["compact"] and found["cracks_by_width_class"] is None


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_a_picture_that_is_mostly_unfamiliar_is_said_to_be_so_everywhere(tmp_path, share):
    pixels = np.full((600, 400), 170, np.uint8)
    pixels[:, : round(400 * share) // 4 * 4] = np.repeat(np.arange(round(400 * share) // 4) % 2 * 80 + 100, 4)
    tifffile.imwrite(tmp_path / "wall.tif", pixels, tile=(256, 256))
    (result,) = toy.run(tmp_path / "o", [tmp_path / "wall.tif"])
    manifest = json.loads((tmp_path / "o" / "wall" / "manifest.json").read_text())
    page = (tmp_path / "o" / "wall" / "report.html").read_text()
    found = manifest["result"]["unfamiliar_share"]
    assert (
        found == result["area_unfamiliar_share"] == pytest.approx(share, abs=0.25 if share else 0)
    )  # 64 px around blocks
    assert bool(found) == bool(share)
    warned = [w for w in result["warnings"] if "unlike the pictures" in w and "certificate" in w]
    assert len(warned) == (share == 1) and manifest["warnings"] == result["warnings"]
    assert ("do not hold here" in page) == (share == 1)
    rows = (tmp_path / "o" / "wall" / "blocks.csv").read_text().splitlines()[1:]
    assert sum("unfamiliar" in row for row in rows) >= share * len(rows)


def test_a_file_without_statistics_calls_nothing_unfamiliar_and_the_report_says_so(tmp_path, monkeypatch):
    known = toy.stages
    monkeypatch.setattr(toy, "stages", lambda: replace(known(), familiar=None))
    path = toy.write(tmp_path / "wall.tif", 600, 400)
    (result,) = toy.run(tmp_path / "o", [path])
    manifest = json.loads((tmp_path / "o" / "wall" / "manifest.json").read_text())
    assert result["area_unfamiliar_share"] is None and manifest["result"]["unfamiliar_share"] is None
    assert manifest["result"]["cells_by_reason"]["unlike the training pictures"] is None
    assert "not looked for" in manifest["settings"]["unfamiliar_beyond"]
    assert "not looked for: the model file has no statistics" in (tmp_path / "o" / "wall" / "report.html").read_text()
    assert "unfamiliar" not in (tmp_path / "o" / "wall" / "blocks.csv").read_text()


@pytest.mark.parametrize(("level", "share"), [(0, 0.5), (255, 0.5), (0, 0.02), (170, 0.5)])
def test_what_cannot_be_seen_is_warned_of(tmp_path, level, share):
    pixels = toy.picture(640, 640)
    pixels[: round(640 * share)] = level
    tifffile.imwrite(tmp_path / "wall.tif", pixels, tile=(256, 256))
    (result,) = toy.run(tmp_path / "o", [tmp_path / "wall.tif"])
    found = [w for w in result["warnings"] if "over- or under-exposed" in w]
    assert len(found) == (share == 0.5 and level != 170)
    assert not found or (found[0].startswith("5") and found[0] in (tmp_path / "o" / "wall" / "report.html").read_text())


def test_levels_that_nobody_uses_and_pages_that_nobody_reads_are_warned_of(tmp_path):
    levels = toy.picture(600, 400).astype(np.uint16) * 16  # a camera of 12 bits
    tifffile.imwrite(tmp_path / "wall.tif", np.stack([levels, levels]))
    (result,) = toy.run(tmp_path / "o", [tmp_path / "wall.tif"])
    page = (tmp_path / "o" / "wall" / "report.html").read_text()
    for words in ("--white-level 4095", "Only page 1 of 2 was read"):
        assert sum(words in w for w in result["warnings"]) == 1 and words in page
    assert result["cracks"] == 0
    known = toy.stages
    with mock.patch.object(toy, "stages", lambda: replace(known(), white_level=4095)):
        (result,) = toy.run(tmp_path / "p", [tmp_path / "wall.tif"])
    assert result["cracks"] > 0 and not any("white" in w for w in result["warnings"])


def test_a_disk_that_is_full_while_the_units_are_put_together_is_one_clear_error(tmp_path, monkeypatch):
    from aoienet.files import OutputError
    from aoienet.report import finish as room

    monkeypatch.setattr(room.tempfile, "TemporaryFile", lambda dir: open("/dev/full", "r+b"))
    with pytest.raises(OutputError, match=r"cannot write to .*\.work: No space left"):
        toy.run(tmp_path / "o", [toy.write(tmp_path / "wall.tif", 600, 400)])


def test_a_broken_work_file_is_one_clear_error(tmp_path):
    from aoienet.files import OutputError
    from aoienet.report.finish import finish
    from aoienet.scan.work import plan_picture

    (tmp_path / "work").mkdir()
    path = toy.write(tmp_path / "wall.tif", 200, 200)
    plan, stages = toy.plan(tmp_path / "work"), toy.stages()
    picture = plan_picture(0, path, tmp_path / "o", stages)
    for content in (b"", b"PK\x03\x04 not a zip", b"hello"):
        (tmp_path / "work" / "unit.npz").write_bytes(content)
        with pytest.raises(OutputError, match="missing or broken"):
            finish(stages, plan, picture, [tmp_path / "work" / "unit.npz"])
    assert not list((tmp_path / "o").iterdir())
