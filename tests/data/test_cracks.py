"""Pictures with masks of cracks, in grey and in colour."""

from __future__ import annotations

import numpy as np
import pytest

from aoienet.data import splits
from aoienet.data.datasets import cracks as data
from aoienet.data.transform import to_grey


@pytest.fixture(scope="module")
def parts(data_dir):
    return [data.load(data_dir, train=False, channels=c).test for c in (1, 3)]


def test_colour_pictures_are_the_same_pictures(parts):
    for grey, colour in zip(*parts, strict=True):
        assert (grey.source, grey.name) == (colour.source, colour.name)
        assert colour.image_HW.shape == (*grey.image_HW.shape, 3)
        if grey.source in data.MASKED:
            np.testing.assert_array_equal(to_grey(colour.image_HW), grey.image_HW)
            np.testing.assert_array_equal(grey.mask_HW, colour.mask_HW)


def test_masked_and_clean_pictures_only(parts):
    sources = {p.source: p for p in parts[0]}
    assert set(sources) == {*data.MASKED, *data.CLEAN}
    assert all((p.mask_HW is not None and p.mask_HW.any()) == (p.source in data.MASKED) for p in parts[0])


def test_no_photograph_in_two_parts(data_dir):
    parts = data.load(data_dir)
    photos = [
        {(p.source, splits.photograph(p.name)) for p in part if p.source in data.MASKED}
        for part in (parts.train, parts.val, parts.test)
    ]
    assert all(photos) and not photos[0] & photos[1] and not photos[0] & photos[2] and not photos[1] & photos[2]
