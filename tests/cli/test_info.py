"""aoienet info on pictures: how they are stored, where they lie, what reading them costs."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "deploy"))
from tiny_models import scan_model  # noqa: E402

from aoienet.cli import app
from aoienet.deploy import format as model_file
from aoienet.engine import Model
from aoienet.scan.runner import DEFAULT_TILE_HW
from aoienet.scan.sources import open_source
from aoienet.scan.sources.cost import aligned_rows, reading_cost

UTM33 = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)


def told(path):
    done = CliRunner().invoke(app, ["info", str(path), "--json"])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def words(path):
    return CliRunner().invoke(app, ["info", str(path)]).stdout


def test_tiles_are_read_in_bands_that_begin_at_their_borders(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2000, 3000), np.uint8), tile=(256, 256), compression="zlib")
    document = told(tmp_path / "a.tif")
    assert document["stored"]["segments"] == 8 * 12 and document["stored"]["compression"] == "ADOBE_DEFLATE"
    with open_source(tmp_path / "a.tif") as source:
        cost = reading_cost(source, band_bytes=3000 * 600)
        assert (cost.band_rows, cost.bands) == (512, 4)
        assert cost.memory_bytes == 512 * 3000 + 256 * 3000 + 256 * 256  # band, row of tiles, one tile being decoded
        assert aligned_rows(source, 1) == 256
    assert "96 tiles of 256 x 256 px" in words(tmp_path / "a.tif")


def test_the_memory_that_is_told_is_not_less_than_what_is_taken(tmp_path):
    import tracemalloc

    picture = np.random.default_rng(0).integers(0, 256, (1024, 9000, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", picture, tile=(256, 256), compression="zlib", photometric="rgb")
    with open_source(tmp_path / "a.tif", 3) as source:
        source.read(0, 1)  # imports
    tracemalloc.start()
    with open_source(tmp_path / "a.tif", 3) as source:
        cost = reading_cost(source, band_bytes=5 << 20)
        for y in range(0, source.height, cost.band_rows):
            source.read(y, min(y + cost.band_rows, source.height))
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.8 * cost.memory_bytes < peak < 1.1 * cost.memory_bytes


def test_a_picture_in_one_piece_says_so_and_is_not_decoded(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((8000, 9000), np.uint8)).save(tmp_path / "a.png", compress_level=1)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    document = told(tmp_path / "a.png")
    assert document["reading"]["bands"] == 1 and document["reading"]["memory_mib"] == pytest.approx(
        2 * 72e6 / 2**20, abs=0.1
    )
    assert document["reading"]["advice"] == ""
    Image.new("RGB", (8000, 8000)).save(tmp_path / "b.jpg")
    assert "tiled TIFF" in told(tmp_path / "b.jpg")["reading"]["advice"] and "in one piece" in words(tmp_path / "b.jpg")


def test_wide_strips_get_advice(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((12000, 12000), np.uint8), rowsperstrip=12000, compression="zlib")
    assert "tiles of 256 to 1024 px" in told(tmp_path / "a.tif")["reading"]["advice"]


def test_a_geotiff_tells_its_crs_and_pixel_size(tmp_path):
    tags = [(33550, "d", 3, (0.004, 0.004, 0), True), (33922, "d", 6, (0, 0, 0, 5e5, 54e5, 0), True)]
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((100, 100), np.uint8),
                     extratags=[*tags, (34735, "H", 16, UTM33, True), (3076, "H", 1, 9001, True)])  # fmt: skip
    pytest.importorskip("pyproj")  # the unit of the CRS stands in its data base only
    document = told(tmp_path / "a.tif")
    assert document["place"]["crs"] == "EPSG:32633" and document["place"]["mm_per_px"] == pytest.approx(4.0)
    assert "4 mm (GeoTIFF pixel size in EPSG:32633)" in words(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((100, 100), np.uint8))
    assert told(tmp_path / "b.tif")["place"] is None


def test_pages_that_are_not_read_and_folders_are_told(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 90, 80), np.uint8))
    assert "warning    Only page 1 of 2 was read" in words(tmp_path / "a.tif")
    assert "Only page 1 of 2" in told(tmp_path / "a.tif")["warnings"][0]
    folder = CliRunner().invoke(app, ["info", str(tmp_path)])
    assert folder.exit_code == 1 and "one file" in folder.stderr and "--dry-run" in folder.stderr


def test_a_broken_picture_is_an_error_of_one_line(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0\xff\xff\xff\x7f")
    done = CliRunner().invoke(app, ["info", str(tmp_path / "a.tif")])
    assert done.exit_code == 1 and done.stderr.count("\n") == 1 and "a.tif" in done.stderr


def test_a_model_tells_its_weights_and_its_memory(monkeypatch):
    monkeypatch.setenv("AOIENET_ISA", "reference")
    document = told("crack_blocks")
    scan, weights, needed = document["scan"], document["weight_bytes"], document["memory"]
    assert sum(weights.values()) == sum(document["tensor_bytes"].values()) and weights["binary"] > 0
    assert (
        weights["binary"] == document["tensor_bytes"]["u64"] and weights["integer"] == document["tensor_bytes"]["i16"]
    )
    model = Model.open(document["file"])
    tall, wide = (side + 2 * scan["halo_px"] for side in DEFAULT_TILE_HW)  # whole blocks of 64 px every 32 px
    assert needed["isa"] == "reference" and needed["model_bytes"] == model.model_bytes > 10_000
    assert needed["workspace_bytes"] == {
        "input 256 x 256 px": model.workspace_bytes(256, 256),
        f"block {scan['block_px']} x {scan['block_px']} px": model.workspace_bytes(*[scan["block_px"]] * 2),
        f"tile {tall} x {wide} px": model.workspace_bytes(tall, wide),
    }
    said = words("neu_cls")
    assert "weights: binary" in said and "memory: model" in said and "block" not in said.split("memory:")[1]


def test_a_model_says_which_of_its_sizes_cannot_be_run(tmp_path):
    def tell(**scan):
        header, tensors = scan_model()
        header["scan"] |= scan
        header["graph"][11]["stride"] = header["scan"]["block_stride_px"] // 8
        model_file.write(tmp_path / "m.aoie", header, tensors)
        return told(tmp_path / "m.aoie")["memory"], words(tmp_path / "m.aoie")

    needed, said = tell(block_stride_px=96, halo_px=96)  # blocks that stand apart
    assert list(needed["workspace_bytes"]) == ["input 96 x 128 px", "block 64 x 64 px"]
    assert "memory: no tile: block_stride_px must lie in 1..block_px; received 96" in said
    needed, said = tell(halo_px=65536)
    assert list(needed["not_possible"]) == ["tile"] and "at most 65536" in needed["not_possible"]["tile"]
    assert tell()[0]["not_possible"] == {}


def test_a_second_stage_tells_how_it_reads_pixels_and_how_far_it_looks(tmp_path):
    from aoienet.segment import SHIPPED, load

    light = load("light")
    document = told("light")
    assert document["kind"] == "segmenter" and document["sha256"] == light.sha256
    assert (document["halo_px"], document["align_px"], document["threshold"]) == (160, 32, light.threshold)
    (tmp_path / "mine.onnx").write_bytes(SHIPPED["light"].read_bytes())
    (tmp_path / "mine.json").write_text('{"threshold": 0.25, "name": "mine"}', encoding="utf-8")
    mine = told(tmp_path / "mine.onnx")
    assert (mine["halo_px"], mine["threshold"], mine["name"]) == (160, 0.25, "mine")
    assert "halo_px: 160" in words(tmp_path / "mine.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    done = CliRunner().invoke(app, ["info", str(tmp_path / "broken.onnx")])
    assert done.exit_code == 1 and "is not an ONNX file" in done.stderr
    assert "shipped models" in CliRunner().invoke(app, ["info", "lihgt"]).stderr
