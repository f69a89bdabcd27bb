"""Numbers against values known from elsewhere."""

import numpy as np
import pytest

from aoienet.data import metrics


def test_clopper_pearson_known_values():
    assert metrics.clopper_pearson(0, 10) == pytest.approx((0.0, 0.30849711))  # 1 - 0.025^(1/10)
    assert metrics.clopper_pearson(10, 10) == pytest.approx((0.69150289, 1.0))
    assert metrics.clopper_pearson(5, 10) == pytest.approx((0.187086, 0.812914), abs=1e-6)
    assert metrics.clopper_pearson(0, 0) == (0.0, 1.0)


def test_miss_bound_of_the_literature():
    assert metrics.miss_bound(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59))  # 59 hits of 59 certify 5 %
    assert metrics.miss_bound(0, 59) <= 0.05 < metrics.miss_bound(0, 58)
    assert metrics.miss_bound(1, 93) <= 0.05 < metrics.miss_bound(1, 92)


def test_report():
    report = metrics.classification_report(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]), ("a", "b"))
    assert report["confusion"] == [[1, 1], [1, 2]]
    assert report["accuracy"] == pytest.approx(0.6)
    assert report["per_class"]["b"]["precision"] == pytest.approx(2 / 3)
    assert report["per_class"]["a"]["f1"] == pytest.approx(0.5)


def test_auc_by_pairs():
    rng = np.random.default_rng(0)
    s, y = rng.integers(0, 9, 60), rng.random(60) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in s[y] for b in s[~y]]
    assert metrics.auc(s, y) == pytest.approx(np.mean(pairs))
    assert np.isnan(metrics.auc(s, np.ones(60, bool)))


def test_log_odds_of_two_and_three_classes():
    assert metrics.log_odds(np.array([1.0, 3.0])) == pytest.approx(2.0)
    assert metrics.log_odds(np.array([0.0, 1.0, 0.0])) == pytest.approx(1 - np.log(2))


def test_temperature_is_found():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, 20000)
    y = rng.random(20000) < 1 / (1 + np.exp(-true))
    assert metrics.fit_temperature(3.0 * true, y) == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("recall", [0.5, 0.9, 0.98, 1.0])
def test_threshold_keeps_enough_and_not_more(recall):
    scores = np.random.default_rng(0).normal(size=173)
    t = metrics.threshold_for_recall(scores, recall)
    assert (scores >= t).mean() >= recall
    assert (scores > t).mean() < recall
