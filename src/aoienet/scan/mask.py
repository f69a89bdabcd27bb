"""A mask of a picture of any size as tiles: those without a crack take nothing, in memory and on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO

import numpy as np

TILE_PX = 512
PACKED_BYTES = TILE_PX * TILE_PX // 8
Rectangle = tuple[int, int, int, int]  # x0, y0, x1, y1; x1 and y1 exclusive


class TileMask:
    """Crack pixels with their probability in 1/255: 0 no crack, else 1 ... 255."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], np.ndarray] = {}  # row, column of the tile -> uint8 [TILE_PX, TILE_PX]

    def put(self, box: Rectangle, crack: np.ndarray, probability: np.ndarray) -> None:
        """Write a rectangle; crack: bool [h, w], probability: float [h, w] from 0 to 1."""
        if not crack.any():
            return
        level = np.clip(np.rint(probability * 255), 1, 255).astype(np.uint8) * crack
        for key, inner, outer in _parts(box):
            if level[outer].any():
                tile = self.tiles.setdefault(key, np.zeros((TILE_PX, TILE_PX), np.uint8))
                tile[inner] = level[outer]

    def add(self, other: TileMask) -> None:
        """Take in a mask of other rectangles."""
        for key, tile in other.tiles.items():
            self.tiles[key] = np.maximum(self.tiles[key], tile) if key in self.tiles else tile

    def clear(self, corners: np.ndarray) -> None:
        """Nothing within a convex area is crack; corners: float [N, 2], x and y, clockwise on the picture."""
        (x0, y0), (x1, y1) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0)) + 1
        for key, inner, _ in _parts((int(x0), int(y0), int(x1), int(y1))):
            tile = self.tiles.get(key)
            if tile is None:
                continue
            rows, columns = (np.arange(s.start, s.stop) + k * TILE_PX for s, k in zip(inner, key, strict=True))
            within = np.ones((len(rows), len(columns)), bool)
            for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                within &= (bx - ax) * (rows[:, None] - ay) >= (by - ay) * (columns - ax)
            tile[inner][within] = 0

    def clear_where(self, clear: Callable[[Rectangle], np.ndarray | None], size_hw: tuple[int, int]) -> None:
        """Nothing is crack where `clear` says so, bool [h, w] of a rectangle of a picture of that size; None: nowhere."""
        height, width = size_hw
        for (i, j), tile in self.tiles.items():
            if tile.any():
                y0, x0 = i * TILE_PX, j * TILE_PX
                gone = clear((x0, y0, min(width, x0 + TILE_PX), min(height, y0 + TILE_PX)))
                if gone is not None:
                    tile[: gone.shape[0], : gone.shape[1]][gone] = 0

    def window(self, box: Rectangle) -> np.ndarray:
        """uint8 [h, w] of a rectangle."""
        out = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
        for key, inner, outer in _parts(box):
            tile = self.tiles.get(key)
            if tile is not None:
                out[outer] = tile[inner]
        return out

    def packed(self, y0: int, y1: int) -> tuple[np.ndarray, np.ndarray]:
        """Places [N, 2] (row, column of a tile) and bits uint8 [N, TILE_PX, TILE_PX / 8] of rows y0 ... y1 - 1; both
        begin at a tile or end at the picture's edge."""
        keys = [k for k in sorted(self.tiles) if y0 <= k[0] * TILE_PX < y1 and self.tiles[k].any()]
        bits = [np.packbits(self.tiles[k] != 0, axis=1) for k in keys]
        shape = (0, TILE_PX, TILE_PX // 8)
        return np.array(keys, np.int32).reshape(-1, 2), np.stack(bits) if bits else np.empty(shape, np.uint8)


class SpooledMask:
    """The mask of a whole picture in a file, read by rows, as often as wanted."""

    def __init__(self, spool: BinaryIO, width: int) -> None:
        self._spool, self._width = spool, width
        self._offsets: dict[tuple[int, int], int] = {}

    def add(self, places: np.ndarray, bits: np.ndarray) -> None:
        """Append tiles as TileMask.packed gives them."""
        self._spool.seek(0, 2)
        for key, tile in zip(places.tolist(), bits, strict=True):
            self._offsets[key[0], key[1]] = self._spool.tell()
            self._spool.write(tile.tobytes())
        self._spool.flush()  # a full disk is told here, not while the file is closed

    def rows(self, y0: int, y1: int) -> np.ndarray:
        """bool [y1-y0, W]."""
        box = (0, y0, self._width, y1)
        out = np.zeros((y1 - y0, self._width), bool)
        for key, inner, outer in _parts(box):
            offset = self._offsets.get(key)
            if offset is not None:
                self._spool.seek(offset)
                bits = np.frombuffer(self._spool.read(PACKED_BYTES), np.uint8).reshape(TILE_PX, -1)
                out[outer] = np.unpackbits(bits[inner[0]], axis=1)[:, inner[1]]
        return out


def _parts(box: Rectangle) -> Iterable[tuple[tuple[int, int], tuple[slice, slice], tuple[slice, slice]]]:
    """Tiles that a rectangle meets: key, slices within the tile, slices within the rectangle."""
    x0, y0, x1, y1 = box
    for i in range(y0 // TILE_PX, -(-y1 // TILE_PX)):
        for j in range(x0 // TILE_PX, -(-x1 // TILE_PX)):
            top, left = i * TILE_PX, j * TILE_PX
            a, b = max(y0, top), min(y1, top + TILE_PX)
            c, d = max(x0, left), min(x1, left + TILE_PX)
            yield (i, j), np.s_[a - top : b - top, c - left : d - left], np.s_[a - y0 : b - y0, c - x0 : d - x0]
