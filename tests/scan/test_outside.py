"""Where nothing was photographed: what files tell of it, and that neither networks nor results see its border."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import distance_transform_cdt
from tests.scan import toy_cascade as toy

from aoienet import synth
from aoienet.scan import cascade, outside
from aoienet.scan.keep import OUTSIDE, Reason, passed_on
from aoienet.scan.mask import TILE_PX
from aoienet.scan.sources import Part, SourceError, open_source

H, W = 300, 420


@pytest.fixture(scope="module")
def rgb():
    return np.random.default_rng(1).integers(1, 255, (H, W, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def gone():
    """True outside of a slanted area."""
    y, x = np.mgrid[:H, :W]
    return (x + y // 3 < 90) | (x + y // 3 > 400) | (y < 37)


def save_tiff(path, pixels, gone, **options):
    alpha = np.where(gone, 0, 255).astype(pixels.dtype)
    if options.get("planarconfig") == "separate":
        pixels = np.concatenate([pixels.transpose(2, 0, 1), alpha[None]])
    else:
        pixels = np.dstack([pixels, alpha])
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unassalpha"], **options)


def told_by(path, **how):
    with open_source(path, **how) as source:
        return source.outside, source.absent(0, source.height)


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (64, 64), "compression": "zlib"},
        {"rowsperstrip": 50, "compression": "zlib"},
        {"rowsperstrip": 50},
        {"tile": (64, 64), "planarconfig": "separate"},
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_of_a_tiff_tells_it_in_any_storage_and_in_any_cut(tmp_path, rgb, gone, options, channels):
    save_tiff(tmp_path / "a.tif", rgb, gone, **options)
    tifffile.imwrite(tmp_path / "plain.tif", rgb, photometric="rgb")
    with open_source(tmp_path / "a.tif", channels) as source, open_source(tmp_path / "plain.tif", channels) as plain:
        assert source.outside == "alpha channel" and source.outside_exact and plain.outside == ""
        np.testing.assert_array_equal(source.read(70, 200), plain.read(70, 200))
        np.testing.assert_array_equal(source.absent(70, 200), gone[70:200])
        np.testing.assert_array_equal(source.absent(80, 120, 3, 77), gone[80:120, 3:77])
        np.testing.assert_array_equal(source.absent(190, 290, 100, 401), gone[190:290, 100:401])
        np.testing.assert_array_equal(source.window(9, 99, 60, 130), plain.window(9, 99, 60, 130))
        assert plain.absent(0, H) is None


@pytest.mark.parametrize("code", range(2, 9))
def test_it_is_turned_as_the_picture_is(tmp_path, rgb, gone, code):
    from aoienet.scan.sources import orient

    save_tiff(tmp_path / "a.tif", rgb, gone, rowsperstrip=50, extratags=[(274, 3, 1, code, True)])
    seen = orient(gone, code)
    with open_source(tmp_path / "a.tif") as source:
        source.read(10, 50)
        np.testing.assert_array_equal(source.absent(20, 40), seen[20:40])
        np.testing.assert_array_equal(source.absent(100, 250, 30, 99), seen[100:250, 30:99])


def test_a_mask_page_tells_it_and_one_of_another_cut_is_named(tmp_path, rgb, gone):
    for name, tile in (("same.tif", (64, 64)), ("other.tif", (128, 128))):
        with tifffile.TiffWriter(tmp_path / name) as out:
            out.write(rgb, photometric="rgb", tile=(64, 64), compression="jpeg")
            out.write(rgb[::2, ::2], photometric="rgb", subfiletype=1)
            out.write(~gone[::2, ::2], photometric="mask", subfiletype=5)
            out.write(~gone, photometric="mask", subfiletype=4, tile=tile, compression="zlib")
    told, found = told_by(tmp_path / "same.tif")
    assert told == "mask"
    np.testing.assert_array_equal(found, gone)
    with open_source(tmp_path / "other.tif") as source:
        assert source.outside == "" and source.absent(0, H) is None
        assert any("its mask was not read" in note for note in source.notes) and source.warnings == []


def test_a_level_for_no_data_tells_it_and_one_that_no_sample_has_tells_nothing(tmp_path, rgb, gone):
    filled = np.where(gone[..., None], 0, rgb).astype(np.uint8)
    for name, level in (("zero.tif", "0"), ("far.tif", "-9999"), ("nan.tif", "nan"), ("words.tif", "none at all")):
        tifffile.imwrite(tmp_path / name, filled, photometric="rgb", extratags=[(42113, 2, 0, level, True)])
    told, found = told_by(tmp_path / "zero.tif")
    assert told == "level 0"
    np.testing.assert_array_equal(found, gone)
    assert [told_by(tmp_path / name)[0] for name in ("far.tif", "nan.tif", "words.tif")] == ["", "", ""]
    assert told_by(tmp_path / "zero.tif", nodata="none") == ("", None)
    assert told_by(tmp_path / "far.tif", nodata="0")[1].sum() == gone.sum()


def test_a_fourth_channel_that_is_no_alpha_tells_nothing(tmp_path, rgb):
    tifffile.imwrite(
        tmp_path / "nir.tif", np.dstack([rgb, 0 * rgb[..., 0]]), photometric="rgb", extrasamples=["unspecified"]
    )
    with open_source(tmp_path / "nir.tif") as source:
        assert source.outside == "" and source.notes == ["1 extra channel dropped"]


def test_alpha_of_a_png_tells_it(tmp_path, rgb, gone):
    import imagecodecs

    alpha = np.where(gone, 3, 200).astype(np.uint8)
    Image.fromarray(np.dstack([rgb, alpha])).save(tmp_path / "rgba.png")
    Image.fromarray(np.dstack([rgb[..., 0], alpha]), "LA").save(tmp_path / "la.png")
    palette = Image.fromarray(np.where(gone, 7, rgb[..., 0] // 2 + 8).astype(np.uint8), "P")
    palette.putpalette(list(range(256)) * 3)
    palette.save(tmp_path / "p.png", transparency=7)
    deep = np.dstack([rgb.astype(np.uint16) * 257, alpha.astype(np.uint16) * 257])
    (tmp_path / "16.png").write_bytes(imagecodecs.png_encode(deep))
    for name in ("rgba.png", "la.png", "p.png", "16.png"):
        told, found = told_by(tmp_path / name)
        assert told == "alpha channel", name
        np.testing.assert_array_equal(found, gone, name)
        assert told_by(tmp_path / name, nodata="none") == ("", None)


def test_a_level_given_by_the_user_is_of_the_samples_as_stored(tmp_path, rgb, gone):
    grey = np.where(gone, 255, rgb[..., 0])
    Image.fromarray(grey).save(tmp_path / "g.png")
    np.testing.assert_array_equal(told_by(tmp_path / "g.png", nodata="255")[1], gone)
    tifffile.imwrite(tmp_path / "16.tif", np.where(gone, 4095, rgb[..., 0].astype(np.uint16)))
    np.testing.assert_array_equal(told_by(tmp_path / "16.tif", nodata="4095", white_level=4095)[1], gone)
    for wrong in ("256", "-1", "black", ""):
        with pytest.raises(SourceError, match="the level of no data must be auto, none or lie in 0..255; received"):
            open_source(tmp_path / "g.png", nodata=wrong)


def brute(level):
    out = np.zeros_like(level)
    n = outside.HOLE_PX
    framed = np.pad(level, n, constant_values=True)
    for y, x in np.ndindex(framed.shape[0] - n, framed.shape[1] - n):
        if framed[y : y + n, x : x + n].all():
            a, b = max(0, y - n), max(0, x - n)
            out[a : max(0, y), b : max(0, x)] = True
    ys, xs = np.nonzero(out)
    for y, x in np.argwhere(level & ~out):
        out[y, x] = len(ys) > 0 and np.maximum(abs(ys - y), abs(xs - x)).min() <= n
    return out


def test_of_a_level_only_areas_count_and_they_do_not_depend_on_the_cut(tmp_path):
    rng = np.random.default_rng(2)
    level = np.zeros((120, 140), bool)
    for _ in range(30):
        y, x, h, w = rng.integers(0, 110), rng.integers(0, 130), *rng.integers(3, 40, 2)
        level[y : y + h, x : x + w] = True
    tifffile.imwrite(tmp_path / "l.tif", np.where(level, 0, 99).astype(np.uint8), tile=(64, 64))
    with open_source(tmp_path / "l.tif", nodata="0") as source:
        whole = outside.areas(source, (0, 0, 140, 120))
        np.testing.assert_array_equal(whole, brute(level))
        assert whole.any() and (level & ~whole).any() and not (whole & ~level).any()
        for box in ((0, 0, 20, 120), (13, 40, 77, 91), (100, 100, 140, 120)):
            np.testing.assert_array_equal(outside.areas(source, box), whole[box[1] : box[3], box[0] : box[2]])
        source.read(30, 60)
        pixels = source.read(30, 60)
        shown = outside.filled(source, 30, pixels)
        np.testing.assert_array_equal(shown, np.where(whole[30:60], outside.LEVEL, pixels))
        near = outside.beside(source, (20, 20, 90, 90))
        ys, xs = np.nonzero(whole)
        for y, x in rng.integers(20, 90, (60, 2)):
            away = np.maximum(abs(ys - y), abs(xs - x)).min()
            assert near[y - 20, x - 20] == (away <= outside.BESIDE_PX)


SIZE = (1700, 400)


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    """A surface with lines inside of a slanted area, black around it; the same without alpha."""
    folder = tmp_path_factory.mktemp("mosaic")
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    gone = (x + y // 8 < 90) | (x + y // 8 > 430) | (y < 120) | (y > 1600)
    grey = np.where(gone, 0, toy.picture(*SIZE, seed=3)).astype(np.uint8)
    pixels = np.dstack([grey, grey, grey])
    tifffile.imwrite(folder / "plain.tif", grey, tile=(256, 256), compression="zlib")
    save_tiff(folder / "alpha.tif", pixels, gone, tile=(256, 256), compression="zlib")
    return folder, gone


def looked(path, order=None, nodata="auto"):
    found = toy.looked(replace(toy.stages(), nodata=nodata), path, SIZE, order)
    return toy.whole(found, "reasons_HW"), toy.mask_of(found, SIZE)


def test_the_border_of_a_mosaic_gives_no_cracks_and_what_is_empty_is_not_looked_at(mosaic):
    folder, gone = mosaic
    away = distance_transform_cdt(~gone, "chessboard")
    why, mask = looked(folder / "alpha.tif")
    plain_why, plain_mask = looked(folder / "plain.tif")
    assert plain_mask[gone].any() and passed_on(plain_why).mean() > passed_on(why).mean() + 0.1
    assert not mask[away <= outside.BESIDE_PX].any()
    deep = away > 24
    assert mask[deep].any()
    np.testing.assert_array_equal(mask[deep], plain_mask[deep])
    cells = np.pad(gone, ((0, -SIZE[0] % 32), (0, -SIZE[1] % 32)), constant_values=True)
    empty = cells.reshape(-1, 32, cells.shape[1] // 32, 32).all(axis=(1, 3))
    np.testing.assert_array_equal(why == OUTSIDE, empty)
    assert not (why & (Reason.UNDEREXPOSED | Reason.BLURRED)).any() and (plain_why & Reason.UNDEREXPOSED).any()
    by_level = looked(folder / "plain.tif", nodata="0")[1]
    assert not by_level[gone].any() and (by_level[deep] == mask[deep]).all()
    np.testing.assert_array_equal(looked(folder / "alpha.tif", nodata="none")[0], plain_why)


def test_units_of_a_mosaic_in_any_order_give_the_same(mosaic, monkeypatch):
    one = looked(mosaic[0] / "alpha.tif"), looked(mosaic[0] / "plain.tif", nodata="0")
    monkeypatch.setattr(cascade, "LEAST_ROWS", TILE_PX)
    monkeypatch.setattr(cascade, "UNIT_PX", 1)
    for order in (None, (2, 0, 1)):
        cut = looked(mosaic[0] / "alpha.tif", order), looked(mosaic[0] / "plain.tif", order, nodata="0")
        for whole, parts in zip(one, cut, strict=True):
            np.testing.assert_array_equal(whole[0], parts[0])
            np.testing.assert_array_equal(whole[1], parts[1])


def call(*arguments):
    from typer.testing import CliRunner

    from aoienet.cli import app

    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_scan_of_a_mosaic_counts_what_was_photographed(tmp_path):
    wall = synth.surface(700, 900, 5, cracks=1)
    grey = wall.band(0, 700)
    y, x = np.mgrid[:700, :900]
    gone = (x + y // 5 < 200) | (x + y // 5 > 960) | (y < 40) | (y > 630)
    Image.fromarray(np.dstack([np.where(gone, 255, grey).astype(np.uint8)] * 3)).save(tmp_path / "white.png")
    Image.fromarray(np.dstack([grey, grey, grey, np.where(gone, 0, 255)]).astype(np.uint8)).save(tmp_path / "alpha.png")
    empty = np.zeros((128, 128, 4), np.uint8)
    Image.fromarray(empty).save(tmp_path / "empty.png")
    pictures = [tmp_path / f"{name}.png" for name in ("alpha", "empty")]
    done = call("scan", *pictures, "--out", tmp_path / "o", "--jobs", 1, "--json")
    assert done.exit_code == 2, done.output
    assert "empty.png" in done.stderr and "--nodata none" in done.stderr
    alpha = json.loads((tmp_path / "o" / "alpha" / "manifest.json").read_text())
    result = alpha["result"]
    assert alpha["picture"]["outside"] == "alpha channel" and 0.2 < result["outside_share"] < gone.mean() + 0.01
    assert result["cells_outside"] > 0 and result["cracks"] >= 1
    page = (tmp_path / "o" / "alpha" / "report.html").read_text()
    assert "was not photographed, as its alpha channel says" in page and "within 12 px" in page
    entry = json.loads(done.stdout)["inputs"][0]
    dropped = 1 - result["cells_passed_on"] / (result["cells"] - result["cells_outside"])
    assert entry["area_dropped_share"] == pytest.approx(dropped, abs=0.02)
    light = ("--segmenter", "light", "--jobs", 1)  # which takes such a border for a crack
    plain = call("scan", tmp_path / "white.png", "--out", tmp_path / "w", *light)
    assert "--nodata 0" in plain.output
    call("scan", tmp_path / "white.png", "--out", tmp_path / "n", *light, "--nodata", 255)
    masks = {n: tifffile.imread(tmp_path / n / "mask.tif", key=0) != 0 for n in ("w", "n")}
    near = distance_transform_cdt(~gone, "chessboard") <= 12
    assert masks["w"][near].any() and not masks["n"][near].any()
    wrong = call("scan", tmp_path / "white.png", "--out", tmp_path / "x", "--nodata", "white")
    assert wrong.exit_code == 1 and "received white" in wrong.stderr


def test_a_part_of_a_picture_has_its_pixels_and_what_is_not_there(tmp_path, rgb, gone):
    save_tiff(tmp_path / "a.tif", rgb, gone, tile=(64, 64))
    with open_source(tmp_path / "a.tif") as whole:
        part = Part(whole, (30, 230, 40, 200))
        assert (part.height, part.width, part.outside) == (200, 160, whole.outside)
        np.testing.assert_array_equal(part.read(20, 50), whole.window(50, 80, 40, 200))
        np.testing.assert_array_equal(part.window(20, 50, 7, 90), whole.window(50, 80, 47, 130))
        np.testing.assert_array_equal(part.absent(0, 200), gone[30:230, 40:200])
        np.testing.assert_array_equal(part.absent(5, 20, 3, 60), gone[35:50, 43:100])
