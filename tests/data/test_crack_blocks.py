"""Labels of blocks and scores by source; the real sets where they are at hand."""

import os
from pathlib import Path

import numpy as np
import pytest

from aoienet.data import splits
from aoienet.data.datasets import crack_blocks as data

ROOT = Path(os.environ.get("AOIENET_DATA", Path(__file__).parents[3] / "shared" / "data"))


def test_block_counts():
    mask = np.random.default_rng(0).random((256, 256)) < 0.1
    counts = data.block_counts(mask, 64, 32)
    assert counts.shape == (7, 7)
    assert counts[2, 5] == mask[64:128, 160:224].sum()


def test_labels_have_a_band_that_is_ignored():
    mask = np.zeros((64, 192), bool)
    mask[0, :31] = True
    mask[0, 128:160] = True
    picture = data.Picture("s", "n", "masked", np.zeros(mask.shape, np.uint8), mask)
    assert data.block_labels(picture, mask, 64, 64).tolist() == [[data.IGNORED, 0, 1]]


def test_score_parts():
    mask = np.zeros((64, 128), bool)
    mask[:, :10] = True
    pictures = [data.Picture("s", str(i), "masked", np.zeros(mask.shape, np.uint8), mask) for i in range(2)]
    scores = [np.array([[1.0, -1.0]]), np.array([[-1.0, 1.0]])]
    part = data.score_parts(pictures, scores, 0.0, 64, 64)["s"]
    assert part["block_recall"]["count"] == 1 and part["block_recall"]["of"] == 2
    assert part["clean_dropped"]["count"] == 1
    assert part["picture_recall"]["value"] == 0.5  # a false alarm elsewhere does not find the crack
    assert part["auc"] == 0.5


def test_a_crack_counts_by_what_is_passed_on_of_its_centre_line():
    mask = np.zeros((128, 256), bool)
    mask[10:15, 5:250] = True
    mask[100, 100:115] = True  # 15 px: no crack
    (line,) = data.line_scores(mask, np.array([[-3.0, -9.0, 0.0, 2.0], [-9.0] * 4]), 64, 64)
    assert (
        set(line) == {-3.0, -6.5, 2.0} and 0.4 < (line == 2.0).mean() < 0.6
    )  # the right half is linked to the block of 2


def test_the_threshold_passes_on_enough_of_the_length_and_not_more():
    rng = np.random.default_rng(0)
    mask = np.zeros((256, 256), bool)
    mask[::16, :] = True
    pictures = [data.Picture("s", str(i), "masked", np.zeros(mask.shape, np.uint8), mask) for i in range(3)]
    scores = [rng.normal(size=(7, 7)) for _ in pictures]
    lines = np.concatenate([line for s in scores for line in data.line_scores(mask, s, 64, 32)])
    threshold = data.passing_threshold(pictures, scores, 64, 32, 0.9)
    assert (lines >= threshold).mean() >= 0.9 > (lines > threshold).mean()
    bare = data.Picture("s", "x", "masked", np.zeros(mask.shape, np.uint8), np.zeros_like(mask))
    with pytest.raises(ValueError, match="1 with a mask and no crack"):
        data.passing_threshold([bare], scores[:1], 64, 32, 0.9)


def test_the_certificate_counts_photographs():
    mask = np.zeros((64, 256), bool)
    mask[:, 10:12] = mask[:, 230:232] = True
    photo = [
        data.Picture("deepcrack256", name, "masked", np.zeros(mask.shape, np.uint8), mask)
        for name in ("7-1", "7-2", "8")
    ]
    clean = data.Picture("drone", "x", "clean", np.zeros(mask.shape, np.uint8))
    rows = ([1.0, -1.0, -1.0, -1.0], [-1.0] * 4, [-1.0] * 4, [9.0] * 4)
    found = data.certificate([*photo, clean], [np.array([row]) for row in rows], 0.0, 64, 64)
    assert (found["photographs"], found["cracks"], found["cracks_missed"]) == (2, 6, 5)
    assert found["length_passed_on"] == pytest.approx(1 / 6) and "followed" not in found
    assert found["photographs_with_a_missed_crack"] == 2 and found["photographs_with_a_missed_crack_at_most"] == 1.0
    assert found["photographs_without_any_crack_found"] == 1
    assert found["photographs_without_any_crack_found_at_most"] == pytest.approx(0.95**0.5)


def test_a_certificate_with_a_second_stage_counts_what_is_looked_at_in_the_end():
    mask = np.zeros((64, 256), bool)
    mask[:, 10:12] = mask[:, 230:232] = True
    picture = data.Picture("deepcrack256", "7-1", "masked", np.full(mask.shape, 9, np.uint8), mask)

    def look(image_HW, passed_HW):
        assert image_HW is picture.image_HW and passed_HW.tolist() == [[True, False, False, False]]
        return np.array([[True, False, False, True]])

    score = np.array([[1.0, -9.0, -9.0, -9.0]])
    found = data.certificate([picture], [score], 0.0, 64, 64, data.Second("toy", "abc", look))
    followed = found["followed"]
    assert (found["cracks_missed"], followed["cracks_missed"], followed["length_passed_on"]) == (1, 0, 1.0)
    assert (followed["second_stage"], followed["sha256"]) == ("toy", "abc")
    assert followed["photographs_with_a_missed_crack_at_most"] > followed["photographs_with_a_missed_crack"] == 0


@pytest.mark.skipif(not (ROOT / "deepcrack256").is_dir(), reason="the data sets are not here")
def test_no_photograph_in_two_parts():
    parts = data.load(ROOT)
    photos = [
        {(p.source, splits.photograph(p.name)) for p in part if p.kind == "masked"}
        for part in (parts.train, parts.val, parts.test)
    ]
    assert not photos[0] & photos[1] and not photos[0] & photos[2] and not photos[1] & photos[2]
    train = {p.name for p in (*parts.train, *parts.val)}
    assert not train & {"11158", "11289-1", "20160329_103609", "20160329_111111"}
    assert len(photos[1]) > 30
