"""JPEG 2000, pyramids, windows; folders, globs and lists; rows on standard input."""

import io
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from aoienet.scan.sources import (
    RawRows,
    SourceError,
    find_pictures,
    frames,
    grey_of_rgb,
    level_table,
    open_source,
    sampled_sha256,
    stored,
)

H, W = 150, 203


@pytest.fixture
def rgb():
    y, x = np.mgrid[:H, :W]
    grey = (90 + 60 * np.sin(x / 9) + 50 * np.cos(y / 13)).astype(np.uint8)
    return np.stack([grey, grey[::-1], 255 - grey[:, ::-1]], axis=2)


def whole(path, channels=1, step=37):
    with open_source(path, channels) as source:
        return np.concatenate([source.read(y, min(y + step, source.height)) for y in range(0, source.height, step)])


@pytest.mark.parametrize("suffix", ["jp2", "j2k"])
def test_jpeg_2000_without_loss_gives_the_pixels_that_were_written(tmp_path, rgb, suffix):
    import imagecodecs

    for name, pixels in (("rgb", rgb), ("grey", rgb[..., 0]), ("alpha", np.dstack([rgb, rgb[..., 0]]))):
        path = tmp_path / f"{name}.{suffix}"
        path.write_bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat=suffix, reversible=True))
        want = np.repeat(pixels[..., None], 3, axis=2) if name == "grey" else rgb
        np.testing.assert_array_equal(whole(path, 3), want)
        np.testing.assert_array_equal(whole(path, 1), rgb[..., 0] if name == "grey" else grey_of_rgb(rgb))
        with open_source(path) as source:
            assert source.format == "JPEG 2000" and ("alpha" in " ".join(source.notes)) == (name == "alpha")


def test_jpeg_2000_of_12_bits_uses_its_own_white_level(tmp_path):
    import imagecodecs

    levels = np.array([[0, 8, 9, 2048, 4095]], np.uint16).repeat(64, 0).repeat(16, 1)
    data = imagecodecs.jpeg2k_encode(levels, level=0, bitspersample=12, codecformat="jp2", reversible=True)
    (tmp_path / "a.jp2").write_bytes(data)
    with open_source(tmp_path / "a.jp2") as source:
        assert source.white_level == 4095 and "12 bit" in source.notes[0]
        assert source.read(0, 1)[0, ::16].tolist() == level_table(4095)[levels[0, ::16]].tolist()


def test_a_cut_jpeg_2000_and_one_that_is_too_large_are_refused(tmp_path, rgb, monkeypatch):
    import imagecodecs

    from aoienet.scan.sources import base

    data = imagecodecs.jpeg2k_encode(rgb, level=0, reversible=True)
    (tmp_path / "cut.jp2").write_bytes(data[:60])
    (tmp_path / "a.jp2").write_bytes(data)
    with pytest.raises(SourceError, match=r"cut\.jp2"):
        open_source(tmp_path / "cut.jp2")
    monkeypatch.setattr(base, "MAX_WHOLE_PX", 10_000)
    with pytest.raises(SourceError, match="tiled TIFF"):
        open_source(tmp_path / "a.jp2")


def test_a_picture_without_pixels_is_refused(tmp_path, rgb):
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        at = tiff.pages[0].tags["ImageWidth"].valueoffset
    data[at : at + 4] = bytes(4)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.tif"):
        open_source(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["jpeg2000", "lzw", "zlib", "zstd", "webp"])
def test_tiles_of_many_compressions_are_read(tmp_path, rgb, compression):
    args = {"compressionargs": {"lossless": True}} if compression == "webp" else {}
    args = {"compressionargs": {"reversible": True, "level": 0}} if compression == "jpeg2000" else args
    tifffile.imwrite(tmp_path / "a.tif", rgb, tile=(64, 64), compression=compression, photometric="rgb", **args)
    np.testing.assert_array_equal(whole(tmp_path / "a.tif", 3), rgb)


@pytest.mark.parametrize("sub", [True, False])
def test_of_a_pyramid_the_full_picture_is_read(tmp_path, rgb, sub):
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=True) as out:
        options = {"tile": (32, 32), "photometric": "rgb", "compression": "zlib"}
        if sub:
            out.write(rgb, subifds=2, **options)
            out.write(rgb[::2, ::2], subfiletype=1, **options)
            out.write(rgb[::4, ::4], subfiletype=1, **options)
        else:  # a small copy may come first
            out.write(rgb[::4, ::4], subfiletype=1, **options)
            out.write(rgb, **options)
            out.write(rgb[::2, ::2], subfiletype=1, **options)
    np.testing.assert_array_equal(whole(tmp_path / "a.tif", 3), rgb)
    with open_source(tmp_path / "a.tif") as source:
        assert source.stored["levels"] == 3 and source.notes == []


def test_a_second_full_page_is_told(tmp_path, rgb):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([rgb, rgb]), photometric="rgb")
    with open_source(tmp_path / "a.tif") as source:
        assert source.notes == [] and "Only page 1 of 2 was read" in source.warnings[0]


@pytest.mark.parametrize(
    "options", [{"tile": (32, 48)}, {"rowsperstrip": 16}, {"tile": (64, 64), "compression": "zlib"}]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_window_is_a_part_of_the_picture(tmp_path, rgb, options, channels):
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb", **options)
    expected = whole(tmp_path / "a.tif", channels)
    chance = random.Random(1)
    with open_source(tmp_path / "a.tif", channels) as source:
        for _ in range(30):
            y0, y1 = sorted(chance.sample(range(H + 1), 2))
            x0, x1 = sorted(chance.sample(range(W + 1), 2))
            np.testing.assert_array_equal(source.window(y0, y1, x0, x1), expected[y0:y1, x0:x1])


def test_a_window_decodes_only_the_tiles_that_it_touches(tmp_path, rgb, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb", tile=(32, 32), compression="zlib")
    with open_source(tmp_path / "a.tif") as source:
        seen = []
        inner = source._segment
        monkeypatch.setattr(source, "_segment", lambda index, *rest: seen.append(index) or inner(index, *rest))
        source.window(33, 64, 64, 97)
        assert sorted(seen) == [9, 10]  # second row of seven tiles, columns 2 and 3


# --- which pictures ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.tif", "sub/c.PNG", "sub/.hidden/d.png", "notes.txt", ".e.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "in"


def names(paths, folder):
    return [p.relative_to(folder).as_posix() for p in paths]


def test_a_folder_gives_its_pictures_in_order_of_path(folder):
    assert names(find_pictures([folder]), folder) == ["a.tif", "b.jpg", "sub/c.PNG"]


def test_a_folder_gives_pictures_of_other_formats_too_but_not_beside_the_same_picture_in_one_that_is_read(folder):
    for name in ("b.DNG", "lone.dng", "sub/c.webp", "sub/d.bmp", "sub/.hidden/e.heic"):
        (folder / name).write_bytes(b"x")
    assert names(find_pictures([folder]), folder) == ["a.tif", "b.jpg", "lone.dng", "sub/c.PNG", "sub/d.bmp"]


def test_a_folder_of_pictures_that_cannot_be_read_says_so(tmp_path):
    for name in ("a.heic", "b.heic"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        SourceError, match=r"no pictures in the folder .*received 2 in other formats, as a\.heic: convert"
    ):
        find_pictures([tmp_path])


def test_a_raw_file_is_not_taken_for_its_preview(tmp_path):
    tifffile.imwrite(tmp_path / "a.dng", np.zeros((100, 100), np.uint8))
    with pytest.raises(SourceError, match=r"a\.dng is a camera's raw file; next: develop it"):
        open_source(tmp_path / "a.dng", 1)


def test_what_a_scan_wrote_is_no_input_of_the_next_one(folder):
    for name in ("out/mask.tif", "out/x/report.png", "old/mask.tif", "old/preview.jpg", "old/rows.tif", "own/mask.tif"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (folder / "old" / "manifest.json").write_text("{}")
    want = ["a.tif", "b.jpg", "old/rows.tif", "own/mask.tif", "sub/c.PNG"]
    assert names(find_pictures([folder], folder / "out"), folder) == want
    assert names(find_pictures([folder / "**" / "*.tif"], folder / "out"), folder) == [
        "a.tif", "old/rows.tif", "own/mask.tif",
    ]  # fmt: skip
    assert names(find_pictures([folder / "sub"], folder), folder) == ["sub/c.PNG"]  # into the folder of the pictures
    (folder / "sub" / "up").symlink_to("..")
    assert "sub/up/own/mask.tif" in names(find_pictures([folder / "sub"], folder / "out"), folder)
    assert not [p for p in find_pictures([folder / "sub"], folder / "out") if "out" in p.parts]


@pytest.fixture
def site(folder):
    """The folder with links: to a folder elsewhere, to one of its own, to itself, to nothing."""
    (folder.parent / "elsewhere" / "deep").mkdir(parents=True)
    (folder.parent / "elsewhere" / "deep" / "far.jpg").write_bytes(b"x")
    for name, target in (
        ("0linked", "../elsewhere"),
        ("0own", "sub"),
        ("sub/loop", ".."),
        ("sub/gone.jpg", "no.jpg"),
        ("gone.txt", "no"),
    ):
        (folder / name).symlink_to(target)
    return folder


LINKED = ["0linked/deep/far.jpg", "a.tif", "b.jpg", "sub/c.PNG", "sub/gone.jpg"]


def test_a_folder_gives_what_links_lead_to_once_and_broken_links_of_pictures(site):
    assert names(find_pictures([site]), site) == LINKED
    with pytest.raises(SourceError, match=r"no such file: .*gone\.jpg; next: mend the link, which leads to no\.jpg"):
        open_source(site / "sub" / "gone.jpg")


def test_a_pattern_gives_what_links_lead_to_once_and_broken_links(site):
    assert names(find_pictures([site / "**" / "*.jpg"]), site) == [
        "0linked/deep/far.jpg", "b.jpg", "sub/gone.jpg",
    ]  # fmt: skip
    assert names(find_pictures([site / "0*" / "**" / "*.PNG"]), site) == ["0own/c.PNG"]


def test_a_folder_that_cannot_be_read_is_a_picture_that_fails(folder, monkeypatch):
    real, shut = os.scandir, str(folder / "sub")

    def scandir(path):
        if str(path).startswith(shut):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(find_pictures([folder]), folder) == ["a.tif", "b.jpg", "sub"]
    assert names(find_pictures([folder / "**" / "*.tif"]), folder) == ["a.tif", "sub"]
    with pytest.raises(SourceError, match=r"no pictures in the folder .*cannot read .*sub: make it readable"):
        find_pictures([folder / "sub"])
    with pytest.raises(SourceError, match=r"received the folder .*sub; next: .* make it readable"):
        open_source(folder / "sub")


def test_every_name_of_jpeg_is_read_and_no_name_of_a_raw_file(tmp_path):
    for name in ("a.jfif", "b.jpe", "c.JIF"):
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / name, "JPEG")
        open_source(tmp_path / name).close()
    others = [f"{n}{s}" for n, s in enumerate((".iiq", ".3fr", ".nrw", ".rwl", ".srf", ".x3f", ".psd", ".tga"))]
    for name in others:
        tifffile.imwrite(tmp_path / name, np.zeros((9, 9), np.uint8))
    assert names(find_pictures([tmp_path]), tmp_path) == sorted(["a.jfif", "b.jpe", "c.JIF", *others])
    for name in others[:6]:
        with pytest.raises(SourceError, match="raw file; next: develop it"):
            open_source(tmp_path / name)


def test_a_picture_by_several_names_is_meant_once_by_the_first(folder):
    (folder / "z.tif").symlink_to("a.tif")
    assert names(find_pictures([folder]), folder) == ["a.tif", "b.jpg", "sub/c.PNG"]
    twice = [folder / "a.tif", folder / "sub" / ".." / "a.tif", folder / "z.tif"]
    assert find_pictures(twice) == twice[:1] and find_pictures(twice[::-1]) == twice[:1:-1]


def test_a_picture_that_cannot_be_used_says_what_to_do(tmp_path):
    tifffile.imwrite(tmp_path / "float.tif", np.zeros((64, 64), np.float32))
    tifffile.imwrite(tmp_path / "deep.tif", np.zeros((64, 64), np.uint32))
    for name in ("float.tif", "deep.tif"):
        with pytest.raises(SourceError, match="next: save it with samples of 8 or 16 bits"):
            open_source(tmp_path / name)
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(SourceError, match="is broken or truncated.*next: copy it anew"):
        open_source(tmp_path / "cut.png").read(0, 1)


@pytest.mark.parametrize("offset", [0, 16, 255])
def test_a_tiff_without_pages_is_one_error_and_nothing_else(tmp_path, offset):
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes([offset, 0, 0, 0]) + bytes(8))
    program = f"from aoienet.scan.sources import open_source\ntry: open_source({str(tmp_path / 'a.tif')!r})\nexcept ValueError as e: print(e)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (
        said.stderr == ""
        and "a.tif holds no picture: a TIFF must have at least one page; received none; next: " in said.stdout
    )


@pytest.mark.parametrize("size", [1, 1000, 1 << 16, (1 << 20) - 1, 1 << 20])
def test_a_file_of_up_to_1_mib_differs_from_another_by_any_byte(tmp_path, size):
    data, rng = bytearray(size), random.Random(size)
    (tmp_path / "a").write_bytes(data)
    before = sampled_sha256(tmp_path / "a")
    for at in {0, size - 1, *(rng.randrange(size) for _ in range(20))}:
        data[at] ^= 1
        (tmp_path / "a").write_bytes(data)
        assert sampled_sha256(tmp_path / "a") != before
        data[at] ^= 1


def test_a_large_file_differs_from_another_by_its_ends_and_by_any_stretch_between_two_places(tmp_path):
    size, path = 8 << 20, tmp_path / "a"
    path.write_bytes(bytes(size))
    before = sampled_sha256(path)
    for first, count in ((0, 1), (size - 1, 1), (1 << 20, size // 15), (5 << 20, size // 15)):
        path.write_bytes(bytes(first) + b"x" * count + bytes(size - first - count))
        assert sampled_sha256(path) != before


def test_a_comment_in_a_list_is_no_picture_unless_its_path_says_so(folder):
    (folder / "#1.png").write_bytes(b"x")
    (folder / "list.txt").write_text("# two pictures\na.tif\n./#1.png\n")
    assert names(find_pictures([f"@{folder / 'list.txt'}"]), folder) == ["a.tif", "#1.png"]


@pytest.mark.parametrize(
    ("line", "words"), [("sub", "received the folder .*not in a list"), ("*.tif", "pattern on the command line")]
)
def test_a_folder_or_a_pattern_in_a_list_says_where_to_name_it(folder, line, words):
    (folder / "list.txt").write_text(line)
    (path,) = find_pictures([f"@{folder / 'list.txt'}"])
    with pytest.raises(SourceError, match=words):
        open_source(path)


def test_a_glob_and_a_name_twice_give_each_picture_once(folder):
    assert names(find_pictures([folder / "b.jpg", folder / "*.[jt]*", folder]), folder) == [
        "b.jpg", "a.tif", "notes.txt", "sub/c.PNG",
    ]  # fmt: skip
    assert names(find_pictures([folder / "**" / "*.PNG"]), folder) == ["sub/c.PNG"]


def test_a_list_names_paths_beside_itself_and_missing_ones_stay(folder):
    (folder / "list.txt").write_text("# today\n\nsub/c.PNG\n  b.jpg \nmissing.tif\n", encoding="utf-8-sig")
    assert names(find_pictures([f"@{folder / 'list.txt'}"]), folder) == ["sub/c.PNG", "b.jpg", "missing.tif"]


def test_a_name_that_is_not_utf_8_is_refused_before_the_work(folder):
    try:
        (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(SourceError, match=r"must be UTF-8; received .*caf\\xe9\.png.*rename it"):
        find_pictures([folder])


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    (folder / "wall[1].png").write_bytes(b"x")
    assert names(find_pictures([folder / "wall[1].png"]), folder) == ["wall[1].png"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [("empty", "no pictures in the folder"), ("no*.tif", "no file matches"), ("@no.txt", "no such list"), ("@blank.txt", "names no picture"),
     ("@latin.txt", "UTF-8")],
)  # fmt: skip
def test_nothing_found_is_an_error_that_says_where(folder, monkeypatch, argument, message):
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    (folder / "blank.txt").write_text("# nothing\n\n")
    (folder / "latin.txt").write_bytes("Brücke.tif".encode("latin-1"))
    with pytest.raises(SourceError, match=message):
        find_pictures([argument])


# --- rows on standard input -------------------------------------------------------------------------------------------


class Dribble(io.RawIOBase):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, data):
        self._data, self._at = data, 0

    def read(self, size=-1):
        size = min(size, 1 + self._at % 97)
        piece = self._data[self._at : self._at + size]
        self._at += len(piece)
        return piece


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rows", [None, 50, 64])
def test_rows_become_pictures_with_the_same_pixels(tmp_path, rgb, dtype, channels, rows):
    picture = rgb if channels == 3 else rgb[..., 0]
    form = RawRows(W, channels, dtype)
    stored = picture if dtype == "uint8" else (picture.astype(np.uint16) * 257)
    paths = list(frames(Dribble(stored.astype(form.sample).tobytes()), form, tmp_path, rows))
    step = rows or H
    assert [p.name for p in paths] == [f"rows-{y:010d}.tif" for y in range(0, H, step)]
    got = np.concatenate([whole(p, channels) for p in paths])
    np.testing.assert_array_equal(got, picture)
    np.testing.assert_array_equal(tifffile.imread(paths[0]), stored[:step])  # another reader agrees


def test_a_12_bit_camera_keeps_its_white_level(tmp_path):
    levels = np.array([[0, 8, 9, 2048, 4095]] * 4, "<u2")
    (path,) = frames(io.BytesIO(levels.tobytes()), RawRows(5, 1, "uint16", 4095), tmp_path)
    with open_source(path) as source:
        assert source.white_level == 4095 and source.read(0, 1)[0].tolist() == [0, 0, 1, 128, 255]


def test_a_stream_that_ends_inside_a_row_keeps_the_whole_rows_and_says_so(tmp_path, rgb):
    data = rgb[..., 0].tobytes()[: 120 * W + 7]
    made = frames(io.BytesIO(data), RawRows(W), tmp_path, 100)
    first, second = next(made), next(made)
    with pytest.raises(SourceError, match="received 7 bytes after row 120"):
        next(made)
    np.testing.assert_array_equal(np.concatenate([whole(first), whole(second)]), rgb[:120, :, 0])


def test_an_interrupted_stream_keeps_the_rows_that_came(tmp_path, rgb):
    class Interrupted(Dribble):
        def read(self, size=-1):
            if self._at > 40 * W:
                raise KeyboardInterrupt
            return super().read(size)

    with pytest.raises(KeyboardInterrupt):
        list(frames(Interrupted(rgb[..., 0].tobytes()), RawRows(W), tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["rows-0000000000.tif"]
    got = whole(tmp_path / "rows-0000000000.tif")
    assert len(got) == 40
    np.testing.assert_array_equal(got, rgb[:40, :, 0])
    with pytest.raises(SourceError, match="never writes over"):
        list(frames(io.BytesIO(bytes(W)), RawRows(W), tmp_path))


@pytest.mark.parametrize("dtype", ["uint8", ">u2"])
def test_of_what_a_kill_left_the_whole_rows_become_a_picture(tmp_path, rgb, dtype):
    form = RawRows(W, 3, dtype)
    levels = (rgb if dtype == "uint8" else rgb.astype(np.uint16) * 257).astype(form.sample)
    list(frames(io.BytesIO(levels[:100].tobytes()), form, tmp_path))
    beginning = bytes(256) + levels[100:].tobytes()
    for cut in (256 + 20 * form.row_bytes - 1, 256 + 20 * form.row_bytes):  # inside of row 20, and after it
        (tmp_path / ".rows-0000000100.tif.part").write_bytes(beginning[:cut])
        paths, rows = stored(tmp_path, form)
        assert [p.name for p in paths] == ["rows-0000000000.tif", "rows-0000000100.tif"] == sorted(os.listdir(tmp_path))
        np.testing.assert_array_equal(np.concatenate([whole(p, 3) for p in paths]), rgb[:rows])
    assert rows == 120
    for nothing in (0, 100, 256 + form.row_bytes - 1):
        (tmp_path / ".rows-0000000120.tif.part").write_bytes(beginning[:nothing])
        assert stored(tmp_path, form) == (paths, 120) and len(os.listdir(tmp_path)) == 2


def test_a_stream_does_not_write_over_what_a_kill_left(tmp_path):
    (tmp_path / ".rows-0000000000.tif.part").write_bytes(bytes(256 + W))
    with pytest.raises(SourceError, match=r"never writes over a picture; received .*\.part"):
        list(frames(io.BytesIO(bytes(W)), RawRows(W), tmp_path))


def test_a_stream_that_cannot_be_read_to_its_end_keeps_the_rows_that_came(tmp_path, rgb):
    class Broken(Dribble):
        def read(self, size=-1):
            if self._at > 40 * W:
                raise OSError(5, "Input/output error")
            return super().read(size)

    made = frames(Broken(rgb[..., 0].tobytes()), RawRows(W), tmp_path, 30)
    np.testing.assert_array_equal(np.concatenate([whole(next(made)), whole(next(made))]), rgb[:40, :, 0])
    with pytest.raises(
        SourceError, match="cannot read the stream after row 40: Input/output error; next: look at what"
    ):
        next(made)


def test_wrong_descriptions_of_a_stream_are_refused(tmp_path):
    for wrong in ({"width": 0}, {"width": 5, "channels": 2}, {"width": 5, "dtype": "f4"}, {"width": 5, "white_level": 4095},
                  {"width": 5, "dtype": "uint16", "white_level": 70000}):  # fmt: skip
        with pytest.raises(SourceError, match="received"):
            RawRows(**wrong)
    with pytest.raises(SourceError, match="at least one row"):
        list(frames(io.BytesIO(b""), RawRows(W), tmp_path))
    with pytest.raises(SourceError, match="rows=0"):
        list(frames(io.BytesIO(b""), RawRows(W), tmp_path, 0))
