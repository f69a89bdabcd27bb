"""A mask as tiles: what was put comes back, in memory and from the spool."""

import io

import numpy as np

from aoienet.scan.mask import TILE_PX, SpooledMask, TileMask


def test_rectangles_come_back_and_empty_tiles_take_nothing():
    rng = np.random.default_rng(0)
    height, width = 1100, 1700
    truth = np.zeros((height, width), bool)
    mask = TileMask()
    for _ in range(20):
        x, y = int(rng.integers(0, width - 90)), int(rng.integers(0, 700))
        crack = rng.random((60, 90)) < 0.3
        mask.put((x, y, x + 90, y + 60), crack, np.full(crack.shape, 0.8))
        truth[y : y + 60, x : x + 90] = crack
    for box in ((0, 0, width, height), (500, 500, 530, 1030), (511, 0, 513, 9)):
        got = mask.window(box)
        np.testing.assert_array_equal(got > 0, truth[box[1] : box[3], box[0] : box[2]])
        assert set(np.unique(got)) <= {0, 204}
    assert (2, 0) not in mask.tiles and len(mask.tiles) <= 8


def test_a_crack_of_no_probability_is_still_a_crack():
    mask = TileMask()
    mask.put((0, 0, 2, 1), np.array([[True, False]]), np.array([[0.0, 1.0]]))
    assert mask.window((0, 0, 2, 1)).tolist() == [[1, 0]]


def test_the_spool_gives_any_rows_as_often_as_wanted():
    rng = np.random.default_rng(1)
    truth = rng.random((2 * TILE_PX, 700)) < 0.1
    truth[:TILE_PX, TILE_PX:] = False
    mask = TileMask()
    mask.put((0, 0, 700, 2 * TILE_PX), truth, np.ones(truth.shape))
    spooled = SpooledMask(io.BytesIO(), 700)
    for y in (0, TILE_PX):
        spooled.add(*mask.packed(y, y + TILE_PX))
    for y0, y1 in ((0, 1024), (500, 530), (0, 1), (1000, 1024), (0, 1024)):
        np.testing.assert_array_equal(spooled.rows(y0, y1), truth[y0:y1])
    places, bits = mask.packed(0, TILE_PX)
    assert places.tolist() == [[0, 0]] and bits.shape == (1, TILE_PX, TILE_PX // 8)
