"""Sums of cells: equal a slow reference, and a window's are those of its cells."""

import numpy as np
import pytest

from aoienet.sums import DISTANCES, EVERY, FAR, Sum, cell_sums, of_picture, over_windows


def slow(rows, cell):
    """The same sums, pair by pair."""
    height, width = rows.shape
    u = rows.astype(int)
    out = np.zeros((-(-width // cell), len(Sum)), int)
    for x in range(width):
        into = out[x // cell]
        for y in range(0, height, EVERY):
            into[Sum.PIXELS] += 1
            into[Sum.LIGHT] += u[y, x] >= 250
            into[Sum.DARK] += u[y, x] <= 5
            into[Sum.LEVEL] += u[y, x]
            into[Sum.SQUARE] += u[y, x] ** 2
            if x + FAR < width:
                into[Sum.PAIRS_X] += 1
                into[Sum.X1 : Sum.X8 + 1] += [(u[y, x] - u[y, x + k]) ** 2 for k in DISTANCES]
            if y + FAR < height:
                into[Sum.PAIRS_Y] += 1
                into[Sum.Y1 : Sum.Y8 + 1] += [(u[y, x] - u[y + k, x]) ** 2 for k in DISTANCES]
    return out


@pytest.mark.parametrize("shape", [(32, 96), (32, 75), (13, 40), (8, 33), (3, 9), (32, 8), (1, 3)])
def test_sums_of_a_row_of_cells_are_those_of_its_pairs(shape):
    rows = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(cell_sums(rows, 32), slow(rows, 32))


def test_sums_are_exact_at_the_largest_differences_and_in_large_cells():
    rows = np.zeros((2048, 64), np.uint8)
    rows[:, 1::2] = 255
    found = cell_sums(rows, 2048)[0]
    assert found[Sum.X1] == 512 * 56 * 255**2 and found[Sum.X4] == found[Sum.Y1] == 0
    assert found[Sum.SQUARE] == 512 * 32 * 255**2


@pytest.mark.parametrize(("block", "stride", "around"), [(64, 32, 32), (64, 32, 0), (48, 16, 16), (32, 32, 64)])
def test_blocks_of_a_picture_have_the_cells_in_and_around_them(block, stride, around):
    image = np.random.default_rng(1).integers(0, 256, (150, 215), dtype=np.uint8)
    cell = int(np.gcd(block, stride))
    cells = np.stack([cell_sums(image[y : y + cell], cell) for y in range(0, 150, cell)])
    found = of_picture(image, block, stride, around)
    assert found.shape == ((150 - block) // stride + 1, (215 - block) // stride + 1, len(Sum))
    for i, j in np.ndindex(found.shape[:2]):
        y0, x0 = (max(0, k * stride - around) // cell for k in (i, j))
        y1, x1 = ((k * stride + block + around) // cell for k in (i, j))
        np.testing.assert_array_equal(found[i, j], cells[y0:y1, x0:x1].sum(axis=(0, 1)))


def test_windows_of_one_cell_are_the_cells():
    cells = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(over_windows(cells, 1, 1), cells)
    assert over_windows(cells, 1, 2)[0, 0].tolist() == cells[:2, :2].sum(axis=(0, 1)).tolist()
