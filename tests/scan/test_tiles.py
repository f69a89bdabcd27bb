"""Exact geometry of blocks and tiles."""

import numpy as np
import pytest

from aoienet.scan.tiles import Geometry, GeometryError, block_grid, rows_of_tiles


def tiles(*arguments):
    return [tile for row in rows_of_tiles(*arguments) for tile in row]


G = Geometry(block_px=64, stride_px=32, halo_px=64, total_stride=8)


@pytest.mark.parametrize(
    ("size", "count", "padded"), [(64, 1, 64), (65, 2, 96), (96, 2, 96), (97, 3, 128), (100, 3, 128), (1000, 31, 1024)]
)
def test_grid_covers_the_picture_and_extends_it_to_whole_blocks(size, count, padded):
    grid = block_grid(size, 64, G)
    assert (grid.rows, grid.padded_height) == (count, padded)
    assert 0 <= grid.padded_height - size < G.stride_px


def test_boxes_of_tiles_are_exact():
    grid = block_grid(200, 300, G)
    boxes = [(t.row0, t.row1, t.col0, t.col1, t.y0, t.y1, t.x0, t.x1, t.skip_rows, t.skip_cols)
             for t in tiles(grid, G, (128, 160))]  # fmt: skip
    assert boxes == [
        (0, 3, 0, 3, 0, 192, 0, 192, 0, 0),
        (0, 3, 3, 6, 0, 192, 32, 288, 0, 2),
        (0, 3, 6, 9, 0, 192, 128, 320, 0, 2),
        (3, 6, 0, 3, 32, 224, 0, 192, 2, 0),
        (3, 6, 3, 6, 32, 224, 32, 288, 2, 2),
        (3, 6, 6, 9, 32, 224, 128, 320, 2, 2),
    ]


@pytest.mark.parametrize("tile_hw", [(1, 1), (64, 64), (100, 500), (333, 90), (5000, 5000)])
def test_every_block_belongs_to_exactly_one_tile(tile_hw):
    grid = block_grid(515, 388, G)
    seen = np.zeros((grid.rows, grid.cols), int)
    for t in tiles(grid, G, tile_hw):
        seen[t.row0 : t.row1, t.col0 : t.col1] += 1
        assert t.y0 % G.stride_px == 0 and t.x0 % G.stride_px == 0
        assert t.y1 <= grid.padded_height and t.x1 <= grid.padded_width
        assert (t.y1 - t.y0 - G.block_px) // G.stride_px + 1 >= t.skip_rows + t.row1 - t.row0
    assert (seen == 1).all()


@pytest.mark.parametrize("tile_hw", [(1, 1), (100, 500), (5000, 5000)])
def test_tiles_begin_where_the_coarsest_level_does(tile_hw):
    levels = Geometry(block_px=64, stride_px=32, halo_px=128, total_stride=8, align_px=128)
    grid = block_grid(515, 388, levels)
    for t in tiles(grid, levels, tile_hw):
        assert t.y0 % 128 == 0 and t.x0 % 128 == 0
        assert (t.y0 + 32 * t.skip_rows, t.x0 + 32 * t.skip_cols) == (32 * t.row0, 32 * t.col0)
        assert t.y1 - t.y0 <= 64 + 32 * (t.row1 - t.row0 - 1) + levels.beside_px
        assert t.skip_rows * 32 >= min(128, t.row0 * 32) and t.skip_cols * 32 >= min(128, t.col0 * 32)


def test_no_tile_is_a_sliver_beside_larger_ones():
    grid = block_grid(64 * 32 + 96, 64 * 32 + 96, G)  # 66 rows and columns, one more than a tile of 65 holds
    sizes = {(t.row1 - t.row0, t.col1 - t.col0) for t in tiles(grid, G, (2112, 2112))}
    assert sizes == {(33, 33)}


def test_some_rows_of_blocks_are_cut_as_asked():
    grid = block_grid(515, 388, G)
    some = tiles(grid, G, (100, 500), 3, 9)
    assert {t.row0 for t in some} == {3, 5, 7} and max(t.row1 for t in some) == 9


def test_a_picture_smaller_than_one_block_is_refused_with_its_size():
    with pytest.raises(GeometryError, match="at least one block of 64x64 px; received 300x63"):
        block_grid(63, 300, G)


@pytest.mark.parametrize(
    ("values", "rule"),
    [((64, 65, 0, 1), "block_stride_px"), ((64, 0, 0, 1), "block_stride_px"), ((64, 32, 48, 8), "multiple of align_px"),
     ((64, 32, -32, 8), "halo_px"), ((64, 32, 32, 8, 64), "multiple of align_px"), ((64, 32, 48, 8, 48), "align_px=48"), ((64, 20, 20, 8), "total_stride"), ((64, 32, 64, 0), "total_stride")],
)  # fmt: skip
def test_impossible_geometry_names_the_rule(values, rule):
    with pytest.raises(GeometryError, match=rule):
        Geometry(*values)


def test_geometry_is_read_from_a_header():
    entry = {"block_px": 64, "block_stride_px": 32, "halo_px": 64, "total_stride": 8, "defect": 1}
    assert Geometry.from_header(entry) == G and G.align_px == 32
    assert Geometry.from_header(entry | {"align_px": 64}).align_px == 64
