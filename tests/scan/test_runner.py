"""The scan loop: the same scores for every tiling and number of jobs, and the same as the whole picture at once."""

import threading

import numpy as np
import pytest
import toy

from aoienet.scan.runner import Decision, Shrinker, Strip, log_odds, shrink_factor
from aoienet.scan.sources import Source
from aoienet.scan.tiles import Geometry


class Held(Source):
    """A picture in memory that checks how it is read: top to bottom, each row once."""

    def __init__(self, pixels):
        self.pixels, self.next = pixels, None
        self.height, self.width = pixels.shape[:2]
        self.channels, self.notes, self.white_level = (1 if pixels.ndim == 2 else 3), [], 255

    def read(self, y0, y1):
        assert self.next in (None, y0) and y1 > y0
        self.next = y1
        return self.pixels[y0:y1]


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (237, 341), dtype=np.uint8)


def strip(pixels, tile_hw=(10**6, 10**6), threads=1, geometry=toy.GEOMETRY, row0=0, run=None, seen=None):
    every = geometry.stride_px // toy.GEOMETRY.stride_px
    toy_run = toy.run if every == 1 else lambda image: toy.run(image)[::every, ::every]
    return Strip(
        Held(pixels), run or toy_run, geometry, toy.DECISION, row0, threads=threads, tile_hw=tile_hw, seen=seen
    )


def scan(pixels, *options, **more):
    """Scores of all blocks."""
    made = strip(pixels, *options, **more)
    made.score_to(made.grid.rows)
    return made.scores_HW


@pytest.mark.parametrize("tile_hw", [(1, 1), (32, 64), (48, 200), (100, 48), (64, 10**6), (10**6, 64)])
def test_scores_do_not_depend_on_tiles_or_threads(picture, tile_hw):
    whole = scan(picture)
    for threads in (1, 3):
        assert scan(picture, tile_hw, threads).tobytes() == whole.tobytes()


@pytest.mark.parametrize("tile_hw", [(32, 64), (10**6, 10**6)])
def test_a_strip_may_begin_and_pause_at_any_row(picture, tile_hw):
    whole = scan(picture)
    for row0 in range(len(whole)):
        made = strip(picture, tile_hw, row0=row0)
        made.score_to(min(row0 + 3, len(whole)))
        made.forget(row0 + 1)
        made.score_to(len(whole))
        assert made.first_row == row0 + 1 and made.scores_HW.tobytes() == whole[row0 + 1 :].tobytes()


def test_every_row_is_seen_once_and_in_order(picture):
    for row0, top in ((0, 0), (5, 64)):
        seen = []
        made = strip(picture, (48, 64), row0=row0, seen=lambda y, rows, seen=seen: seen.append((y, len(rows))))
        made.score_to(made.grid.rows)
        assert made.top_px == top and [y for y, _ in seen] == list(np.cumsum([top] + [n for _, n in seen[:-1]]))
        assert sum(n for _, n in seen) == len(picture) - top


def test_whole_picture_equals_the_model_on_the_mirrored_picture(picture):
    padded = np.pad(picture, [(0, 240 - 237), (0, 352 - 341)], mode="reflect")
    np.testing.assert_array_equal(scan(picture, (64, 96)), log_odds(toy.run(padded), 1, 2.0))


def test_a_halo_that_is_too_small_is_noticed_by_these_tests(picture):
    small = Geometry(32, 16, 0, 8)
    assert (scan(picture, (64, 64), geometry=small) != scan(picture)).any()


def test_tiles_of_a_network_with_a_coarser_level_give_the_scores_of_the_whole_picture(picture):
    """Each block feels the mean of the square of 64 px in which it begins: a level of stride 64."""

    def levels(pixels):
        out = toy.run(pixels)
        squares = np.pad(pixels.astype(np.int64), [(0, -side % 64) for side in pixels.shape])
        squares = squares.reshape(len(squares) // 64, 64, -1, 64).sum(axis=(1, 3))
        rows, cols = (np.arange(count) * 16 // 64 for count in out.shape[:2])
        out[..., 1] += squares[np.ix_(rows, cols)].astype(np.float32) / 4096
        return out

    aligned, loose = (Geometry(32, 16, 64, 8, align_px) for align_px in (64, 16))
    whole = scan(picture, geometry=aligned, run=levels)
    for tile in ((48, 64), (64, 200)):
        for row0 in (0, 5):
            made = strip(picture, tile, geometry=aligned, run=levels, row0=row0)
            made.score_to(made.grid.rows)
            np.testing.assert_array_equal(made.scores_HW, whole[row0:])
    assert (scan(picture, (48, 64), geometry=loose, run=levels) != whole).any()


@pytest.mark.parametrize("shape", [(32, 32), (33, 95), (63, 32), (37, 37, 3), (95, 64)])
def test_small_and_color_pictures_are_covered(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    for geometry in (toy.GEOMETRY, Geometry(32, 32, 32, 8)):
        results = [scan(pixels, tile, geometry=geometry) for tile in ((1, 1), (10**6, 10**6))]
        assert results[0].tobytes() == results[1].tobytes()


def test_wide_pictures_are_read_in_thin_bands(picture, monkeypatch):
    from aoienet.scan import runner

    whole = scan(picture)
    monkeypatch.setattr(runner, "BAND_BYTES", 80 * picture.shape[1])
    assert scan(picture).tobytes() == whole.tobytes()


def test_few_tiles_are_in_flight(picture):
    lock, now, most = threading.Lock(), [0], [0]

    def slow(pixels):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        out = toy.run(pixels)
        with lock:
            now[0] -= 1
        return out

    scan(picture, (32, 32), 2, run=slow)
    assert most[0] <= 2


def test_score_is_log_odds_over_all_other_classes_divided_by_temperature():
    logits = np.log(np.array([[[0.2, 0.5, 0.3]]]))
    assert log_odds(logits, 1, 1.0)[0, 0] == pytest.approx(0.0, abs=1e-6)
    assert log_odds(logits, 0, 0.5)[0, 0] == pytest.approx(np.log(0.25) / 0.5, rel=1e-6)
    assert log_odds(np.array([[[1000.0, -1000.0, 999.0]]]), 1, 1.0)[0, 0] == pytest.approx(-2000.3133, abs=1e-3)


def test_wrong_answers_of_a_model_are_refused(picture):
    for bad, rule in (
        (lambda p: np.zeros((1, 1, 2), np.float32), "every block"),
        (lambda p: np.full_like(toy.run(p), np.nan), "finite"),
    ):
        with pytest.raises(ValueError, match=rule):
            scan(picture, run=bad)
    with pytest.raises(ValueError, match="threads"):
        scan(picture, threads=0)
    with pytest.raises(ValueError, match="temperature"):
        Decision(1, 0.0, 0.0)


@pytest.mark.parametrize("shape", [(100, 60), (101, 67), (50, 99, 3)])
def test_shrinker_is_the_mean_of_each_square_whatever_the_bands(shape):
    pixels = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    results = []
    for step in (1, 7, 1000):
        f = shrink_factor(*shape[:2], max_px=25)
        shrinker, parts = Shrinker(f), []
        for y in range(0, shape[0], step):
            shrinker.add(pixels[y : y + step])
            parts += shrinker.take(ends=y + step >= shape[0])
        results.append(np.concatenate(parts))
    assert all(r.tobytes() == results[0].tobytes() for r in results) and max(results[0].shape[:2]) <= 25
    assert results[0][1, 2].tolist() == pytest.approx(pixels[f : 2 * f, 2 * f : 3 * f].mean(axis=(0, 1)), abs=0.5)
