"""Following: cells in which a segmented crack goes on are looked at too, so many cells far, the same in any cut of the picture."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from tests.scan import toy_cascade as toy

from aoienet.scan import cascade
from aoienet.scan import follow as following
from aoienet.scan.follow import CELLS, REACH_PX, follow
from aoienet.scan.keep import OUTSIDE, Reason
from aoienet.scan.mask import TILE_PX, TileMask

CELL = 32


def masked(crack, cells):
    """The crack within the cells."""
    made = TileMask()
    for i, j in np.argwhere(cells):
        y, x = i * CELL, j * CELL
        part = crack[y : y + CELL, x : x + CELL]
        made.put((x, y, x + part.shape[1], y + part.shape[0]), part, np.full(part.shape, 0.9))
    return made


def followed(crack, passed, row0=0):
    why = passed.astype(np.uint8)
    mask = masked(crack, np.pad(passed, ((row0, 0), (0, 0))))
    follow(why, row0, CELL, mask, lambda new: masked(crack, np.pad(new, ((row0, 0), (0, 0)))))
    return why, mask


def test_a_crack_is_followed_cell_by_cell_until_it_ends_or_is_too_far():
    crack = np.zeros((640, 640), bool)
    crack[112, 40:280] = True  # ends in column 8
    crack[432, 40:] = True
    passed = np.zeros((20, 20), bool)
    passed[3, 1:5] = passed[13, 1:5] = True
    why, mask = followed(crack, passed)
    assert np.flatnonzero(why[3] == Reason.FOLLOWED).tolist() == [5, 6, 7, 8]
    assert np.flatnonzero(why[13] == Reason.FOLLOWED).tolist() == list(range(5, 5 + CELLS))
    assert (why != 0).sum() == 8 + 4 + CELLS
    seen = mask.window((0, 0, 640, 640)) > 0
    np.testing.assert_array_equal(seen[112], crack[112])
    assert (
        seen[432, : (5 + CELLS) * CELL].sum() == (5 + CELLS) * CELL - 40 and not seen[432, (5 + CELLS) * CELL :].any()
    )


def test_a_gap_up_to_the_reach_is_stepped_over_and_what_is_outside_never_entered():
    for away, found in ((REACH_PX, True), (REACH_PX + 1, False)):
        crack = np.zeros((128, 256), bool)
        crack[40, 20 : 64 - away + 1] = True
        crack[40, 70:90] = True
        passed = np.zeros((4, 8), bool)
        passed[1, :2] = True
        assert (followed(crack, passed)[0][1, 2] == Reason.FOLLOWED) == found
    why = passed.astype(np.uint8)
    why[1, 2] = OUTSIDE
    crack[40, 20:] = True
    mask = masked(crack, passed)
    follow(why, 0, CELL, mask, lambda new: pytest.fail("nothing is to be looked at"))
    assert why[1, 2] == OUTSIDE


def test_rows_of_a_part_of_a_picture_are_followed_as_in_the_whole():
    rng = np.random.default_rng(5)
    crack = np.zeros((40 * CELL, 24 * CELL), bool)
    for _ in range(12):
        y, x = rng.integers(0, 1100), rng.integers(0, 600)
        for k in range(rng.integers(100, 500)):
            crack[min(y + k, len(crack) - 1), min(x + k // 3, crack.shape[1] - 1)] = True
    passed = rng.random((40, 24)) < 0.03
    whole = followed(crack, passed)[0]
    assert (whole == Reason.FOLLOWED).sum() > 20
    part = followed(crack, passed[8:30], row0=8)[0]
    np.testing.assert_array_equal(part[CELLS:-CELLS], whole[8 + CELLS : 30 - CELLS])


SIZE = (1700, 400)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Lines whose dark middle the first stage sees, with ends that the second stage alone does; one over each border of units."""
    picture = toy.picture(*SIZE, seed=3, cracks=0)
    for x, y0, y1, dark0, dark1 in ((100, 380, 660, 380, 420), (250, 900, 1250, 1190, 1230), (330, 60, 200, 120, 160)):
        picture[y0:y1, x : x + 5] = 115
        picture[dark0:dark1, x : x + 5] = 40
    path = tmp_path_factory.mktemp("f") / "faint.tif"
    tifffile.imwrite(path, picture, tile=(256, 256), compression="zlib")
    return path


def looked(path):
    found = toy.looked(replace(toy.stages(), familiar=None), path, SIZE)
    return toy.whole(found, "reasons_HW"), toy.mask_of(found, SIZE)


def test_faint_ends_are_found_and_units_follow_as_the_whole_picture_does(path, monkeypatch):
    why, mask = looked(path)
    assert (why == Reason.FOLLOWED).any() and mask[70:190, 332].all()
    monkeypatch.setattr(cascade, "LEAST_ROWS", TILE_PX)
    monkeypatch.setattr(cascade, "UNIT_PX", 1)
    cut_why, cut_mask = looked(path)
    np.testing.assert_array_equal(cut_why, why)
    np.testing.assert_array_equal(cut_mask, mask)
    monkeypatch.setattr(following, "CELLS", 0)
    assert looked(path)[1].sum() < mask.sum()


def test_cells_around_a_unit_are_passed_on_as_in_the_whole_picture(tmp_path, monkeypatch):
    """What is found in them decides how far cracks of the unit are followed and how they are measured."""
    rng = np.random.default_rng(9)
    size = (1700, 3200)
    cells = rng.integers(0, 90, (size[0] // CELL, size[1] // CELL))
    cells[rng.random(cells.shape) > 0.3] = 0
    picture = np.full(size, 170, np.uint8)
    for (i, j), count in np.ndenumerate(cells):
        picture[i * CELL + np.arange(count) // 32, j * CELL + np.arange(count) % 32] = 40
    tifffile.imwrite(tmp_path / "spots.tif", picture)
    opened = replace(toy.stages(second=False), familiar=None)
    opened = replace(opened, decision=replace(opened.decision, threshold=12.0))
    seen = []
    monkeypatch.setattr(cascade, "follow", lambda why, row0, *_: seen.append((row0, why.copy())))
    toy.looked(opened, tmp_path / "spots.tif", size)
    ((_, whole),) = seen
    assert (whole == Reason.LINKED).sum() > 20 and (whole == Reason.SCORE).sum() > 20 and (whole == 0).sum() > 20
    seen.clear()
    monkeypatch.setattr(cascade, "LEAST_ROWS", TILE_PX)
    monkeypatch.setattr(cascade, "UNIT_PX", 1)
    toy.looked(opened, tmp_path / "spots.tif", size)
    assert len(seen) == 3
    for row0, why in seen:
        np.testing.assert_array_equal(why, whole[row0 : row0 + len(why)])
