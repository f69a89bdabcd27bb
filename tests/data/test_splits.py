"""No group, photograph or run of numbers on both sides."""

import numpy as np

from aoienet.data import splits


def test_grouped_keeps_groups_whole_and_classes_balanced():
    rng = np.random.default_rng(0)
    groups = np.sort(rng.integers(0, 120, 600))
    labels = [int(g % 3) for g in groups]
    held = splits.grouped(labels, [int(g) for g in groups], 0.2, seed=3)
    assert not set(groups[held]) & set(groups[~held])
    for c in range(3):
        mine = np.array(labels) == c
        assert abs(held[mine].mean() - 0.2) < 0.03
    assert np.array_equal(held, splits.grouped(labels, [int(g) for g in groups], 0.2, seed=3))
    assert not np.array_equal(held, splits.grouped(labels, [int(g) for g in groups], 0.2, seed=4))


def test_photograph():
    assert splits.photograph("11289-10") == "11289"
    assert splits.photograph("20160328_151013") == "20160328_151013"


def test_by_number():
    numbers = list(range(1, 260))
    held = splits.by_number(numbers, 25, 0.2, seed=0)
    blocks = np.array(numbers) // 25
    assert not set(blocks[held]) & set(blocks[~held])
    assert 0.1 < held.mean() < 0.3


def test_near_duplicates_see_through_gain_and_noise():
    rng = np.random.default_rng(0)
    a, b = (np.kron(rng.integers(40, 200, (16, 16)), np.ones((16, 16))).astype(np.uint8) for _ in range(2))
    twin = np.clip(a * 0.8 + 20 + rng.normal(0, 3, a.shape), 0, 255).astype(np.uint8)
    assert splits.near_duplicates([twin, b], [a]).tolist() == [True, False]
    assert splits.near_duplicates([a], []).tolist() == [False]
