"""What is passed on: fused scores, weak cells linked to sure ones, and blocks that cannot be judged."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from aoienet.cells import LINKS, WEAKER, fused, largest, linked
from aoienet.familiar import Familiar
from aoienet.scan.keep import Reason, reasons
from aoienet.scan.quality import Quality
from aoienet.scan.tiles import Geometry, block_grid
from aoienet.sums import FAR, of_picture

G = Geometry(64, 32, 64, 8)


EVEN = Familiar(
    64, (0.0,) * 5, tuple(tuple(row) for row in np.eye(5).tolist()), 3.0
)  # grain is familiar, edges are not


def quality_of(pixels, geometry=G, step=37, familiar=None):
    quality = Quality(block_grid(*pixels.shape[:2], geometry), geometry, 0, familiar)
    for y in range(0, len(pixels), step):
        quality.add(pixels[y : y + step])
    return quality


def grain(shape, seed=0):
    return np.random.default_rng(seed).integers(120, 140, shape, dtype=np.uint8)


def test_scores_of_a_cell_are_the_mean_of_the_blocks_over_it():
    assert fused(np.array([[0.0, 4.0]], np.float32), 64, 32).tolist() == [[0, 2, 4]] * 2
    assert largest(np.array([[0.0, 4.0]], np.float32), 64, 32).tolist() == [[0, 4, 4]] * 2
    assert fused(np.array([[1.0, 2.0]]), 32, 32).tolist() == [[1, 2]]
    thirds = fused(np.array([[0.0, 3.0]]), 48, 16)
    assert thirds.shape == (3, 4) and thirds[0].tolist() == [0, 1.5, 1.5, 3]


def test_linked_is_the_threshold_up_to_which_a_chain_of_weak_cells_leads_to_a_sure_one():
    values = np.random.default_rng(3).normal(scale=3.0, size=(12, 13))
    for threshold in (-1.0, 0.0, 1.5, 4.0):
        weak, passed = values >= threshold - WEAKER, values >= threshold
        for _ in range(LINKS):
            passed |= binary_dilation(passed, np.ones((3, 3))) & weak
        assert 0 < passed.sum() < passed.size
        np.testing.assert_array_equal(linked(values) >= threshold, passed)


def test_one_loud_block_is_outvoted_and_weak_cells_beside_a_sure_one_are_passed_on():
    scores = np.full((5, 5), -9.0, np.float32)
    scores[2, 2] = 5.0
    quality = quality_of(grain((192, 192)))
    assert not reasons(scores, 0.0, quality, 0, G).any()
    scores[1:3, 1:3] = 5.0  # beside the cell of four such blocks are those of two: -2, and of one: -5.5
    why = reasons(scores, 0.0, quality, 0, G)
    assert (why == Reason.SCORE).sum() == 1 and why[2, 2] == Reason.SCORE
    assert np.argwhere(why == Reason.LINKED).tolist() == [[1, 2], [2, 1], [2, 3], [3, 2]] and (why != 0).sum() == 5


@pytest.mark.parametrize(("level", "reason"), [(255, Reason.OVEREXPOSED), (0, Reason.UNDEREXPOSED)])
def test_clipped_blocks_are_passed_on_with_the_reason(level, reason):
    pixels = grain((320, 320))
    pixels[64:160, 64:160] = level
    scores = np.full((9, 9), -9.0, np.float32)
    why = reasons(scores, 0.0, quality_of(pixels), 0, G)
    assert (why[2:5, 2:5] == reason).all() and set(np.unique(why)) == {0, reason} and why[8, 8] == 0


@pytest.mark.parametrize(("sigma", "blurred"), [(0.7, False), (1.3, False), (3.0, True), (5.0, True)])
def test_an_edge_out_of_focus_is_told_from_a_sharp_one(sigma, blurred):
    from scipy import ndimage

    y, x = np.mgrid[:192, :192]
    edges = np.where((x // 24 + y // 24) % 2, 200.0, 60.0)
    pixels = np.rint(ndimage.gaussian_filter(edges, sigma)).astype(np.uint8)
    soft = quality_of(pixels).blocks(0, 5).blurred
    assert soft[1:4, 1:4].all() == blurred == soft[1:4, 1:4].any()


def test_grain_and_bare_surfaces_are_not_called_blurred():
    assert not quality_of(grain((192, 192))).blocks(0, 5).blurred.any()
    assert not quality_of(np.full((192, 192), 130, np.uint8)).blocks(0, 5).blurred.any()


def streaks(height, width):
    """Grain with a patch of broad streaks in the middle."""
    pixels = grain((height, width))
    y, x = height // 3 // 32 * 32, width // 3 // 32 * 32
    patch = pixels[y : y + 160, x : x + 160]
    patch[:] = 128 + 60 * np.sign(np.sin(np.arange(patch.shape[1]) / 5))
    return pixels


def test_what_is_unlike_the_training_pictures_is_passed_on_with_the_reason():
    pixels = streaks(512, 512)
    scores = np.full((15, 15), -9.0, np.float32)
    assert not reasons(scores, 0.0, quality_of(pixels), 0, G).any()
    why = reasons(scores, 0.0, quality_of(pixels, familiar=EVEN), 0, G)
    assert (why[5:10, 5:10] == Reason.UNFAMILIAR).all() and set(np.unique(why)) == {0, Reason.UNFAMILIAR}
    assert not why[0].any() and not why[:, 0].any() and not why[-1].any()


def test_unfamiliar_is_what_the_statistics_of_whole_pictures_say():
    pixels = streaks(320, 448)  # whole blocks, as of_picture takes them
    found = quality_of(pixels, familiar=EVEN).blocks(0, 9).unfamiliar
    want = EVEN.unlike(of_picture(pixels, 64, 32, 64))
    np.testing.assert_array_equal(found, want)
    assert 0 < want.mean() < 1


def results(quality, row0, row1):
    return [a.tobytes() for a in astuple(quality.blocks(row0, row1))]


@pytest.mark.parametrize("familiar", [None, EVEN])
def test_quality_does_not_depend_on_the_bands_and_sees_colour(familiar):
    pixels = streaks(525, 331)
    pixels[:70] = np.random.default_rng(1).integers(0, 256, (70, 331))
    grid = block_grid(525, 331, G)
    whole = results(quality_of(pixels, step=10**6, familiar=familiar), 0, grid.rows)
    for step in (1, 5, 64):
        assert results(quality_of(pixels, step=step, familiar=familiar), 0, grid.rows) == whole
    for row0, top in ((2, 0), (4, 40), (9, 200)):
        late = Quality(grid, G, top, familiar)
        for y in range(top, 525, 50):
            late.add(pixels[y : min(y + 50, 525)])
        late.forget(row0)
        assert results(late, row0, grid.rows) == results(quality_of(pixels, familiar=familiar), row0, grid.rows)
    colour = np.stack([pixels] * 3, axis=-1)
    assert results(quality_of(colour, familiar=familiar), 0, grid.rows) == whole


def test_rows_that_did_not_go_in_are_missed_and_not_guessed():
    late = Quality(block_grid(320, 320, G), G, 96, EVEN)
    late.add(grain((224, 320)))
    with pytest.raises(ValueError, match="from row 64 on; the first that went in is row 96"):
        late.blocks(4, 8)
    assert late.blocks(5, 8).unfamiliar.shape == (3, 9)


def test_cells_that_are_smaller_than_the_far_distance_work():
    geometry = Geometry(8, 4, 0, 4)
    pixels = np.full((40, 40), 255, np.uint8)
    assert FAR > 4 and quality_of(pixels, geometry).blocks(0, 9).overexposed.all()
