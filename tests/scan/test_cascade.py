"""The cascade: units give the whole picture's mask, scores and measures, whatever their size, order and threads."""

import numpy as np
import pytest
from tests.scan import toy_cascade as toy
from tests.scan.toy_cascade import whole

from aoienet.measure import Settings, measure_picture, merge
from aoienet.scan import cascade
from aoienet.scan.cascade import Found, Looker, units_of
from aoienet.scan.keep import Reason
from aoienet.scan.mask import TILE_PX
from aoienet.scan.sources import SourceError

SIZE = (1700, 400)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("p") / "wall.tif", *SIZE, seed=3)


@pytest.fixture
def small_units(monkeypatch):
    monkeypatch.setattr(cascade, "LEAST_ROWS", TILE_PX)
    monkeypatch.setattr(cascade, "UNIT_PX", 1)


def looked(path, order=None, threads=1, second=True):
    return toy.looked(toy.stages(second), path, SIZE, order, threads)


def mask_of(found):
    return toy.mask_of(found, SIZE)


def test_units_cover_every_row_once_and_depend_on_the_size_alone():
    for height, width in ((64, 64), (2500, 700), (65536, 65536), (100_000, 4096), (3000, 200_000)):
        units = units_of(height, width, toy.GEOMETRY)
        assert units[0].y0_px == 0 and units[-1].y1_px == height
        assert all(a.y1_px == b.y0_px and b.y0_px % TILE_PX == 0 for a, b in zip(units, units[1:], strict=False))


@pytest.mark.parametrize("order", [None, (2, 0, 1)])
def test_units_in_any_order_give_the_whole_picture(path, small_units, monkeypatch, order):
    cut = looked(path, order)
    unfamiliar = whole(cut, "reasons_HW") & Reason.UNFAMILIAR != 0
    assert 0.005 < unfamiliar.mean() < 0.5 and not unfamiliar.all(axis=1).any()
    monkeypatch.setattr(cascade, "LEAST_ROWS", 4096)
    one = looked(path)
    assert len(cut) == 3 and len(one) == 1
    for name in ("scores_HW", "best_HW", "reasons_HW", "thumb"):
        assert whole(cut, name).tobytes() == getattr(one[0], name).tobytes(), name
    np.testing.assert_array_equal(mask_of(cut), mask_of(one))
    settings = Settings()
    cracks = [merge([p for f in found for p in f.pieces], SIZE, settings) for found in (cut, one)]
    assert len(cracks[0]) == len(cracks[1]) >= 4
    for a, b in zip(*cracks, strict=True):
        assert (a.box_px, a.area_px) == (b.box_px, b.area_px) and a.length_px == pytest.approx(b.length_px, abs=0.01)


def test_threads_and_a_fresh_start_give_the_same_bytes(path, small_units):
    plain = looked(path)
    assert [f.to_bytes() for f in looked(path, threads=3)] == [f.to_bytes() for f in plain]
    units = units_of(*SIZE, toy.GEOMETRY)
    with Looker(toy.stages(), path, Settings()) as looker:
        assert looker.look(units[2]).to_bytes() == plain[2].to_bytes()
    for f in plain:
        assert Found.from_bytes(f.to_bytes()).to_bytes() == f.to_bytes()


def test_the_mask_is_the_segmenter_s_inside_what_is_passed_on_and_nothing_outside(path):
    found = looked(path)
    pixels = toy.picture(*SIZE, seed=3)
    said = toy.Second()(np.pad(pixels, 16, mode="symmetric")) >= 0.5
    passed = np.kron(whole(found, "reasons_HW") != 0, np.ones((32, 32), bool))[: SIZE[0], : SIZE[1]]
    np.testing.assert_array_equal(mask_of(found), said & passed)
    assert 0.02 < passed.mean() < 0.7 and (said & passed).sum() > 1000
    cracks = merge([p for f in found for p in f.pieces], SIZE, Settings())
    alone = measure_picture(said & passed, pixels)
    assert [c.box_px for c in cracks] == [c.box_px for c in alone]


def test_a_crack_over_the_border_of_units_is_one(tmp_path, small_units):
    pixels = np.full(SIZE, 170, np.uint8)
    pixels[300:700, 348:353] = 40
    import tifffile

    tifffile.imwrite(tmp_path / "one.tif", pixels, tile=(256, 256))
    found = looked(tmp_path / "one.tif")
    (crack,) = merge([p for f in found for p in f.pieces], SIZE, Settings())
    assert crack.length_px == pytest.approx(400, abs=8) and sum(bool(f.pieces) for f in found) >= 2


def test_the_first_stage_alone_marks_and_measures_nothing(path):
    found = looked(path, second=False)
    assert (whole(found, "reasons_HW") & Reason.SCORE).any() and not mask_of(found).any() and not found[0].pieces


def test_a_broken_tile_names_the_picture(tmp_path):
    path = toy.write(tmp_path / "cut.tif", 900, 700)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"cut\.tif"), Looker(toy.stages(), path, Settings()) as looker:
        looker.look(units_of(900, 700, toy.GEOMETRY)[0])
