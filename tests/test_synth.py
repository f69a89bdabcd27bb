"""Generated surfaces: the same pixels whatever the bands, cracks where the truth says, memory bounded by a band."""

import numpy as np
import pytest
import tifffile

from aoienet import synth


@pytest.fixture(scope="module")
def made():
    return synth.surface(600, 700, seed=3, cracks=3)


def test_pixels_do_not_depend_on_the_bands_asked_for(made):
    whole = made.band(0, 600)
    fresh = synth.surface(600, 700, seed=3, cracks=3)
    parts = np.concatenate([fresh.band(y, min(y + 77, 600)) for y in range(0, 600, 77)])
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(synth.surface(600, 700, seed=3, cracks=3).band(300, 310), whole[300:310])


def test_truth_does_not_depend_on_the_bands_and_names_every_crack(made):
    whole = made.truth_band(0, 600)
    parts = np.concatenate([made.truth_band(y, min(y + 41, 600)) for y in range(0, 600, 41)])
    np.testing.assert_array_equal(parts, whole)
    assert set(np.unique(whole)) == {0, 1, 2, 3}


def test_another_seed_is_another_surface(made):
    assert (synth.surface(600, 700, seed=4, cracks=3).band(0, 50) != made.band(0, 50)).mean() > 0.5


def test_cracks_are_darker_than_what_is_beside_them():
    with_cracks, without = (synth.surface(600, 700, seed=5, cracks=n).band(0, 600).astype(int) for n in (4, 0))
    truth = synth.surface(600, 700, seed=5, cracks=4).truth_band(0, 600) > 0
    assert (without - with_cracks)[truth].mean() > 20
    far = np.ones_like(truth)
    ys, xs = np.nonzero(truth)
    for dy in range(-8, 9):
        for dx in range(-8, 9):
            far[np.clip(ys + dy, 0, 599), np.clip(xs + dx, 0, 699)] = False
    np.testing.assert_array_equal(with_cracks[far], without[far])


def test_crack_widths_are_two_to_seven_pixels_at_their_widest_and_points_are_dense(made):
    for crack in made.cracks:
        half = crack.points_N4[:, 2]
        assert 0.7 <= half.min() and 1.0 <= half.max() <= 3.6
        steps = np.hypot(*np.diff(crack.points_N4[:, :2], axis=0).T)
        assert np.median(steps) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("kind", ["concrete", "steel"])
def test_surface_has_the_brightness_and_contrast_of_a_photograph(kind):
    band = synth.surface(512, 512, seed=1, kind=kind, cracks=0).band(0, 512)
    assert 80 < band.mean() < 190 and 4 < band.std() < 40


def test_tiff_holds_the_surface(made, tmp_path):
    synth.write_tiff(made, tmp_path / "a.tif", quality=97)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages.first.is_tiled and tiff.pages.first.shape == (600, 700)
        assert np.abs(tiff.asarray().astype(int) - made.band(0, 600)).mean() < 2


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [({"kind": "wood"}, "concrete or steel"), ({"cracks": -1}, "negative"), ({"height": 20}, "64 px")],
)
def test_wrong_arguments_name_the_rule(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        synth.surface(**{"height": 100, "width": 100, **arguments})


def test_cracks_are_drawn_in_a_ground_of_the_caller_s_own():
    cracks = list(synth.walked(300, 400, 3, 2))
    plain = synth.surface(300, 400, cracks=[], ground=lambda a, b: np.full((b - a, 400), 150, np.float32))
    marked = synth.surface(300, 400, cracks=cracks, ground=lambda a, b: np.full((b - a, 400), 150, np.float32))
    assert set(np.unique(plain.band(0, 300))) == {150}
    truth = marked.truth_band(0, 300) > 0
    assert truth.sum() > 100 and marked.band(0, 300)[truth].mean() < 135
    assert (marked.band(0, 300)[~truth] > 140).mean() > 0.9
    assert [c.length_px for c in synth.surface(300, 400, 3, cracks=2).cracks] == [c.length_px for c in cracks]


def test_the_joints_are_told_where_they_are_drawn():
    made = synth.surface(1600, 1500, seed=101, cracks=0)
    assert {joint.axis for joint in made.joints} == {0, 1}
    grey = made.band(0, 1600).astype(float)
    for joint in made.joints:
        profile, place = grey.mean(axis=1 - joint.axis), round(joint.place_px)
        assert profile[place] < profile[place - 12] - 10 and profile[place] < profile[place + 12] - 10
    assert synth.surface(1600, 1500, seed=101, ground=lambda y0, y1: np.zeros((y1 - y0, 1500), np.float32)).joints == ()
