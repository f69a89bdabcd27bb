"""Joints told from cracks: straight over a long way; a crack that meets one keeps its own length; real cracks are none."""

import dataclasses

import numpy as np
import pytest

from aoienet.measure import Settings, measure_crack, measure_picture
from aoienet.measure.joint import LEAST_PX
from aoienet.measure.outline import area_of
from aoienet.measure.skeleton import fill_small_holes
from tests.measure.drawn import cover, photograph, straight

SIZE = (420, 460)


def measured(lines, widths, size=SIZE, **settings):
    covered = cover(size, lines, widths)
    return measure_picture(covered >= 0.5, photograph(covered), settings=Settings(**settings))


def of(found, kind):
    return [one for one in found if one.kind == kind]


def wavy(x0, x1, y, swing=14.0, period=90.0):
    x = np.arange(x0, x1, 1.0)
    return np.stack([x, y + swing * np.sin(2 * np.pi * (x - x0) / period) + 4 * np.sin(x / 9)], axis=1)


def rough(angle, length, middle, seed):
    """A straight line on the whole that kinks by about a pixel and a half: what a straight crack looks like."""
    (x0, y0), (x1, y1) = straight(angle, length, middle)
    t = np.linspace(0, 1, int(length / 12) + 1)
    off = np.random.default_rng(seed).normal(0, 1.6, len(t))
    a = np.deg2rad(angle)
    return np.stack([x0 + t * (x1 - x0) + off * np.sin(a), y0 + t * (y1 - y0) + off * np.cos(a)], axis=1)


def length_of(line):
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


@pytest.mark.parametrize("angle", [0, 3, 33, 45, 90, 118])
@pytest.mark.parametrize("width", [2.5, 6.0, 12.0])
def test_a_long_straight_line_is_a_joint(angle, width):
    (one,) = measured([straight(angle, 340, (230, 210))], [width])
    assert one.kind == "joint" and one.branches == 1
    assert one.length_px == pytest.approx(340 + width, rel=0.02)
    assert one.widths.median.value_px == pytest.approx(width, abs=0.35) or one.widths.upper_bound


@pytest.mark.parametrize("angle", [0, 33, 90])
def test_nothing_below_the_least_length_is_a_joint(angle):
    short, long = (measured([straight(angle, LEAST_PX + more, (230, 210))], [4.0]) for more in (-12, 12))
    assert [one.kind for one in short] == ["crack"] and [one.kind for one in long] == ["joint"]


@pytest.mark.parametrize("seed", range(4))
def test_a_line_that_wanders_or_kinks_or_changes_its_width_is_a_crack(seed):
    assert of(measured([wavy(30, 430, 200)], [4.0]), "joint") == []
    assert of(measured([rough(20 * seed, 380, (230, 210), seed)], [4.0]), "joint") == []
    parts = [straight(12, 45, (70 + 45 * k, 260 - 9.6 * k)) for k in range(8)]
    assert of(measured(parts, [3.0, 9.0] * 4), "joint") == []


def test_a_gentle_curve_as_of_a_lens_is_a_joint_and_an_arc_is_none():
    x = np.arange(20, 1380, 1.0)
    for radius, kind in ((60_000, "joint"), (1500, "crack")):
        bow = np.stack([x, 60 + (x - 700) ** 2 / (2 * radius)], axis=1)
        found = measured([bow], [4.0], (260, 1400))
        assert {one.kind for one in found} == {kind}
        assert sum(one.length_px for one in found) == pytest.approx(length_of(bow) + 4, rel=0.02)


@pytest.mark.parametrize("tilt", [90, 60, 38])
def test_a_crack_that_crosses_a_joint_is_one_crack_of_its_own_length(tilt):
    a = np.deg2rad(tilt)
    s = np.arange(-150, 150, 1.0)
    off = 5 * np.sin(s / 13)
    crack = np.stack([230 + s * np.cos(a) + off * np.sin(a), 210 - s * np.sin(a) + off * np.cos(a)], axis=1)
    found = measured([straight(0, 420, (230, 210)), crack], [5.0, 4.0])
    (joint,), (one,) = of(found, "joint"), of(found, "crack")
    assert one.length_px == pytest.approx(length_of(crack) + 4, rel=0.03)
    assert joint.length_px == pytest.approx(425, rel=0.01)
    assert one.branches == 1 and sum(area_of(ring) > 60 for (ring,) in one.polygons_px) == 2
    assert abs(joint.orientation_deg - 90) > 89 and joint.widths.median.value_px == pytest.approx(5, abs=0.4)
    if tilt == 90:
        assert abs(one.orientation_deg - 90) < 10 and one.box_px[2] - one.box_px[0] < 25


def test_a_crack_that_ends_at_a_joint_keeps_its_length_and_two_of_them_are_two():
    crack = np.stack([140 + 6 * np.sin(np.arange(0, 150) / 12), np.arange(210, 60, -1.0)], axis=1)
    found = measured([straight(0, 420, (230, 210)), crack, crack + [180, 0]], [5.0, 4.0, 4.0])
    assert len(of(found, "joint")) == 1 and len(of(found, "crack")) == 2
    for one in of(found, "crack"):
        assert one.length_px == pytest.approx(length_of(crack) + 2, rel=0.03)


def test_a_crack_along_inside_of_a_joint_ends_where_it_enters_and_begins_where_it_leaves():
    x = np.arange(40, 420, 1.0)
    y = 210 + np.where(x < 160, (160 - x) * 0.8, 0) - np.where(x > 300, (x - 300) * 0.8, 0) + 4 * np.sin(x / 11)
    y = np.where((x >= 160) & (x <= 300), 210, y)
    found = measured([straight(0, 440, (230, 210)), np.stack([x, y], axis=1)], [5.0, 4.0])
    (joint,), cracks = of(found, "joint"), of(found, "crack")
    assert len(cracks) == 2 and joint.length_px == pytest.approx(445, rel=0.02)
    assert cracks[0].box_px[0] >= 290 and cracks[1].box_px[2] <= 175


def test_joints_that_cross_are_two_rows_and_dashes_on_one_line_are_one():
    found = measured([straight(0, 400, (230, 210)), straight(90, 380, (230, 210))], [4.0, 4.0])
    assert [one.kind for one in found] == ["joint", "joint"]
    assert sorted(round(one.orientation_deg) % 180 for one in found) == [0, 90]
    dashes = [straight(0, 70, (40 + 95 * k, 210)) for k in range(5)]
    (one,) = measured(dashes, [4.0] * 5)
    assert one.kind == "joint" and len(one.polygons_px) == 5 and one.length_px == pytest.approx(5 * 74, rel=0.02)
    assert {c.kind for c in measured(dashes[:3], [4.0] * 3)} == {"crack"}


def test_a_joint_may_be_interrupted_for_as_long_as_it_was_seen_up_to_there():
    def kinds(gap, lengths=(150, 150)):
        starts = np.cumsum([60, *(length + gap for length in lengths[:-1])])
        pieces = [np.array([[x, 60], [x + length, 60]]) for x, length in zip(starts, lengths, strict=True)]
        return sorted(one.kind for one in measured(pieces, [4.0] * len(pieces), (120, 3200)))

    assert kinds(140) == ["joint"] and kinds(170) == ["crack", "crack"]
    assert kinds(400, (420, 20, 20)) == [
        "joint"
    ]  # the second gap is longer than the piece before it, not than all of them
    # Seen on less than COVERED of its length: what is one without the specks stays one.
    assert kinds(400, (420, *[12] * 6)) == [*["crack"] * 6, "joint"]


def test_a_piece_far_away_of_another_width_costs_no_joint():
    pieces = [np.array([[40, 60], [340, 60]]), np.array([[590, 60], [710, 60]])]
    assert sorted(one.kind for one in measured(pieces, [3.0, 6.0], (120, 800))) == ["crack", "joint"]


def scene():
    lines = [straight(0, 900, (450, 300)), straight(90, 560, (610, 290)), straight(30, 500, (300, 330))]
    lines += [wavy(60, 800, 250), wavy(100, 420, 520, 20), rough(70, 300, (500, 380), 3)]
    widths = [5.0, 3.5, 6.0, 4.0, 3.0, 5.0]
    covered = cover((600, 900), lines, widths)
    return covered >= 0.5, photograph(covered)


def test_every_pixel_of_the_mask_belongs_to_one_row_and_outlines_enclose_their_area():
    mask, image = scene()
    found = measure_picture(mask, image, settings=Settings(least_area_px=1))
    assert len(of(found, "joint")) == 3 and len(of(found, "crack")) >= 3
    assert sum(one.area_px for one in found) == fill_small_holes(mask).sum()
    assert [one.id for one in found] == list(range(1, len(found) + 1))
    for one in found:
        rings = [ring for polygon in one.polygons_px for ring in polygon]
        corners = np.concatenate(rings)
        assert [*(corners.min(axis=0) + 0.5), *(corners.max(axis=0) + 0.5)] == list(one.box_px)
        assert sum(area_of(ring) for ring in rings) == one.area_px


def test_strips_of_the_mask_give_the_same_parts(monkeypatch):
    from aoienet.measure import split

    mask, image = scene()
    whole = measure_picture(mask, image)
    monkeypatch.setattr(split, "PIXELS", 700)
    for a, b in zip(measure_picture(mask, image), whole, strict=True):
        assert (a.kind, a.box_px, a.area_px) == (b.kind, b.box_px, b.area_px)
        for p, q in zip(a.polygons_px, b.polygons_px, strict=True):
            assert all((r == s).all() for r, s in zip(p, q, strict=True))


@pytest.mark.parametrize("cell_px", [64, 97, 256])
def test_cells_give_the_joints_and_cracks_of_the_whole_picture(cell_px):
    mask, image = scene()
    whole = measure_picture(mask, image, settings=Settings(cell_px=4096))
    parts = measure_picture(mask, image, settings=Settings(cell_px=cell_px))
    assert [(c.kind, c.box_px, c.area_px, c.branches) for c in parts] == [
        (c.kind, c.box_px, c.area_px, c.branches) for c in whole
    ]
    for a, b in zip(parts, whole, strict=True):
        assert a.length_px == pytest.approx(b.length_px, abs=0.05)
        assert a.widths.median.value_px == pytest.approx(b.widths.median.value_px, abs=0.02)


@pytest.mark.parametrize("source", ["deepcrack256", "crack500_256"])
def test_real_cracks_are_no_joints(data_dir, source):
    """Masks of every second picture of the test part, twice as large so that 256 px are half of a side: at most 0.5 % of the
    length may be called joint. And all of them in one picture, where cracks of several could lie on one line."""
    from PIL import Image

    if not (data_dir / source / "test_lab").is_dir():
        pytest.skip(f"{data_dir / source} with test_lab is absent; it holds the masks of real cracks")
    masks = []
    for path in sorted((data_dir / source / "test_lab").iterdir())[::2]:
        with Image.open(path) as file:
            masks.append(np.asarray(file.convert("L").resize((512, 512), Image.Resampling.BICUBIC)) > 127)
    side = int(np.ceil(np.sqrt(len(masks))))
    masks += [np.zeros_like(masks[0])] * (side * side - len(masks))
    together = np.concatenate([np.concatenate(masks[k * side : (k + 1) * side], axis=1) for k in range(side)])
    found = measure_picture(together)
    length = sum(one.length_px for one in found)
    assert length > 10_000 and sum(one.length_px for one in of(found, "joint")) <= 0.005 * length


def test_one_cropped_crack_is_a_crack_whatever_it_looks_like():
    covered = cover(SIZE, [straight(0, 380, (230, 210)), wavy(60, 400, 200)], [5.0, 4.0])
    one = measure_crack(covered >= 0.5, photograph(covered))
    assert one.kind == "crack" and one.area_px == (covered >= 0.5).sum()


def test_the_mean_probability_is_that_of_all_that_was_connected():
    covered = cover(SIZE, [straight(0, 420, (230, 210)), wavy(60, 400, 205)], [5.0, 4.0])
    mask = covered >= 0.5
    probability = np.where(np.arange(SIZE[1]) < 200, 0.6, 0.9) * np.ones(SIZE)
    found = measure_picture(mask, None, probability)
    assert len(found) > 1
    for one in found:
        assert one.probability == pytest.approx(probability[mask].mean())
    assert len({dataclasses.replace(one, paths_px=(), polygons_px=()).id for one in found}) == len(found)
