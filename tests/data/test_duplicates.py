"""Signatures and groups of near duplicates."""

import numpy as np

from aoienet.data import duplicates


def test_flat_pictures_and_light_falling_off_are_no_duplicates():
    y, x = np.mgrid[:64, :64]
    signatures = []
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(0, 12, (64, 64))
        signatures.append(duplicates.signature(np.clip(60 + 2 * x + noise, 0, 255).astype(np.uint8)))
    signatures += [duplicates.signature(np.full((64, 64), v, np.uint8)) for v in (10, 200)]
    made = duplicates.groups([str(i) for i in range(8)], signatures, duplicates.CORRELATION)
    assert len(set(made.tolist())) == 8


def test_chains_are_followed_over_the_blocks_of_rows():
    vectors = np.eye(480, dtype=np.float32)[np.arange(3000) % 400]
    made = duplicates.groups([str(i) for i in range(3000)], list(vectors), 0.95)
    assert np.array_equal(made, made[np.arange(3000) % 400]) and len(set(made.tolist())) == 400


def test_ten_thousand_pictures_that_differ_are_as_many_groups():
    vectors = np.random.default_rng(0).standard_normal((10_000, 480)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = duplicates.groups([str(i) for i in range(10_000)], list(vectors), 0.95)
    assert len(set(made.tolist())) == 10_000


def test_ten_thousand_pictures_that_are_alike_are_one_group():
    vectors = np.repeat(np.eye(480, dtype=np.float32)[:1], 10_000, axis=0)
    made = duplicates.groups([str(i) for i in range(10_000)], list(vectors), 0.95)
    assert len(set(made.tolist())) == 1


def test_equal_pixels_are_one_group_even_where_flat():
    flat = np.zeros(480, np.float32)
    assert len(set(duplicates.groups(["a", "b", "a"], [flat] * 3, 0.95).tolist())) == 2
