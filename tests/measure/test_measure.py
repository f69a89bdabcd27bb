"""Cracks of known geometry: length, width, direction, outline; whole against cells; what cannot be told."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from aoienet.measure import (
    Settings,
    Window,
    cells,
    measure,
    measure_crack,
    measure_picture,
    measure_piece,
    merge,
    window_of,
)
from aoienet.measure.outline import area_of, polygons
from aoienet.measure.piece import _every_second
from aoienet.measure.width import Places
from tests.measure.drawn import cover, photograph, straight

SIZE = (260, 280)


def only(cracks):
    assert len(cracks) == 1, [c.box_px for c in cracks]
    return cracks[0]


@pytest.mark.parametrize("angle", [0, 10, 26.6, 45, 71, 90, 117, 160])
@pytest.mark.parametrize("width", [2.0, 3.5, 8.0, 17.0])
def test_a_straight_crack_has_its_length_width_and_direction(angle, width):
    covered = cover(SIZE, [straight(angle, 180, (139.3, 130.6))], [width])
    crack = only(measure_picture(covered >= 0.5, photograph(covered), settings=Settings(blur_px=0.8)))
    assert crack.length_px == pytest.approx(180 + width, rel=0.02)
    assert abs(crack.length_px - 180 - width) <= 3 * crack.length_u_px
    for name in ("max", "mean", "median", "p95"):
        measured = getattr(crack.widths, name)
        assert measured.value_px == pytest.approx(width, abs=0.35), name
        assert abs(measured.value_px - width) <= 3.5 * measured.u_px + 0.05, name
    assert not crack.widths.upper_bound
    turned = (crack.orientation_deg - angle + 90) % 180 - 90
    assert abs(turned) < 1 and 0 <= crack.orientation_deg < 180
    assert crack.branches == 1 and crack.area_px == int((covered >= 0.5).sum())


def test_a_mask_that_is_too_wide_or_too_narrow_hardly_moves_the_width():
    from scipy.ndimage import binary_dilation, binary_erosion

    covered = cover(SIZE, [straight(33, 180, (140, 130))], [8.0])
    image, mask = photograph(covered), covered >= 0.5
    for other in (binary_dilation(mask, iterations=2), binary_erosion(mask, iterations=2)):
        crack = only(measure_picture(other, image))
        assert crack.widths.mean.value_px == pytest.approx(8.0, abs=0.25)


def test_without_grey_values_the_width_is_that_of_the_mask_with_its_uncertainty():
    covered = cover(SIZE, [straight(33, 180, (140, 130))], [8.0])
    for image in (None, np.full(SIZE, 90, np.uint8)):  # no picture, and one that shows nothing
        crack = only(measure_picture(covered >= 0.5, image))
        assert crack.widths.mean.value_px == pytest.approx(8.0, abs=0.5)
        assert crack.widths.mean.u_px >= 0.9


@pytest.mark.parametrize(("width", "blur"), [(1.3, 0.5), (1.3, 1.2), (2.4, 0.9)])
def test_a_narrow_crack_of_unknown_blur_is_an_upper_bound_that_holds(width, blur):
    covered = cover(SIZE, [straight(52, 180, (140, 130))], [width])
    crack = only(measure_picture(covered >= 0.3, photograph(covered, blur)))
    assert crack.widths.upper_bound
    assert width - 0.1 <= crack.widths.mean.value_px <= width + 2.5


@pytest.mark.parametrize("seed", [1, 3, 4])
def test_noise_and_a_large_blur_do_not_make_a_narrow_crack_a_measured_one(seed):
    covered = cover(SIZE, [straight(52, 180, (140, 130))], [1.25])
    image = photograph(covered, blur=1.35, noise=5, depth=60, seed=seed)
    crack = only(measure_picture(covered >= 0.3, image))
    assert crack.widths.upper_bound and crack.widths.median.value_px >= 1.25


def test_a_branch_is_counted_and_its_length_added():
    lines = [straight(0, 200, (140, 130)), np.array([(140, 130), (180, 60)])]
    covered = cover(SIZE, lines, [5.0, 4.0])
    crack = only(measure_picture(covered >= 0.5, photograph(covered)))
    assert crack.branches == 3
    assert crack.length_px == pytest.approx(200 + 5 + np.hypot(40, 70) + 2, rel=0.02)
    assert crack.widths.max.value_px < 6.0  # the junction is no wide place


def test_a_rough_border_makes_no_branches():
    from scipy.ndimage import gaussian_filter

    covered = cover(SIZE, [straight(20, 200, (140, 130))], [11.0])
    rough = gaussian_filter(np.random.default_rng(1).normal(size=SIZE), 1.5)
    mask = gaussian_filter(covered, 1.0) + 0.3 * rough / rough.std() * 0.5 > 0.5
    cracks = measure_picture(mask, photograph(covered))
    crack = max(cracks, key=lambda c: c.area_px)
    assert crack.branches == 1
    assert crack.length_px == pytest.approx(211, rel=0.03)


def test_a_closed_crack_has_one_branch_and_the_length_of_the_circle():
    turn = np.linspace(0, 2 * np.pi, 400)
    circle = np.stack([140 + 80 * np.cos(turn), 130 + 80 * np.sin(turn)], axis=1)
    covered = cover(SIZE, [circle], [5.0])
    crack = only(measure_picture(covered >= 0.5, photograph(covered)))
    assert crack.length_px == pytest.approx(2 * np.pi * 80, rel=0.01)
    assert crack.branches == 1 and crack.widths.mean.value_px == pytest.approx(5, abs=0.1)
    ((outer, hole),) = crack.polygons_px
    assert area_of(outer) + area_of(hole) == crack.area_px and area_of(hole) < -17_000


def test_a_small_gap_is_bridged_and_a_large_one_is_not():
    ends = [straight(0, 80, (80, 130)), straight(0, 80, (80 + 80 + 4 + 3, 130))]
    covered = cover(SIZE, ends, [4.0, 4.0])  # round ends: 3 px of background between them
    mask, image = covered >= 0.5, photograph(covered)
    crack = only(measure_picture(mask, image))
    assert crack.branches == 1 and len(crack.polygons_px) == 2
    assert crack.length_px == pytest.approx(80 + 80 + 7 + 4, rel=0.02)
    assert len(measure_picture(mask, image, settings=Settings(gap_px=0))) == 2
    assert len(measure_picture(mask, image, settings=Settings(gap_px=1.5))) == 2


def test_pixels_that_touch_at_a_corner_are_one_crack_and_two_polygons():
    mask = np.zeros((40, 40), bool)
    mask[5:15, 5:15] = mask[15:25, 15:25] = True
    crack = only(measure_picture(mask))
    (first,), (second,) = crack.polygons_px
    assert area_of(first) == area_of(second) == 100 and crack.area_px == 200
    assert (first[0] == first[-1]).all() and first.min() == 4.5 and second.max() == 24.5
    assert crack.box_px == (5, 5, 25, 25)


@pytest.mark.parametrize("seed", range(40))
def test_polygons_of_any_mask_are_valid_and_enclose_its_pixels(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(3, 20, 2)) < rng.uniform(0.2, 0.9)
    mask[0, 0] = True
    label, count = ndimage.label(mask)  # 4 neighbours: a side in common
    found = polygons(sides(mask))
    assert len(found) == count
    inside = np.zeros(mask.shape, int)
    for outer, *holes in found:
        for ring in (outer, *holes):
            corners = {(x, y) for x, y in ring.tolist()}
            assert len(corners) == len(ring) - 1 and (ring[0] == ring[-1]).all()  # does not meet itself
        drawn = filled(outer, mask.shape) - sum((filled(hole, mask.shape) for hole in holes), np.zeros(mask.shape, int))
        assert len(np.unique(label[drawn > 0])) == 1 and drawn.min() == 0  # holes lie in their own polygon
        inside += drawn
    np.testing.assert_array_equal(inside, mask)


def sides(mask: np.ndarray) -> np.ndarray:
    """Borders between pixels of the mask and others, as the outline wants them."""
    padded, found = np.pad(mask, 1), []
    for direction, (dx, dy, cx, cy) in enumerate([(0, -1, 0, 0), (1, 0, 1, 0), (0, 1, 1, 1), (-1, 0, 0, 1)]):
        other = padded[1 + dy : 1 + dy + mask.shape[0], 1 + dx : 1 + dx + mask.shape[1]]
        y, x = np.nonzero(mask & ~other)
        found.append(np.stack([x + cx, y + cy, np.full_like(x, direction)], axis=1))
    return np.concatenate(found)


def filled(ring: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """1 inside of a ring, by counting how often a row crosses it."""
    crossed = np.zeros((size[0], size[1] + 1), int)
    for (x, y0), (x1, y1) in pairwise((ring + 0.5).astype(int).tolist()):
        if x == x1:
            crossed[min(y0, y1) : max(y0, y1), x] += 1
    return np.cumsum(crossed, axis=1)[:, :-1] % 2


def scene(seed: int = 3):
    rng = np.random.default_rng(seed)
    lines = [
        straight(float(rng.uniform(0, 180)), float(rng.uniform(60, 300)), tuple(rng.uniform(60, 460, 2)))
        for _ in range(7)
    ]
    covered = cover((520, 540), lines, list(rng.uniform(2.5, 14, 7)))
    return covered >= 0.5, photograph(covered, noise=5, seed=seed)


def test_cells_give_the_cracks_of_the_whole_picture():
    mask, image = scene()
    whole = measure_picture(mask, image, settings=Settings(cell_px=4096))
    assert len(whole) >= 3
    for cell_px in (64, 97, 256):
        parts = measure_picture(mask, image, settings=Settings(cell_px=cell_px))
        assert len(parts) == len(whole)
        for a, b in zip(parts, whole, strict=True):
            assert (a.id, a.box_px, a.area_px, a.branches) == (b.id, b.box_px, b.area_px, b.branches)
            assert a.length_px == pytest.approx(b.length_px, abs=0.02)
            assert a.orientation_deg == pytest.approx(b.orientation_deg, abs=0.02)
            assert len(a.polygons_px) == len(b.polygons_px) > 0
            assert [list(map(len, rings)) for rings in a.polygons_px] == [
                list(map(len, rings)) for rings in b.polygons_px
            ]
            for name in ("max", "mean", "median", "p95"):
                one, other = getattr(a.widths, name), getattr(b.widths, name)
                assert one.value_px == pytest.approx(other.value_px, abs=0.01), name
                assert one.u_px == pytest.approx(other.u_px, abs=0.01), name


def test_the_order_of_the_pieces_does_not_matter():
    mask, image = scene()
    settings = Settings(cell_px=128)
    size = mask.shape

    def piece(cell):
        x0, y0, x1, y1 = box = window_of(cell, size, settings.halo_px)
        return measure_piece(Window(mask[y0:y1, x0:x1], image[y0:y1, x0:x1]), box, cell, settings)

    pieces = [piece(cell) for cell in cells(size, settings.cell_px)]
    for a, b in zip(merge(pieces, size, settings), merge(pieces[::-1], size, settings), strict=True):
        assert dataclasses.replace(a, paths_px=(), polygons_px=(), score=0, probability=0) == dataclasses.replace(
            b, paths_px=(), polygons_px=(), score=0, probability=0
        )
        assert all((p == q).all() for p, q in zip(a.paths_px, b.paths_px, strict=True))


def test_a_window_is_never_larger_than_a_cell_and_its_halo():
    settings, asked = Settings(cell_px=64, halo_px=32), []

    def read(x0, y0, x1, y1):
        asked.append((x1 - x0, y1 - y0))
        mask = np.zeros((y1 - y0, x1 - x0), bool)
        if y0 <= 500 < y1:
            mask[500 - y0] = True  # one crack across the whole picture
        return Window(mask)

    crack = only(measure(read, (1000, 3000), settings))
    assert max(w for w, _ in asked) <= 128 and max(h for _, h in asked) <= 128
    assert crack.box_px == (0, 500, 3000, 501) and crack.length_px == pytest.approx(3000, rel=0.001)


def test_score_is_the_largest_and_probability_the_mean():
    covered = cover(SIZE, [straight(0, 180, (140, 130))], [6.0])
    mask = covered >= 0.5
    probability = np.where(np.arange(SIZE[1]) < 140, 0.6, 0.8) * np.ones(SIZE)
    crack = only(measure_picture(mask, None, probability, scores=lambda xy: xy[:, 0] / 10))
    assert crack.probability == pytest.approx(probability[mask].mean())
    assert crack.score == pytest.approx((mask.any(axis=0).nonzero()[0].max() + 0.5) / 10, abs=0.06)
    assert np.isnan(only(measure_picture(mask)).score) and np.isnan(only(measure_picture(mask)).probability)


def test_every_second_place_of_a_line_is_measured_and_those_between_are_their_mean():
    flat = np.stack([np.arange(10, 30), np.full(20, 5)], axis=1)
    steep = np.stack([40 + np.arange(20) // 3, np.arange(20)], axis=1)
    alone = np.array([[60, 7], [60, 9]])
    points = np.concatenate([flat, steep, alone])
    normal = np.array([[0.0, 1.0]] * 20 + [[1.0, 0.3]] * 22)
    asked = []

    def measure(some):
        asked.append(some)
        n = int(some.sum())
        width = points[some].sum(axis=1).astype(float)
        grey = ~(points[some] == [14, 5]).all(axis=1)
        bound = np.where(points[some, 0] == 16, np.nan, width)
        return Places(grey, width, *(np.zeros(n) for _ in range(5)), bound)

    found = _every_second(points, points, normal, measure)
    (some,) = asked
    assert some[:20].tolist() == [True, False] * 10 and some[20:40].tolist() == [True, False] * 10 and some[40:].all()
    assert found.width[:20].tolist() == [*range(15, 34), 33]  # the last has one beside it
    assert not found.grey[3:6].any() and found.grey[[2, 6]].all()  # what is told by half is not told
    assert np.isnan(found.bound[6]) and found.bound[[5, 7]].tolist() == [19, 23]
    assert np.abs(found.width[20:39] - points[20:39].sum(axis=1)).max() <= 0.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 3), (2, 200), (64, 64)])
def test_full_and_tiny_masks_are_measured(shape):
    cracks = measure_picture(np.ones(shape, bool), np.zeros(shape, np.uint8), settings=Settings(least_area_px=1))
    crack = only(cracks)
    assert crack.area_px == shape[0] * shape[1]
    assert np.isfinite([crack.length_px, crack.length_u_px, crack.orientation_deg]).all()
    for measured in (crack.widths.max, crack.widths.mean, crack.widths.median, crack.widths.p95):
        assert np.isfinite([measured.value_px, measured.u_px]).all() and measured.value_px > 0


def test_noise_without_structure_does_not_stop_the_measuring():
    rng = np.random.default_rng(5)
    mask = rng.random((200, 200)) < 0.3
    for image in (rng.integers(0, 256, (200, 200, 3), np.uint8), None):
        for crack in measure_picture(mask, image, settings=Settings(least_area_px=1, cell_px=64)):
            assert np.isfinite([crack.length_px, crack.widths.max.value_px, crack.widths.max.u_px]).all()


def test_a_stair_of_pixels_whose_centre_line_leaves_the_mask_has_a_width():
    rows = ["......##..##", "......##..##", "....####....", "....####....", "####........", "####........"]
    mask = np.pad(np.array([[c == "#" for c in row] for row in rows]), 4)
    crack = only(measure_picture(mask, settings=Settings(least_area_px=1)))
    assert 1 <= crack.widths.median.value_px < 4 and np.isfinite(crack.widths.max.u_px)


def test_a_part_without_centre_line_is_not_lost():
    mask = np.zeros((60, 80), bool)
    mask[20:40, 10:70] = True
    cell, settings = (0, 0, 80, 60), Settings()
    piece = measure_piece(Window(mask), cell, cell, settings)
    none = np.zeros(len(piece.points), bool)
    names = ("points", "part", "centre", "normal", "radius", "reach", "steady")
    bare = dataclasses.replace(
        piece,
        places=dataclasses.replace(piece.places, **{k: v[none] for k, v in vars(piece.places).items()}),
        **{name: getattr(piece, name)[none] for name in names},
    )
    crack = only(merge([bare], mask.shape, settings))
    assert (crack.area_px, crack.length_px, crack.orientation_deg) == (1200, 60, 0)
    assert crack.widths.mean.value_px == 20 and crack.widths.mean.u_px == 10


def test_one_cropped_crack_lies_where_it_was_cut():
    lines = [straight(20, 80, (90, 60)), straight(20, 80, (190, 20))]
    covered = cover((130, 280), lines, [4.0, 6.0])
    mask, image = covered >= 0.5, photograph(covered)
    assert len(measure_picture(mask, image)) == 2
    crack = measure_crack(mask, image, (1000, 2000), score=3.5)
    parts = measure_picture(mask, image)
    assert crack.score == 3.5 and crack.area_px == sum(c.area_px for c in parts)
    assert crack.length_px == pytest.approx(sum(c.length_px for c in parts))
    x0, y0 = np.min([c.box_px[:2] for c in parts], axis=0)
    assert crack.box_px[:2] == (1000 + x0, 2000 + y0)
    assert crack.polygons_px[0][0].min(axis=0).tolist() >= [1000, 2000]
    with pytest.raises(ValueError, match="received none"):
        measure_crack(np.zeros((5, 5), bool))


def test_nothing_gives_nothing():
    assert measure_picture(np.zeros((50, 60), bool), np.zeros((50, 60), np.uint8)) == []


def test_bad_input_says_the_rule():
    with pytest.raises(ValueError, match=r"mask's size \(5, 6\); received \(5, 7\)"):
        measure_picture(np.ones((5, 6), bool), np.zeros((5, 7), np.uint8))
    with pytest.raises(ValueError, match="received -1"):
        Settings(blur_px=-1)
    with pytest.raises(ValueError, match="cell_px=4"):
        Settings(cell_px=4)
    with pytest.raises(ValueError, match="gap_px"):
        Settings(gap_px=-0.1)
