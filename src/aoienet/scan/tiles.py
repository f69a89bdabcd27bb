"""Pure geometry of a scan: which blocks a picture has, and which pixels a tile must hand to the network.

Block (i, j) covers rows i * stride_px ... + block_px, columns alike (docs/format.md, Scan geometry). The picture is
extended at its
right and lower edge to the next whole block. A tile starts at a multiple of align_px and extends halo_px or more beyond its
blocks on each
side that is not a border of the picture, so its blocks get the same bits as in the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


class GeometryError(ValueError):
    """A picture or a scan geometry that cannot be cut into blocks."""


@dataclass(frozen=True)
class Geometry:
    """Block, block stride and halo in pixels; total stride in pixels per position of the last map; where tiles may begin (0: at
    block strides)."""

    block_px: int
    stride_px: int
    halo_px: int
    total_stride: int = 1
    align_px: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "align_px", self.align_px or self.stride_px)
        if not 1 <= self.stride_px <= self.block_px:
            raise GeometryError(
                f"block_stride_px must lie in 1..block_px; received {self.stride_px}, block_px={self.block_px}."
            )
        if self.align_px < 1 or self.align_px % self.stride_px or self.halo_px < 0 or self.halo_px % self.align_px:
            raise GeometryError(
                "halo_px must be a multiple of align_px, and that of block_stride_px; "
                f"received {self.halo_px}, align_px={self.align_px}, block_stride_px={self.stride_px}."
            )
        if self.total_stride < 1 or self.block_px % self.total_stride or self.stride_px % self.total_stride:
            raise GeometryError(
                "block_px and block_stride_px must be multiples of total_stride; received "
                f"{self.block_px}, {self.stride_px}, total_stride={self.total_stride}."
            )

    @property
    def beside_px(self) -> int:
        """The most pixels that a tile holds along an axis besides those of its blocks."""
        return 2 * self.halo_px + self.align_px - self.stride_px

    @classmethod
    def from_header(cls, scan: Mapping) -> Geometry:
        """The geometry of an .aoie file's `scan` entry."""
        return cls(
            block_px=int(scan["block_px"]),
            stride_px=int(scan["block_stride_px"]),
            halo_px=int(scan["halo_px"]),
            total_stride=int(scan.get("total_stride", 1)),
            align_px=int(scan.get("align_px", 0)),
        )


@dataclass(frozen=True)
class Grid:
    """All blocks of a picture of height x width; padded_* is the size after extension to whole blocks."""

    height: int
    width: int
    rows: int
    cols: int
    padded_height: int
    padded_width: int


@dataclass(frozen=True)
class Tile:
    """Blocks [row0, row1) x [col0, col1) and the pixels [y0, y1) x [x0, x1) of the extended picture they need.

    skip_rows, skip_cols: blocks of the halo that stand before the first wanted one in the network's answer.
    """

    row0: int
    row1: int
    col0: int
    col1: int
    y0: int
    y1: int
    x0: int
    x1: int
    skip_rows: int
    skip_cols: int


def block_grid(height: int, width: int, geometry: Geometry) -> Grid:
    """The grid of blocks that covers the whole picture.

    Example: 100 x 130 px with blocks of 64 every 32 -> 3 x 4 blocks, extended to 128 x 160.
    Raises   GeometryError: a side is shorter than one block.
    """
    if height < geometry.block_px or width < geometry.block_px:
        raise GeometryError(
            f"a picture must hold at least one block of {geometry.block_px}x{geometry.block_px} px; "
            f"received {width}x{height} px (width x height)."
        )
    rows, cols = (_count(n, geometry) for n in (height, width))
    return Grid(height, width, rows, cols, _extent(rows, geometry), _extent(cols, geometry))


def tile_blocks(tile_px: int, geometry: Geometry) -> int:
    """How many block steps a tile of at most tile_px pixels (without its halo) holds; at least one."""
    return max(1, (tile_px - geometry.block_px) // geometry.stride_px + 1)


def rows_of_tiles(
    grid: Grid, geometry: Geometry, tile_hw: tuple[int, int], row0: int = 0, row1: int | None = None
) -> Iterator[list[Tile]]:
    """Rows of tiles, top to bottom, for the rows of blocks row0 ... row1 - 1 (all of them by default); every block
    belongs to exactly one tile. tile_hw: largest size of a tile's blocks in pixels, without halo. Tiles are about equal: each
    pays for its halo, and a last one of a single row or column would be nearly all halo."""
    last = grid.rows if row1 is None else row1
    most = [tile_blocks(side, geometry) for side in tile_hw]
    tall, wide = (_share(count, side) for count, side in zip((last - row0, grid.cols), most, strict=True))
    for row in range(row0, last, tall):
        below = min(row + tall, last)
        y0, y1, skip_rows = _span(row, below, grid.padded_height, geometry)
        made = []
        for col in range(0, grid.cols, wide):
            right = min(col + wide, grid.cols)
            x0, x1, skip_cols = _span(col, right, grid.padded_width, geometry)
            made.append(Tile(row, below, col, right, y0, y1, x0, x1, skip_rows, skip_cols))
        yield made


def start_px(first: int, geometry: Geometry) -> int:
    """The first row (or column) of pixels that a tile needs whose first blocks are those of index `first`."""
    return max(0, first * geometry.stride_px - geometry.halo_px) // geometry.align_px * geometry.align_px


def _share(count: int, most: int) -> int:
    """The least part, of at most `most`, that cuts `count` into as few parts as they can be."""
    return -(-count // -(-count // most)) if count > 0 else most


def _count(size_px: int, geometry: Geometry) -> int:
    return -(-(size_px - geometry.block_px) // geometry.stride_px) + 1


def _extent(count: int, geometry: Geometry) -> int:
    return (count - 1) * geometry.stride_px + geometry.block_px


def _span(first: int, last: int, padded_px: int, geometry: Geometry) -> tuple[int, int, int]:
    start = start_px(first, geometry)
    stop = min(padded_px, (last - 1) * geometry.stride_px + geometry.block_px + geometry.halo_px)
    return start, stop, (first * geometry.stride_px - start) // geometry.stride_px
