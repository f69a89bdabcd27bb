"""Tiles of a segmentation: no seam, every pixel once, every row once."""

from __future__ import annotations

import numpy as np
import pytest

from aoienet.segment import SegmentError, picture, regions, tiles
from aoienet.segment.onnx import OnnxSegmenter, Options
from tests.segment.networks import unet


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    return OnnxSegmenter(unet(tmp_path_factory.mktemp("net") / "n.onnx"), Options(align_px=4))


def image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def mirrored_whole(segmenter, pixels: np.ndarray) -> np.ndarray:
    """The definition, in one run: the picture mirrored all round, and the middle of the answer."""
    halo, (h, w) = segmenter.halo_px, pixels.shape[:2]
    more = [(halo, halo + -h % segmenter.align_px), (halo, halo + -w % segmenter.align_px)]
    wide = np.pad(pixels, more + [(0, 0)] * (pixels.ndim - 2), mode="symmetric")
    return segmenter(wide)[:h, :w]


@pytest.mark.parametrize("size", [(131, 97), (64, 256), (7, 300), (1, 1), (50, 3)])
@pytest.mark.parametrize("tile_px", [32, 52, 512])
def test_tiles_give_the_mask_of_the_whole_picture(segmenter, size, tile_px):
    pixels = image(*size)
    whole = mirrored_whole(segmenter, pixels)
    assert whole.std() > 0.01 or whole.size < 400  # the network does look at the picture
    np.testing.assert_allclose(picture(segmenter, pixels, tile_px), whole, atol=2e-6)


def test_a_network_that_leaves_the_halo_out_by_itself(segmenter, tmp_path):
    """The same answers, from less work."""
    inner = OnnxSegmenter(unet(tmp_path / "n.onnx", edge=8), Options(align_px=4, halo_px=8))
    pixels = image(131, 97)
    np.testing.assert_allclose(picture(inner, pixels, 32), mirrored_whole(segmenter, pixels), atol=2e-6)
    with pytest.raises(SegmentError, match=r"multiples of 4 px and more than 16 px; received 16x20"):
        inner(image(20, 16))


def test_a_halo_that_is_too_small_leaves_seams(segmenter, tmp_path):
    """The comparison above can fail: the same network with less halo than it looks."""
    short = OnnxSegmenter(unet(tmp_path / "n.onnx"), Options(align_px=4, halo_px=0))
    pixels = image(131, 97)
    assert np.abs(picture(short, pixels, 32) - mirrored_whole(segmenter, pixels)).max() > 1e-3


@pytest.mark.parametrize("seed", range(6))
def test_regions_cover_the_union_once_and_agree_with_the_whole(segmenter, seed):
    rng = np.random.default_rng(seed)
    pixels = image(211, 307, seed)
    corners = rng.integers(-20, 330, (int(rng.integers(1, 30)), 2))
    rectangles = [
        (int(x), int(y), int(x + w), int(y + h))
        for (x, y), (w, h) in zip(corners, rng.integers(0, 90, corners.shape), strict=True)
    ]
    wanted = np.zeros(pixels.shape, bool)
    for x0, y0, x1, y1 in rectangles:
        wanted[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = True
    times, found = np.zeros(pixels.shape, int), np.zeros(pixels.shape, np.float32)
    for (x0, y0, x1, y1), probability in regions(segmenter, lambda a, b: pixels[a:b], pixels.shape, rectangles, 48):
        assert probability.shape == (y1 - y0, x1 - x0)
        times[y0:y1, x0:x1] += 1
        found[y0:y1, x0:x1] = probability
    np.testing.assert_array_equal(times, wanted)
    np.testing.assert_allclose(found[wanted], mirrored_whole(segmenter, pixels)[wanted], atol=2e-6)


def test_rows_are_read_once_in_growing_order_and_few_are_held(segmenter):
    pixels = image(900, 40)
    asked: list[tuple[int, int]] = []

    def read(y0: int, y1: int) -> np.ndarray:
        asked.append((y0, y1))
        return pixels[y0:y1]

    for _ in regions(segmenter, read, pixels.shape, [(0, 0, 40, 400), (3, 700, 9, 900)], 64):
        pass
    assert all(a[1] <= b[0] for a, b in zip(asked, asked[1:], strict=False))
    assert max(b - a for a, b in asked) <= 64 + 2 * segmenter.halo_px
    assert sum(b - a for a, b in asked) < 900  # what nobody needs is not read


def test_nothing_to_do_reads_nothing(segmenter):
    def read(y0: int, y1: int) -> np.ndarray:
        raise AssertionError("not asked for")

    assert list(regions(segmenter, read, (100, 100), [], 64)) == []
    assert list(regions(segmenter, read, (100, 100), [(5, 5, 5, 9), (200, 0, 300, 10), (0, 8, 9, 3)], 64)) == []


def test_small_parts_far_apart_are_run_alone_and_neighbours_together():
    near = [(0, 0, 32, 32), (32, 0, 64, 32)]
    assert len(tiles.windows(tiles.disjoint(near), 16, 16)) == 1
    far = [(0, 0, 32, 32), (480, 480, 512, 512)]
    assert len(tiles.windows(far, 16, 16)) == 2
    assert len(tiles.windows(far, 16, 2000)) == 1
    apart = [(0, 0, 32, 32), (64, 0, 96, 32)]
    assert [len(tiles.windows(apart, 16, 16, cost)) for cost in (0, 2)] == [1, 2]


def test_a_reader_that_gives_too_little_is_refused(segmenter):
    with pytest.raises(ValueError, match="rows of uint8.*received \\(3, 40\\)"):
        list(regions(segmenter, lambda a, b: image(3, 40), (100, 40), [(0, 0, 40, 100)], 64))


def test_a_network_of_fixed_size(tmp_path):
    fixed = OnnxSegmenter(unet(tmp_path / "f.onnx", side=96), Options(align_px=4))
    free = OnnxSegmenter(unet(tmp_path / "n.onnx"), Options(align_px=4))
    pixels = image(131, 200)
    np.testing.assert_allclose(picture(fixed, pixels), picture(free, pixels), atol=2e-6)
    with pytest.raises(ValueError, match="takes 96x96 px at a time"):
        fixed(pixels)
    narrow = OnnxSegmenter(unet(tmp_path / "g.onnx", side=96), Options(align_px=4, halo_px=48))
    with pytest.raises(ValueError, match="smaller halo_px"):
        picture(narrow, pixels)


def test_near_parts_are_run_together_and_far_ones_alone():
    from aoienet.segment.tiles import windows

    near, also, far = (0, 0, 32, 32), (40, 0, 64, 32), (400, 400, 440, 432)
    made = windows([near, far, also], 16, 32)
    assert made == [((0, 0, 64, 32), [near, also]), ((400, 400, 448, 432), [far])]
    assert windows([near, far], 16, 4000) == [((0, 0, 448, 432), [near, far])]
    assert windows([far], 16, 32) == [((400, 400, 448, 432), [far])]
