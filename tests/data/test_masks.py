"""Measures of masks against counts done by hand, and against what their definitions say."""

from __future__ import annotations

import numpy as np
import pytest

from aoienet.data import masks


def line(width: int = 3, y: int = 20, length: int = 60) -> np.ndarray:
    mask = np.zeros((64, 96), bool)
    mask[y : y + width, 10 : 10 + length] = True
    return mask


def of(truth: np.ndarray, said: np.ndarray) -> dict[str, float]:
    return masks.measures(masks.counts(truth, said))


def test_the_same_mask_is_perfect():
    assert set(of(line(), line()).values()) == {1.0}


def test_nothing_and_everything_missed():
    nothing = np.zeros_like(line())
    assert set(of(line(), nothing).values()) == {0.0}
    assert set(of(nothing, line()).values()) == {0.0}
    assert set(of(nothing, nothing).values()) == {0.0}


def test_a_shift_of_one_pixel():
    found = of(line(), line(y=21))
    assert found["f1"] == found["precision"] == found["recall"] == pytest.approx(2 / 3)
    assert found["iou"] == pytest.approx(0.5)
    assert found["f1_2px"] == found["crack_recall"] == 1.0
    assert found["cldice"] > 0.95  # but for the ends of the middle lines


def test_beyond_the_tolerance():
    far = of(line(width=1), line(width=1, y=23))
    assert far["f1"] == far["f1_2px"] == far["cldice"] == far["crack_recall"] == 0.0
    assert of(line(width=1), line(width=1, y=22))["f1_2px"] == 1.0


def test_a_crack_is_found_by_half_of_its_middle_line():
    truth = line() | line(y=40)  # two cracks
    third = truth & (np.arange(96) < 30)
    both = third | line(y=40)
    assert masks.counts(truth, third)["cracks"] == 2
    assert of(truth, third)["crack_recall"] == 0.0
    assert of(truth, both)["crack_recall"] == 0.5
    speck = line()
    speck[60, 60:64] = True  # too small to be a crack
    assert masks.counts(speck, speck)["cracks"] == 1


def test_cldice_punishes_a_gap_less_than_a_missed_half():
    truth, gap, half = line(), line(), line()
    gap[:, 40:42] = False
    half[:, 40:] = False
    assert of(truth, half)["cldice"] < of(truth, gap)["cldice"] < 1.0


def test_grown_is_a_disc():
    point = np.zeros((9, 9), bool)
    point[4, 4] = True
    assert masks.grown(point, 2).sum() == 13
    assert not masks.grown(np.zeros((5, 5), bool), 2).any()


def test_best_threshold_is_the_best_of_all():
    rng = np.random.default_rng(0)
    truth = rng.random((40, 40)) < 0.2
    probability = np.clip(0.3 * truth + 0.5 * rng.random(truth.shape), 0, 1).astype(np.float32)
    best = masks.best_threshold([truth], [probability])
    f1 = {k / 200: of(truth, probability >= k / 200)["f1"] for k in range(201)}
    assert f1[best] == max(f1.values())
    least = masks.best_threshold([truth], [probability], 0.02)
    assert least == min(k for k, value in f1.items() if value >= f1[best] - 0.02) < best


def test_bootstrap_draws_whole_photographs():
    good, bad = masks.counts(line(), line()), masks.counts(line(), np.zeros_like(line()))
    many = masks.bootstrap([good, bad] * 20, list(range(40)))["recall"]
    few = masks.bootstrap([good, bad] * 20, [k // 20 for k in range(40)])["recall"]
    assert few[0] == few[1] == pytest.approx(0.5)  # two photographs with the same mixture
    assert 0.3 < many[0] < 0.5 < many[1] < 0.7
    halves = masks.bootstrap([good, bad] * 20, [k % 2 for k in range(40)])["recall"]
    assert halves == (0.0, 1.0)
