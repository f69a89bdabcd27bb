"""Markers of pictures of any size, and a scan with them: corners, failures, what is left out, the same bytes always."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from benchmarks import marker as drawn
from tests.scan import toy_cascade as toy

from aoienet.scan.marker import marked
from aoienet.scan.mask import TileMask
from aoienet.scan.sources import open_source

pytest.importorskip("cv2", reason='markers are found by OpenCV: pip install ".[marker]"')
known = toy.stages


def marker_stages(second=True):
    """The toy's models, for pictures with markers of 40 mm."""
    return replace(known(second), marker_mm=40.0)


@pytest.fixture
def with_markers(monkeypatch):
    monkeypatch.setattr(toy, "stages", marker_stages)


def write(path, pixels):
    tifffile.imwrite(path, pixels, tile=(256, 256), compression="zlib")
    return path


@pytest.mark.parametrize("channels", [1, 3])
def test_a_marker_of_a_large_picture_is_measured_at_full_size(tmp_path, channels):
    truth = drawn.corners(7000.4, 1500.6, 411.7, 27)
    pixels = drawn.draw(np.tile(drawn.wall(1000, 1000, 4), (3, 9)), truth, number=11)
    pixels = pixels if channels == 1 else np.repeat(pixels[..., None], 3, axis=2)
    with open_source(write(tmp_path / "a.tif", pixels), channels) as source:
        found = marked(source, 40.0)
    np.testing.assert_allclose(found.markers[0].corners_px, truth, atol=0.1)  # a pixel of the small copy is 3 wide
    assert found.scale.mm_per_px == pytest.approx(40 / 411.7, rel=5e-4)


def test_a_marker_larger_than_a_window_is_measured_in_the_small_copy(tmp_path, monkeypatch):
    truth = drawn.corners(4000, 1500, 900, 45)
    pixels = drawn.draw(np.tile(drawn.wall(1000, 1000, 4), (3, 8)), truth)
    monkeypatch.setattr("aoienet.scan.marker.WINDOW_PX", 1 << 18)
    with open_source(write(tmp_path / "a.tif", pixels)) as source:
        assert marked(source, 40.0).scale.mm_per_px == pytest.approx(40 / 900, rel=5e-4)


def test_an_area_is_cleared_in_all_tiles_and_nowhere_else():
    mask, box = TileMask(), (0, 0, 1200, 1200)
    mask.put(box, np.ones((1200, 1200), bool), np.ones((1200, 1200)))
    mask.clear(np.array([[600.0, 300.0], [900.0, 600.0], [600.0, 900.0], [300.0, 600.0]]))
    y, x = np.mgrid[:1200, :1200]
    np.testing.assert_array_equal(mask.window(box) == 0, np.abs(x - 600) + np.abs(y - 600) <= 300)


def picture(cracks=12):
    """Dark lines on a bright surface, and a marker of 200 px over one of the borders of units."""
    return drawn.draw(toy.picture(1300, 800, 3, cracks), drawn.corners(400, 520, 200, 20), number=7)


def test_millimetres_and_corners_reach_the_outputs_and_the_marker_is_no_crack(tmp_path, with_markers):
    paths = [write(tmp_path / "a.tif", picture(0)), toy.write(tmp_path / "b.tif", 600, 400), tmp_path / "c.tif"]
    write(paths[2], picture())
    clean, without, cracked = toy.run(tmp_path / "o", paths)
    assert clean["cracks"] == clean["joints"] == 0
    assert "b.tif: --marker-mm needs a marker" in without["error"]
    assert cracked["cracks"] > 0 and cracked["length_mm"] > 0
    manifest = json.loads((tmp_path / "o" / "c" / "manifest.json").read_text())
    scale = manifest["scale"]
    assert scale["mm_per_px"] == pytest.approx(0.2, rel=1e-3) and scale["marker"]["side_mm"] == 40
    (one,) = scale["marker"]["markers"]
    assert one["dictionary"] == "AprilTag 36h11" and one["number"] == 7
    np.testing.assert_allclose(one["corners_px"], drawn.corners(400, 520, 200, 20), atol=0.1)
    assert "AprilTag 36h11 number 7" in scale["origin"] and "one standard uncertainty" in scale["origin"]
    assert "AprilTag 36h11 number 7" in (tmp_path / "o" / "c" / "report.html").read_text()


def test_processes_and_shards_give_the_same_bytes(tmp_path, with_markers):
    paths = [write(tmp_path / "a.tif", picture()), toy.write(tmp_path / "b.tif", 600, 400)]
    toy.run(tmp_path / "one", paths)
    toy.run(tmp_path / "two", paths, jobs=2)
    toy.run(tmp_path / "parts", paths, mine=lambda picture, band: band == 1)
    toy.run(tmp_path / "parts", paths, resume=True)
    whole = toy.tree(tmp_path / "one")
    assert "a/report.html" in whole and b'"error"' in whole["journal.jsonl"]
    for other in ("two", "parts"):
        made = {k: v for k, v in toy.tree(tmp_path / other).items() if not k.startswith(".work")}
        assert made == {k: v for k, v in whole.items() if not k.startswith(".work")}
