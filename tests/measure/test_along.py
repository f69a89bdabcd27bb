"""The width along a crack as a random process: the largest of noisy widths, and the reference of the banded algebra."""

import numpy as np
import pytest

from aoienet.measure import along, statistics
from aoienet.measure.width import Places


def samples(widths: np.ndarray, u: float, seed: int) -> statistics.Samples:
    """Places 1 px apart whose noise is shared over 5 px, as profiles that are averaged along the crack have it."""
    n = len(widths)
    rng = np.random.default_rng(seed)
    noise = np.convolve(rng.normal(size=n + 4), np.ones(5) / np.sqrt(5), mode="valid") * u
    same = {name: np.zeros(n) for name in ("shift", "slope")}
    places = Places(
        grey=np.ones(n, bool), width=widths + noise, u=np.full(n, u), blur=np.full(n, 0.9), told=np.full(n, 50.0),
        bound=np.full(n, np.nan), **same,
    )  # fmt: skip
    return statistics.Samples(places, np.ones(n, bool), np.ones(n), np.zeros(n, np.int64), 2)


@pytest.mark.parametrize("swing", [0.0, 2.0])
def test_the_largest_of_many_noisy_widths_is_not_too_large(swing):
    at = np.arange(1200)
    widths = 12 + swing * np.sin(at / 25)
    holds, errors = 0, []
    for seed in range(20):
        made = samples(widths, 0.5, seed)
        found = statistics.summary(made, 0.85).max
        errors.append(found.value_px - widths.max())
        holds += abs(errors[-1]) <= 1.96 * found.u_px
        assert made.places.width.max() - widths.max() > 0.7  # what the plain maximum would be wrong by
    assert abs(np.mean(errors)) < 0.25 and holds >= 17, (errors, holds)


def test_the_banded_evidence_is_that_of_the_full_covariance():
    rng = np.random.default_rng(1)
    gap = np.array([np.inf, 6.0, 5.5, 7.0, np.inf, 6.0, 6.5])
    variance = rng.uniform(0.1, 0.3, 7)
    variance[2] = np.inf
    value = np.where(np.isfinite(variance), 5 + rng.normal(size=7), 0)
    line = along.Blocks(value, variance, np.full(7, 6.0), gap)
    branch = np.cumsum(np.isinf(gap))
    at = np.cumsum(np.where(np.isinf(gap), 0, gap))
    a = np.sqrt(3) * np.abs(at[:, None] - at) / 50.0
    matern = np.where(branch[:, None] == branch, (1 + a) * np.exp(-a), 0)
    seen = np.isfinite(variance)
    got, wanted = [], []
    for g, member in enumerate(along._members(line, 50.0, 5.0)):
        swing, excess = along.SWINGS[g // len(along.EXCESSES)] * 5.0, along.EXCESSES[g % len(along.EXCESSES)]
        full = swing**2 * matern[np.ix_(seen, seen)] + np.diag(excess**2 * variance[seen])
        inverse, y = np.linalg.inv(full), value[seen]
        told = inverse.sum()
        mean = (inverse @ y).sum() / told
        away = y - mean
        wanted.append((-np.linalg.slogdet(full)[1] - away @ inverse @ away - np.log(told)) / 2)
        got.append(member.log_evidence)
        assert member.mean == pytest.approx(mean, abs=1e-4) and member.told == pytest.approx(told, rel=1e-4)
    assert np.array(got) - got[0] == pytest.approx(np.array(wanted) - wanted[0], abs=1e-3)


def test_blocks_are_medians_within_a_branch():
    value = np.array([1.0, 2.0, 90.0, 3.0, 2.5, 2.2, 7.0, 7.0, 7.0])
    branch = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    seen = np.array([True] * 8 + [False])
    line = along.blocks(value, np.full(9, 0.04), np.ones(9), branch, seen)
    assert line.value.tolist() == pytest.approx([2.35, 7.0]) and line.length.tolist() == [6, 3]
    assert np.isinf(line.gap).tolist() == [True, True] and line.variance.tolist() == pytest.approx([0.04, 0.04])


def test_places_that_nobody_saw_leave_the_largest_width_open():
    widths = 8 + 2 * np.sin(np.arange(400) / 30)
    known = samples(widths, 0.1, 0)
    hidden = statistics.Samples(known.places, np.arange(400) < 200, known.weights, known.branch, known.tips)
    a, b = (statistics.summary(s, 0.85).max.u_px for s in (known, hidden))
    assert b > 2 * a


def test_quantiles_of_all_profiles_at_once_are_those_of_each():
    rng = np.random.default_rng(0)
    at = np.array([0.5, 0.0, 1.0, 0.95, 0.3])
    for count in (1, 2, 3, 40):
        x = np.cumsum(np.maximum(rng.random((count, 30)), 1e-12), axis=0)
        x *= rng.uniform(0.6, 1.1, 30) / x[-1]
        y = np.sort(rng.random((count, 30)), axis=0)
        at[3] = x[count // 2, 7]  # exactly at a place
        wanted = [np.interp(at, x[:, k], y[:, k]) for k in range(30)]
        assert np.array_equal(statistics._between(at, x, y), wanted)
