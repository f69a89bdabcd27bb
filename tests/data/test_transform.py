"""standardize equals the sentence in docs/format.md, pixel by pixel."""

import numpy as np
import pytest

from aoienet.data import transform


def by_the_book(u, window_px, eps, scale):
    h, w = u.shape
    half = window_px // 2
    out = np.empty((h, w), np.int8)
    for y in range(h):
        for x in range(w):
            part = u if window_px == 0 else u[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]
            n, s, q = float(part.size), float(part.astype(int).sum()), float((part.astype(int) ** 2).sum())
            value = (scale * (n * float(u[y, x]) - s)) / np.sqrt(max(n * q - s * s, 0.0) + (eps * n) ** 2)
            out[y, x] = min(127, max(-127, np.rint(value)))
    return out


@pytest.mark.parametrize("window_px", [0, 1, 5, 9, 65])
def test_standardize(window_px):
    u = np.random.default_rng(window_px).integers(0, 256, (13, 21), dtype=np.uint8)
    assert np.array_equal(transform.standardize(u, window_px, 2.0, 32.0), by_the_book(u, window_px, 2.0, 32.0))


def test_flat_picture_is_zero():
    assert not transform.standardize(np.full((8, 8), 200, np.uint8), 0).any()


def test_clamp():
    u = np.zeros((64, 64), np.uint8)
    u[3, 3] = 255
    assert transform.standardize(u, 0)[3, 3] == 127


def test_grey_formula():
    rgb = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    r, g, b = (int(v) for v in rgb[2, 3])
    assert transform.to_grey(rgb)[2, 3] == (19595 * r + 38470 * g + 7471 * b + 32768) >> 16
    assert transform.to_grey(np.full((1, 1, 3), 255, np.uint8))[0, 0] == 255
    with pytest.raises(ValueError, match="shape"):
        transform.to_grey(np.zeros((2, 2, 4), np.uint8))


def test_even_window_is_refused():
    with pytest.raises(ValueError, match="odd"):
        transform.standardize(np.zeros((8, 8), np.uint8), 4)


def test_apply_names_the_kind():
    u = np.array([[0, 255]], np.uint8)
    assert transform.apply(u, {"kind": "center"}).tolist() == [[-128, 127]]
    assert transform.apply(u, {"kind": "raw"}) is u
    with pytest.raises(ValueError, match="unknown transform"):
        transform.apply(u, {"kind": "standardise"})
