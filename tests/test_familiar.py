"""Unfamiliar blocks: what counts is texture, not brightness or contrast; limits come from validation; bad files are refused."""

import json

import numpy as np
import pytest
from scipy import ndimage

from aoienet import sums
from aoienet.familiar import FEATURES, QUANTILE, TURNED, Familiar, FamiliarError, features, fit


def texture(seed, sigma=1.5, spread=30.0, streak=0.0):
    """Smoothed noise, drawn out along x by `streak`."""
    grain = np.random.default_rng(seed).normal(size=(256, 256))
    smooth = ndimage.gaussian_filter(grain, (sigma, sigma + streak))
    return np.clip(np.rint(128 + spread * smooth / smooth.std()), 0, 255).astype(np.uint8)


def of(image):
    return sums.of_picture(image, 64, 32, 64)


@pytest.fixture(scope="module")
def entry():
    pictures = [of(texture(k, sigma=1.2 + 0.1 * (k % 7), spread=10 + 3 * k)) for k in range(12)]
    return fit(pictures[::2] + pictures[1::4], pictures[3::4], 64)


@pytest.fixture(scope="module")
def known(entry):
    return Familiar.from_meta(json.loads(json.dumps(entry)), 32, 64)


def test_brightness_and_contrast_do_not_count():
    image = texture(0)
    plain = features(of(image))
    for other in (np.rint(image * 0.6 + 20), np.minimum(image, 200) + 30.0, 255.0 - image):
        np.testing.assert_allclose(features(of(other.astype(np.uint8))), plain, atol=0.06)


def test_a_bare_wall_looks_like_fine_grain_and_not_like_nothing_known():
    wall = features(of(np.full((256, 256), 140, np.uint8)))
    fine = features(of(texture(0, sigma=0)))
    np.testing.assert_allclose(wall, 0, atol=1e-9)
    np.testing.assert_allclose(fine, wall, atol=0.1)


def test_direction_changes_its_sign_when_the_picture_is_turned():
    image = texture(0, streak=3)
    along, across = (features(of(i)).mean(axis=(0, 1)) for i in (image, image.T))
    assert along[3] < -1 and along[4] < -0.3
    np.testing.assert_allclose(along, across * TURNED, atol=0.05)


def test_distance_is_that_of_mahalanobis_and_the_limit_a_quantile_of_validation(entry, known):
    pictures = [of(texture(k, sigma=1.2 + 0.1 * (k % 7), spread=10 + 3 * k)) for k in (3, 7, 11)]
    held = np.concatenate(pictures).reshape(-1, len(sums.Sum))
    away = features(held) - np.array(entry["mean"])
    want = np.einsum("ni,ij,nj->n", away, np.array(entry["inverse_covariance"]), away)
    np.testing.assert_allclose(known.distance(held), want, rtol=1e-9)
    assert known.limit == pytest.approx(np.quantile(want, QUANTILE), abs=1e-5)
    assert entry["training"] == {"pictures": 9, "blocks": 441} and entry["validation"] == {"pictures": 3, "blocks": 147}
    assert np.allclose(np.array(entry["mean"])[3:], 0)


def test_other_textures_are_unfamiliar_and_the_same_one_is_not(known):
    assert known.unlike(of(texture(50))).mean() < 0.1
    assert known.unlike(of(np.rint(texture(51) * 0.6).astype(np.uint8))).mean() < 0.1
    for foreign in (texture(0, streak=6), texture(0, sigma=5), texture(0, sigma=0)):
        assert known.unlike(of(foreign)).all()


def test_a_block_has_the_same_distance_in_any_company(known):
    held = of(texture(60)).reshape(-1, len(sums.Sum))
    together = known.distance(held)
    assert all(known.distance(held[k : k + 1]).tobytes() == together[k : k + 1].tobytes() for k in range(len(held)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": 5}, "features must be contrast_1.*received 5"),
        ({"features": list(FEATURES[:3])}, "features must be contrast_1"),
        ({"around_px": 96}, "at most halo_px=64; received 96"),
        ({"around_px": 40}, "multiple of 32"),
        ({"around_px": True}, "around_px"),
        ({"mean": [0.0] * 4}, "5 finite means"),
        ({"mean": ["x"] * 5}, "5 finite means"),
        ({"inverse_covariance": (-np.eye(5)).tolist()}, "positive definite"),
        ({"inverse_covariance": np.triu(np.ones((5, 5))).tolist()}, "symmetric"),
        ({"limit": 0}, "limit above"),
        ({"limit": None}, "limit above"),
    ],
)
def test_statistics_that_say_nothing_are_refused_with_the_next_step(entry, change, words):
    with pytest.raises(FamiliarError, match=words) as error:
        Familiar.from_meta(entry | change, 32, 64)
    assert "aoienet certify" in str(error.value)


def test_an_entry_that_is_no_table_is_refused():
    with pytest.raises(FamiliarError, match="received None"):
        Familiar.from_meta([1, 2], 32, 64)


def test_statistics_need_blocks():
    with pytest.raises(FamiliarError, match="received 49 and 0"):
        fit([of(texture(0))], [], 64)
