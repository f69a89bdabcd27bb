"""Texture features and logistic regression: what they answer on pictures whose answer is known."""

import numpy as np
import pytest

pytest.importorskip("skimage")

from aoienet.data import texture  # noqa: E402


def noise(seed: int, sigma: float = 0.0) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(seed).normal(size=(80, 80)), sigma)
    return np.clip(128 + 40 * field / field.std(), 0, 255).astype(np.uint8)


def test_there_are_54_finite_numbers_even_of_a_flat_picture():
    for image in (noise(0), np.full((50, 60), 7, np.uint8), np.zeros((32, 32), np.uint8)):
        found = texture.features(image)
        assert found.shape == (texture.FEATURES,) and np.isfinite(found).all()


def test_levels_and_gradients_are_what_their_names_say():
    ramp = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (50, 1))
    mean, std, *_ = texture.levels(ramp)
    assert mean == pytest.approx(99) and std == pytest.approx(ramp.std())
    length, spread, *shares = texture.gradients(ramp)
    assert length == pytest.approx(2) and spread == pytest.approx(0)
    assert shares == pytest.approx([1, 0, 0, 0, 0, 0, 0, 0])


def test_bands_see_the_size_of_the_grain():
    fine, coarse = (np.argmax(texture.bands(noise(1, sigma))) for sigma in (0.0, 6.0))
    assert fine < coarse


def test_contrast_across_and_along_tells_the_direction_of_stripes():
    stripes = np.tile((np.arange(64) % 8 * 30).astype(np.uint8), (64, 1))
    along, across = (texture.cooccurrence(image)[-2] for image in (stripes, stripes.T))
    assert along < 0 < across and along == pytest.approx(-across, abs=0.1)


def test_logistic_regression_is_at_the_minimum_of_its_loss():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = rng.normal(size=(90, 4)) + labels[:, None] * np.array([3.0, 0, -3, 0])
    made = texture.Logistic(features, labels, 3, c=0.5)
    x, truth = made._design(features), np.eye(3)[labels]
    p = np.exp(x @ made.weight)
    p /= p.sum(1, keepdims=True)
    slope = x.T @ (p - truth)
    slope[:-1] += made.weight[:-1] / 0.5
    assert np.abs(slope).max() < 1e-2
    assert (made.predict(features) == labels).mean() > 0.9


def test_textures_are_told_apart():
    train = np.stack([texture.features(noise(i, s)) for s in (0.0, 1.0, 4.0) for i in range(6)])
    test = np.stack([texture.features(noise(100 + i, s)) for s in (0.0, 1.0, 4.0) for i in range(6)])
    labels = np.repeat([0, 1, 2], 6)
    assert (texture.Logistic(train, labels, 3).predict(test) == labels).all()
