"""mask.tif, overlay.tif, thumbnail.jpg: right pixels, overviews, place, bounded memory, same bytes."""

import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.measure.drawn import cover, photograph
from tests.report.cracks import HEIGHT, WIDTH, scanned, surface

from aoienet.measure import measure_picture
from aoienet.report import pyramid, thumbnail
from aoienet.report.kinds import CRACK, JOINT, kind_rows
from aoienet.report.mask import write_mask
from aoienet.report.records import Scale
from aoienet.report.slide import EDGE, write_slide
from aoienet.scan.sources import open_source

NO_SCALE = Scale(None, "none")
PLACE = [(33550, "d", 3, (0.002, 0.002, 0.0), True), (33922, "d", 6, (0, 0, 0, 5e5, 54e5, 0), True),
         (34735, "H", 20, (1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633, 3076, 0, 1, 9001), True)]  # fmt: skip


def halves(mask):
    padded = np.pad(mask, ((0, mask.shape[0] % 2), (0, mask.shape[1] % 2)), mode="edge")
    return padded.reshape(padded.shape[0] // 2, 2, -1, 2).max(axis=(1, 3))


@pytest.mark.parametrize("shape", [(1, 1), (511, 700), (513, 1025), (1537, 2050), (2100, 90)])
def test_the_mask_and_its_overviews_have_the_right_pixels(tmp_path, shape):
    mask = (np.random.default_rng(0).random(shape) > 0.999).astype(np.uint8)
    mask[0, 0] = 1
    want = mask * np.random.default_rng(1).choice(np.array([CRACK, JOINT], np.uint8), shape)
    write_mask(tmp_path / "m.tif", lambda a, b: want[a:b], *shape, None, NO_SCALE)
    with tifffile.TiffFile(tmp_path / "m.tif") as tiff:
        assert tiff.pages[0].description == "255: crack, 128: joint, 0: neither"
        for level, page in enumerate(tiff.pages):
            np.testing.assert_array_equal(page.asarray(), want)
            assert page.is_tiled and page.subfiletype == (1 if level else 0) and page.compression == 8
            want = halves(want)
        assert max(page.shape) <= pyramid.SMALLEST_PX


def test_the_mask_is_written_band_by_band(tmp_path):
    height, width = 4096, 8192
    asked = []

    def rows(y0, y1):
        asked.append((y0, y1))
        return np.zeros((y1 - y0, width), np.uint8)

    write_mask(tmp_path / "warm.tif", lambda a, b: np.zeros((b - a, 10), np.uint8), 10, 10, None, NO_SCALE)
    tracemalloc.start()
    write_mask(tmp_path / "m.tif", rows, height, width, None, NO_SCALE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert asked == [(y, y + 512) for y in range(0, height, 512)]
    assert peak < 0.75 * height * width  # bytes; a whole mask would be more


def test_the_place_of_the_picture_is_copied(tmp_path):
    grey, mask, _ = surface()
    tifffile.imwrite(tmp_path / "p.tif", grey, extratags=PLACE, tile=(64, 64))
    with open_source(tmp_path / "p.tif") as source:
        write_mask(
            tmp_path / "m.tif", lambda a, b: mask[a:b] * np.uint8(CRACK), HEIGHT, WIDTH, source.geo, Scale(2.0, "x")
        )
        with open_source(tmp_path / "m.tif") as made:
            assert made.geo == source.geo
    rasterio = pytest.importorskip("rasterio", reason="only to see what another program reads")
    with rasterio.open(tmp_path / "p.tif") as a, rasterio.open(tmp_path / "m.tif") as b:
        assert a.crs == b.crs and a.transform == b.transform
        np.testing.assert_array_equal(b.read(1) == 255, mask)


def test_without_a_place_the_resolution_is_the_scale(tmp_path):
    write_mask(tmp_path / "m.tif", lambda a, b: np.zeros((b - a, 30), np.uint8), 20, 30, None, Scale(0.25, "x"))
    with tifffile.TiffFile(tmp_path / "m.tif") as tiff:
        assert tiff.pages[0].tags["XResolution"].value == (40, 1)  # pixels per centimetre
        assert tiff.pages[0].tags["ResolutionUnit"].value == 3


def test_a_mask_that_cannot_be_made_leaves_nothing(tmp_path):
    def rows(y0, y1):
        raise OSError(28, "No space left on device")

    from aoienet.files import OutputError

    with pytest.raises(OutputError, match=r"m\.tif.*No space left"):
        write_mask(tmp_path / "m.tif", rows, 2000, 2000, None, NO_SCALE)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def picture(tmp_path):
    grey, mask, cracks = surface()
    tifffile.imwrite(tmp_path / "p.tif", grey, tile=(64, 64))
    return tmp_path / "p.tif", mask, cracks


def kinds_of(mask, found):
    return kind_rows(lambda a, b: mask[a:b], found)


def overlay(tmp_path, picture, name="o.tif", **options):
    path, mask, found = picture
    looked = scanned(mask=mask)[1]
    with open_source(path, 3) as source:
        factor = write_slide(tmp_path / name, source, kinds_of(mask, found), looked, 32, **options)
    return factor, tifffile.imread(tmp_path / name), looked


def test_the_overlay_shows_the_picture_the_cracks_and_the_border(tmp_path, picture):
    grey, mask, _ = surface()
    factor, made, looked = overlay(tmp_path, picture)
    assert factor == 1 and made.shape == (HEIGHT, WIDTH, 3)
    red, green = made[..., 0].astype(int), made[..., 1].astype(int)
    joint = kinds_of(mask, picture[2])(0, HEIGHT) == JOINT
    assert joint.sum() == sum(c.area_px for c in picture[2] if c.kind == "joint") > 500
    assert np.mean((red - green)[mask & ~joint]) > 90 and np.mean((red - green)[joint]) < -60
    with tifffile.TiffFile(tmp_path / "o.tif") as tiff:
        assert "cracks red, joints green" in tiff.pages[0].description
    cells = np.kron(looked, np.ones((32, 32), bool))[:HEIGHT, :WIDTH]
    assert np.abs(made[~cells].astype(int) - grey[~cells][:, None]).mean() < 3  # JPEG
    y, x = np.argwhere(cells[:, :-1] & ~cells[:, 1:])[5]
    assert np.abs(made[y, x].astype(int) - EDGE).max() < 90


def test_a_large_picture_gives_a_smaller_overlay_in_which_cracks_stay(tmp_path, picture):
    factor, made, _ = overlay(tmp_path, picture, max_px=20_000)
    assert factor == 4 and made.shape == (105, 160, 3)
    _, mask, _ = surface()
    cracks = kinds_of(mask, picture[2])(0, HEIGHT) == CRACK
    small = cracks[:420].reshape(105, 4, 160, 4).any(axis=(1, 3))
    assert np.mean(made[small][:, 0].astype(int) - made[small][:, 1]) > 60


def test_rows_of_kinds_are_the_same_in_strips_of_any_height_and_part_touching_kinds():
    lines = [np.stack([np.arange(20, 480, 1.0), np.full(460, 130.0)], axis=1)]
    lines.append(np.stack([250 + 8 * np.sin(np.arange(0, 160) / 9), np.arange(40, 200, 1.0)], axis=1))
    covered = cover((260, 500), lines, [5.0, 4.0])
    mask = covered >= 0.5
    found = measure_picture(mask, photograph(covered))
    assert sorted(c.kind for c in found) == ["crack", "joint"]
    rows = kinds_of(mask, found)
    whole = rows(0, 260)
    for kind, value in (("crack", CRACK), ("joint", JOINT)):
        assert (whole == value).sum() == sum(c.area_px for c in found if c.kind == kind)
    for step in (1, 7, 64):
        np.testing.assert_array_equal(np.concatenate([rows(y, min(y + step, 260)) for y in range(0, 260, step)]), whole)


@pytest.mark.parametrize("raster", [1, 2])
@pytest.mark.parametrize("max_px", [10**9, 20_000])
def test_the_overlay_lies_where_the_picture_does(tmp_path, picture, max_px, raster):
    keys = tuple(raster if k == 11 else v for k, v in enumerate(PLACE[2][3]))
    place = [*PLACE[:2], (34735, "H", 20, keys, True)]
    tifffile.imwrite(tmp_path / "p.tif", surface()[0], extratags=place, tile=(64, 64))
    factor = overlay(tmp_path, picture, max_px=max_px)[0]
    assert factor == (4 if max_px == 20_000 else 1)
    with open_source(tmp_path / "p.tif") as a, open_source(tmp_path / "o.tif") as b:
        assert a.geo.epsg == b.geo.epsg == 32633
        small = np.array([[0, 0], [20, 30]])
        np.testing.assert_allclose(b.geo.world(small), a.geo.world(factor * (small + 0.5) - 0.5), rtol=0, atol=1e-9)


def test_a_smaller_overlay_of_a_picture_without_a_place_lies_under_the_geojson_in_pixels(tmp_path, picture):
    overlay(tmp_path, picture, max_px=20_000)
    with tifffile.TiffFile(tmp_path / "o.tif") as tiff:
        assert tiff.pages[0].tags[34264].value[:8] == (4, 0, 0, 0, 0, -4, 0, 0)


def test_rasters_are_the_same_bytes_twice(tmp_path, picture):
    for name in ("a", "b"):
        overlay(tmp_path, picture, f"{name}.tif")
        thumbnail.write_thumbnail(tmp_path / f"{name}.jpg", scanned(mask=picture[1])[0], picture[2])
        write_mask(tmp_path / f"{name}m.tif", kinds_of(*picture[1:]), HEIGHT, WIDTH, None, NO_SCALE)
    for end in (".tif", ".jpg", "m.tif"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()


@pytest.mark.parametrize(("most_px", "factor"), [(2000, 2), (160, 4)])
def test_the_thumbnail_shows_the_centre_lines(tmp_path, picture, monkeypatch, most_px, factor):
    monkeypatch.setattr(thumbnail, "THUMBNAIL_PX", most_px)
    monkeypatch.setattr(thumbnail, "THUMBNAIL_QUALITY", 100)
    result = scanned(mask=picture[1], factor=2)[0]
    thumbnail.write_thumbnail(tmp_path / "t.jpg", result, picture[2])
    made = np.asarray(Image.open(tmp_path / "t.jpg")).astype(int)
    assert made.shape == (420 // factor, 640 // factor, 3)
    for found in picture[2]:
        x, y = found.paths_px[0][50] / factor
        around = made[int(y) - 1 : int(y) + 3, int(x) - 1 : int(x) + 3].reshape(-1, 3)
        # JPEG halves the resolution of colours
        is_crack, is_joint = ((np.abs(around - color).max(axis=1) < 90).any() for color in ([200, 0, 60], [0, 110, 90]))
        assert (is_crack, is_joint) == (found.kind == "crack", found.kind == "joint")


def test_shrinking_is_the_rounded_mean():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 18, 3), np.uint8)
    want = np.floor(pixels.reshape(4, 3, 6, 3, 3).mean(axis=(1, 3)) + 0.5)
    np.testing.assert_array_equal(pyramid.shrink(pixels, 3), want)
    assert pyramid.shrink(np.full((5, 7), 9, np.uint8), 2).tolist() == [[9] * 4] * 3
