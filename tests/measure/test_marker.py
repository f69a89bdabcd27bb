"""The scale from markers on a surface: its error, and what is refused."""

import importlib.util
import math
import sys

import numpy as np
import pytest

from aoienet.measure import marker
from aoienet.measure.marker import MODULES, Marker, checked_side, scale_from
from aoienet.measure.scale import ScaleError

needs_opencv = pytest.mark.skipif(
    importlib.util.find_spec("cv2") is None, reason='markers are found by OpenCV: pip install ".[marker]"'
)


@needs_opencv
@pytest.mark.parametrize("dictionary", MODULES)
@pytest.mark.parametrize(
    ("side_px", "turn_deg", "blur_px", "noise"),
    [(64, 0, 0, 0), (70, 33, 1.0, 5), (110, 45, 2.0, 5), (220.4, 12, 1.5, 10), (500, 46, 0.8, 2), (640, 80, 3, 10)],
)
def test_the_scale_is_right_to_half_a_per_cent(dictionary, side_px, turn_deg, blur_px, noise):
    from benchmarks import marker as drawn

    truth = drawn.corners(500.3, 450.8, side_px, turn_deg)
    picture = drawn.blurred(drawn.draw(drawn.wall(900, 1000, 3), truth, dictionary, 17), blur_px)
    picture = np.clip(picture + np.random.default_rng(0).normal(0, noise, picture.shape), 0, 255).astype(np.uint8)
    made = scale_from(drawn.markers(picture), 50.0)
    assert [(m.dictionary, m.number) for m in made.markers] == [(dictionary, 17)]
    np.testing.assert_allclose(made.markers[0].corners_px, truth, atol=0.35)
    error = made.scale.mm_per_px * side_px / 50.0 - 1
    assert abs(error) < 0.005 and abs(error) < 1.96 * made.scale.u_relative < 0.035
    assert "number 17 at x 500, y 451" in made.scale.origin and "--marker-mm 50" in made.scale.origin


@needs_opencv
def test_several_markers_give_their_mean_and_unequal_ones_are_refused():
    from benchmarks import marker as drawn

    wall = drawn.wall(900, 1000, 1)
    one = drawn.draw(wall, drawn.corners(300, 300, 150, 10), "ArUco 4x4_50", 3)
    both = scale_from(drawn.markers(drawn.draw(one, drawn.corners(700, 600, 151, 70))), 30.0)
    assert len(both.markers) == 2 and both.scale.mm_per_px == pytest.approx(30 / 150.5, rel=1e-3)
    with pytest.raises(
        ScaleError, match=r"give one scale, within 1.5%; received 6.\d%.*number 5 at x 700.*number 3 at x 300"
    ):
        scale_from(drawn.markers(drawn.draw(one, drawn.corners(700, 600, 160, 70))), 30.0)


@needs_opencv
@pytest.mark.parametrize("turn_deg", [0, 45])  # sides shorten, or one diagonal does
def test_a_picture_from_the_side_is_refused(turn_deg):
    from benchmarks import marker as drawn

    wall = drawn.wall(900, 1000, 2)
    front = drawn.markers(drawn.draw(wall, drawn.corners(500, 450, 200, turn_deg, tilt_deg=3)))
    assert scale_from(front, 20.0).scale.mm_per_px == pytest.approx(0.1, rel=0.005)
    with pytest.raises(
        ScaleError, match=r"agree within 1.5%.*received \d\d?.\d%.*photograph the surface from the front"
    ):
        scale_from(drawn.markers(drawn.draw(wall, drawn.corners(500, 450, 200, turn_deg, tilt_deg=25))), 20.0)


@needs_opencv
def test_no_marker_too_small_and_too_faint_ones_are_refused():
    from benchmarks import marker as drawn

    wall = drawn.wall(900, 1000, 2)
    assert drawn.markers(wall) == []
    with pytest.raises(ScaleError, match=r"needs a marker.*at least 60 px.*received none.*--mm-per-px"):
        scale_from([], 20.0)
    with pytest.raises(ScaleError, match=r"at least 60 px a side; received ArUco 4x4_50 number 5 .* 4\d\.\d px"):
        scale_from(drawn.markers(drawn.draw(wall, drawn.corners(500, 450, 48), "ArUco 4x4_50")), 20.0)
    faint = drawn.draw(wall, drawn.corners(500, 450, 200)) // 10 + 100
    with pytest.raises(ScaleError, match=r"black on white with 30 grey levels.*received \d+ and \d+"):
        drawn.markers(faint)


def test_without_opencv_the_next_step_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    marker.opencv.cache_clear()
    with pytest.raises(ScaleError, match=r'pip install "\.\[marker\]"'):
        checked_side(20.0)


@pytest.mark.parametrize("side_mm", [0.0, -3.0, math.nan, math.inf])
def test_a_side_is_a_length(side_mm):
    with pytest.raises(ScaleError, match=f"positive and finite, in mm; received {side_mm}"):
        checked_side(side_mm)


def test_what_is_left_out_is_the_marker_and_a_quarter_of_a_side_around():
    square = Marker("AprilTag 36h11", 1, ((100.0, 100.0), (200.0, 100.0), (200.0, 200.0), (100.0, 200.0)))
    (area,) = scale_from([square], 10.0).left_out
    assert area.tolist() == [[75, 75], [225, 75], [225, 225], [75, 225]]
