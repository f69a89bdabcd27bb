"""Place and pixel size from the tags of a GeoTIFF, against rasterio and pyproj where they are installed."""

import numpy as np
import pytest
import tifffile

from aoienet.scan.sources import open_source
from aoienet.scan.sources.geo import GeoError

PICTURE = np.full((120, 200), 90, np.uint8)


def keys(model, code, raster=1, unit=None):
    entries = [(1024, 0, 1, model), (1025, 0, 1, raster), (3072 if model == 1 else 2048, 0, 1, code)]
    entries += [(3076, 0, 1, unit)] if unit else []
    return tuple(v for entry in [(1, 1, 0, len(entries)), *entries] for v in entry)


def write(path, directory, scale=(0.002, 0.002, 0.0), tie=(0, 0, 0, 500000.0, 5400000.0, 0), extra=()):
    tags = [(33550, "d", 3, scale, True), (33922, "d", 6, tie, True)] if scale else []
    tags += [(34735, "H", len(directory), directory, True)] if directory else []
    tifffile.imwrite(path, PICTURE, extratags=[*tags, *extra], tile=(64, 64))
    return path


def geo_of(path):
    with open_source(path) as source:
        return source.geo, source.notes


def test_a_projected_picture_has_its_place_and_pixel_size(tmp_path):
    geo, notes = geo_of(write(tmp_path / "a.tif", keys(1, 32633, unit=9001)))
    assert geo.crs == "EPSG:32633" and not geo.geographic and notes == []
    assert geo.world([[-0.5, -0.5], [0, 0]]).tolist() == [[500000.0, 5400000.0], [500000.001, 5399999.999]]
    side, origin = geo.pixel_mm(200, 120)
    assert side == pytest.approx(2.0, rel=1e-6) and "EPSG:32633" in origin


def test_feet_become_millimetres(tmp_path):
    geo, _ = geo_of(write(tmp_path / "a.tif", keys(1, 2263, unit=9003), scale=(0.01, 0.01, 0.0)))
    assert geo.pixel_mm(200, 120)[0] == pytest.approx(0.01 * 12 / 39.37 * 1000, rel=1e-5)


def test_pixel_is_point_moves_the_place_by_half_a_pixel(tmp_path):
    area, _ = geo_of(write(tmp_path / "a.tif", keys(1, 32633, raster=1)))
    point, _ = geo_of(write(tmp_path / "p.tif", keys(1, 32633, raster=2)))
    assert (area.world([[0, 0]]) - point.world([[0, 0]])).tolist() == [pytest.approx([0.001, -0.001])]


def test_a_tie_point_inside_and_a_matrix_say_the_same(tmp_path):
    tie, _ = geo_of(write(tmp_path / "a.tif", keys(1, 32633), tie=(10, 20, 0, 500000.02, 5399999.96, 0)))
    matrix = (0.002, 0, 0, 500000.0, 0, -0.002, 0, 5400000.0, 0, 0, 0, 0, 0, 0, 0, 1)
    other, _ = geo_of(write(tmp_path / "b.tif", keys(1, 32633), scale=None, extra=[(34264, "d", 16, matrix, True)]))
    np.testing.assert_allclose(tie.affine, other.affine)
    assert len(other.tags) == 2


def test_web_mercator_is_not_taken_for_metres(tmp_path):
    pytest.importorskip("pyproj")
    place = (0, 0, 0, 1113194.9, 8399737.9, 0)  # 10 E, 60 N: one unit is half a metre there
    geo, _ = geo_of(write(tmp_path / "a.tif", keys(1, 3857, unit=9001), tie=place))
    side, origin = geo.pixel_mm(200, 120)
    assert side == pytest.approx(1.0, rel=5e-3) and "ellipsoid" in origin


def test_degrees_are_lon_lat_already_and_a_pixel_that_is_not_square_gives_no_millimetres(tmp_path):
    geo, _ = geo_of(write(tmp_path / "a.tif", keys(2, 4326), scale=(1e-8, 1e-8, 0), tie=(0, 0, 0, 10.0, 60.0, 0)))
    assert geo.geographic and geo.lon_lat([[-0.5, -0.5]]).tolist() == [[10.0, 60.0]]
    side, why = geo.pixel_mm(200, 120)
    assert side is None and "square" in why
    square = (2e-8, 1e-8, 0)  # 60 N: a degree of longitude is half as long
    geo, _ = geo_of(write(tmp_path / "b.tif", keys(2, 4326), scale=square, tie=(0, 0, 0, 10.0, 60.0, 0)))
    assert geo.pixel_mm(200, 120)[0] == pytest.approx(1.11, rel=1e-2)


def test_a_place_without_a_code_or_without_a_regular_grid_is_told(tmp_path):
    geo, _ = geo_of(write(tmp_path / "a.tif", keys(1, 32767, unit=9001)))
    assert geo.crs is None and geo.pixel_mm(200, 120)[0] == pytest.approx(2.0)
    with pytest.raises(GeoError, match="no EPSG code"):
        geo.lon_lat([[0, 0]])
    geo, notes = geo_of(write(tmp_path / "b.tif", keys(1, 32633), scale=(0.0, 0.0, 0.0)))
    assert geo is None and "regular grid" in notes[0]
    geo, notes = geo_of(write(tmp_path / "c.tif", keys(1, 32633), extra=[(274, "H", 1, 3, True)]))
    assert geo is None and any("orientation" in n for n in notes)
    assert geo_of(write(tmp_path / "d.tif", None, scale=None))[0] is None


def test_broken_tags_cost_the_place_and_not_the_picture(tmp_path):
    tags = [(33550, "d", 1, 0.5, True), (33922, "d", 6, (0, 0, 0, 1.0, 2.0, 0), True)]
    tifffile.imwrite(tmp_path / "a.tif", PICTURE, extratags=tags)
    geo, notes = geo_of(tmp_path / "a.tif")
    assert geo is None and "tags are broken" in notes[0]
    with open_source(tmp_path / "a.tif") as source:
        np.testing.assert_array_equal(source.read(0, 120), PICTURE)


def test_lon_lat_agrees_with_a_known_point(tmp_path):
    pytest.importorskip("pyproj")
    geo, _ = geo_of(write(tmp_path / "a.tif", keys(1, 32633), tie=(0, 0, 0, 500000.0, 0.0, 0)))
    np.testing.assert_allclose(geo.lon_lat([[-0.5, -0.5]]), [[15.0, 0.0]], atol=1e-12)  # central meridian, equator


def test_rasterio_sees_the_same_place(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    path = write(tmp_path / "a.tif", keys(1, 32633, unit=9001), tie=(3, 5, 0, 500000.0, 5400000.0, 0))
    geo, _ = geo_of(path)
    with rasterio.open(path) as other:
        assert other.crs.to_epsg() == geo.epsg
        np.testing.assert_allclose(geo.world([[7, 9]])[0], other.xy(9, 7))
