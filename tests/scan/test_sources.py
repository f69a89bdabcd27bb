"""Every way a picture can be stored gives the same pixels; every broken one gives a clear error."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from aoienet.scan.sources import SourceError, base, grey_of_rgb, level_table, open_source, orient

H, W = 150, 203


@pytest.fixture
def grey():
    y, x = np.mgrid[:H, :W]
    return (90 + 60 * np.sin(x / 9) + 50 * np.cos(y / 13)).astype(np.uint8)


@pytest.fixture
def rgb(grey):
    return np.stack([grey, grey[::-1], 255 - grey[:, ::-1]], axis=2)


def whole(path, channels=1, step=37):
    """The picture read in uneven bands."""
    with open_source(path, channels) as source:
        return np.concatenate([source.read(y, min(y + step, source.height)) for y in range(0, source.height, step)])


LAYOUTS = {
    "one strip": {"rowsperstrip": H}, "strips": {"rowsperstrip": 16}, "tiles": {"tile": (32, 48)},
    "deflate strips": {"rowsperstrip": 40, "compression": "zlib"}, "deflate tiles": {"tile": (64, 64), "compression": "zlib", "predictor": True},
    "lzw tiles": {"tile": (32, 32), "compression": "lzw"}, "zstd tiles": {"tile": (64, 32), "compression": "zstd"},
    "bigtiff tiles": {"tile": (32, 32), "bigtiff": True}, "big endian strips": {"rowsperstrip": 7, "byteorder": ">"},
    "big endian tiles": {"tile": (32, 32), "byteorder": ">"},
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("color", ["grey", "rgb", "rgb planes"])
def test_tiff_gives_the_pixels_that_were_written(tmp_path, grey, rgb, layout, bits, color):
    picture = grey if color == "grey" else rgb
    stored = picture if bits == 8 else picture.astype(np.uint16) * 257
    options = {"photometric": "minisblack" if color == "grey" else "rgb"}
    if color == "rgb planes":
        stored, options["planarconfig"] = stored.transpose(2, 0, 1), "separate"
    tifffile.imwrite(tmp_path / "a.tif", stored, **options, **LAYOUTS[layout])
    np.testing.assert_array_equal(whole(tmp_path / "a.tif"), grey if color == "grey" else grey_of_rgb(rgb))
    expected = np.repeat(grey[..., None], 3, axis=2) if color == "grey" else rgb
    np.testing.assert_array_equal(whole(tmp_path / "a.tif", channels=3), expected)


@pytest.mark.parametrize("color", ["grey", "rgb"])
def test_jpeg_tiles_are_decoded_with_shared_tables_and_right_colors(tmp_path, grey, rgb, color):
    picture = grey if color == "grey" else rgb
    tifffile.imwrite(tmp_path / "a.tif", picture, tile=(64, 64), compression="jpeg", compressionargs={"level": 97},
                     photometric="minisblack" if color == "grey" else "rgb")  # fmt: skip
    got = whole(tmp_path / "a.tif", channels=3).astype(int)
    want = np.repeat(grey[..., None], 3, axis=2) if color == "grey" else rgb
    assert np.abs(got - want).mean() < 5
    stored = tifffile.imread(tmp_path / "a.tif")
    np.testing.assert_array_equal(got, stored if color == "rgb" else np.repeat(stored[..., None], 3, axis=2))


def test_sixteen_bit_uses_the_white_level_of_the_file(tmp_path):
    levels = np.array([[0, 8, 9, 2048, 4095, 5000]], np.uint16).repeat(70, 0).repeat(12, 1)
    tifffile.imwrite(tmp_path / "a.tif", levels, extratags=[(281, "H", 1, 4095, True)])
    with open_source(tmp_path / "a.tif") as source:
        assert source.white_level == 4095
        assert source.read(0, 1)[0, ::12].tolist() == [0, 0, 1, 128, 255, 255]
    assert level_table(65535)[[0, 128, 129, 65535]].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_a_white_level_of_the_user_is_for_more_than_8_bits(tmp_path, name):
    levels = np.array([[0, 2048, 4095]], np.uint16).repeat(70, 0).repeat(30, 1)
    if name == "a.tif":
        tifffile.imwrite(tmp_path / name, levels, extratags=[(281, "H", 1, 60000, True)])
    else:
        Image.fromarray(levels).save(tmp_path / name)
    with open_source(tmp_path / name, 1, 4095) as source:
        assert source.read(0, 1)[0, ::30].tolist() == [0, 128, 255] and "4095" in source.notes[0]
    Image.fromarray((levels // 16).astype(np.uint8)).save(tmp_path / "b.png")
    with open_source(tmp_path / "b.png", 1, 4095) as source:
        assert source.read(0, 1)[0, ::30].tolist() == [0, 128, 255]
    with pytest.raises(SourceError, match=r"1\.\.65535; received 70000"):
        open_source(tmp_path / name, 1, 70000)


def test_white_is_zero_palette_alpha_and_cmyk_tiffs_become_what_they_show(tmp_path, grey, rgb):
    tifffile.imwrite(tmp_path / "w.tif", 255 - grey, photometric="miniswhite")
    np.testing.assert_array_equal(whole(tmp_path / "w.tif"), grey)
    colors = np.arange(768, dtype=np.uint16).reshape(3, 256) * 85
    tifffile.imwrite(tmp_path / "p.tif", grey, photometric="palette", colormap=colors)
    want = level_table(65535)[colors].T[grey]
    np.testing.assert_array_equal(whole(tmp_path / "p.tif", 3), want)
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([rgb, grey]), photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(whole(tmp_path / "a.tif", 3), rgb)
    tifffile.imwrite(tmp_path / "k.tif", np.dstack([255 - rgb, np.zeros_like(grey)]), photometric="separated")
    np.testing.assert_array_equal(whole(tmp_path / "k.tif", 3), rgb)
    with (
        open_source(tmp_path / "a.tif") as a,
        open_source(tmp_path / "k.tif") as k,
        open_source(tmp_path / "p.tif") as p,
    ):
        assert "alpha" in a.notes[0] and "CMYK" in k.notes[0] and "palette" in p.notes[0]


def test_grey_of_png_and_jpeg_is_the_integer_formula(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    np.testing.assert_array_equal(whole(tmp_path / "a.png"), grey_of_rgb(rgb))
    np.testing.assert_array_equal(whole(tmp_path / "a.png", 3), rgb)
    Image.fromarray(rgb).save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_array_equal(whole(tmp_path / "a.jpg"), grey_of_rgb(np.asarray(Image.open(tmp_path / "a.jpg"))))


def test_png_with_16_bit_alpha_or_palette_is_converted_with_a_note(tmp_path, grey, rgb):
    import imagecodecs

    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(rgb.astype(np.uint16) * 256 + 100))
    want = level_table(65535)[rgb.astype(np.int64) * 256 + 100]
    np.testing.assert_array_equal(whole(tmp_path / "a.png", 3), want)
    Image.fromarray(np.dstack([rgb, grey])).save(tmp_path / "b.png")
    np.testing.assert_array_equal(whole(tmp_path / "b.png", 3), rgb)
    Image.fromarray(rgb).quantize(16).save(tmp_path / "c.png")
    with (
        open_source(tmp_path / "a.png") as a,
        open_source(tmp_path / "b.png") as b,
        open_source(tmp_path / "c.png", 3) as c,
    ):
        assert "16 bit" in a.notes[0] and "alpha" in b.notes[0] and "palette" in c.notes[0]
        assert c.read(0, H).shape == (H, W, 3)


def test_cmyk_jpeg_is_converted(tmp_path, rgb):
    Image.fromarray(rgb).convert("CMYK").save(tmp_path / "a.jpg", quality=97)
    assert np.abs(whole(tmp_path / "a.jpg", 3).astype(int) - rgb).mean() < 6
    with open_source(tmp_path / "a.jpg") as source:
        assert "CMYK" in source.notes[0]


@pytest.mark.parametrize("code", range(1, 9))
def test_orientation_is_applied_as_pillow_does(tmp_path, grey, code):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[274] = code
    Image.fromarray(grey).save(tmp_path / "a.png", exif=exif)
    want = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    np.testing.assert_array_equal(orient(grey, code), want)
    np.testing.assert_array_equal(whole(tmp_path / "a.png"), want)
    tifffile.imwrite(tmp_path / "a.tif", grey, tile=(32, 32), extratags=[(274, "H", 1, code, True)])
    np.testing.assert_array_equal(whole(tmp_path / "a.tif"), want)


def test_a_tiff_is_never_decoded_as_a_whole(tmp_path, grey, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", grey, tile=(32, 32), compression="zlib")
    with open_source(tmp_path / "a.tif") as source:
        seen = []
        inner = source._segment
        monkeypatch.setattr(source, "_segment", lambda index, *rest: seen.append(index) or inner(index, *rest))
        source.read(0, 40)
        source.read(40, 64)
        assert sorted(seen) == list(range(14))  # two rows of seven tiles, each decoded once


def test_absent_tiles_are_black(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, iter([np.full((32, 32), 9, np.uint8), None, None, None]), shape=(64, 64), dtype=np.uint8, tile=(32, 32)
    )
    picture = whole(path)
    assert picture[:32, :32].min() == 9 and picture[32:].max() == 0 and picture[:, 32:].max() == 0


def broken_files(folder, grey):
    Image.fromarray(grey).save(folder / "cut.jpg")
    Image.fromarray(grey).save(folder / "cut.png")
    tifffile.imwrite(folder / "cut.tif", grey, tile=(32, 32))
    tifffile.imwrite(folder / "cut_strip.tif", grey, rowsperstrip=H)
    for name in ("cut.jpg", "cut.png", "cut.tif", "cut_strip.tif"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) * 2 // 3])
    (folder / "head.tif").write_bytes(b"II*\0\xff\xff\xff\x7f" + bytes(40))
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture at all")
    tifffile.imwrite(folder / "float.tif", grey.astype(np.float32))
    tifffile.imwrite(folder / "wide.tif", grey.astype(np.uint32))
    tifffile.imwrite(folder / "zip.tif", grey, tile=(32, 32), compression="zlib")
    data = bytearray((folder / "zip.tif").read_bytes())
    with tifffile.TiffFile(folder / "zip.tif") as tiff:
        at = tiff.pages[0].dataoffsets[3]
    data[at : at + 30] = bytes(30)
    (folder / "zip.tif").write_bytes(data)
    return [
        "cut.jpg",
        "cut.png",
        "cut.tif",
        "cut_strip.tif",
        "head.tif",
        "empty.png",
        "text.jpg",
        "float.tif",
        "wide.tif",
        "zip.tif",
        "none.png",
    ]


def test_broken_pictures_raise_one_kind_of_error_that_names_the_file(tmp_path, grey):
    for name in broken_files(tmp_path, grey):
        with pytest.raises(SourceError, match=name.replace(".", r"\.")):
            whole(tmp_path / name)


def test_pictures_that_must_be_decoded_whole_have_a_limit(tmp_path, grey, monkeypatch):
    monkeypatch.setattr(base, "MAX_WHOLE_PX", 10_000)
    Image.fromarray(grey).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "strip.tif", grey, rowsperstrip=H, compression="zlib")
    tifffile.imwrite(tmp_path / "turned.tif", grey, tile=(32, 32), extratags=[(274, "H", 1, 6, True)])
    for name in ("a.png", "strip.tif", "turned.tif"):
        with pytest.raises(SourceError, match="tiled TIFF"):
            open_source(tmp_path / name)
    tifffile.imwrite(tmp_path / "plain.tif", grey, rowsperstrip=H)  # uncompressed: rows can be read alone
    np.testing.assert_array_equal(whole(tmp_path / "plain.tif"), grey)


def test_pillow_limit_is_left_as_it_was(tmp_path, grey):
    before = Image.MAX_IMAGE_PIXELS
    Image.fromarray(grey).save(tmp_path / "a.png")
    open_source(tmp_path / "a.png").close()
    assert before == Image.MAX_IMAGE_PIXELS and before is not None
