"""Running a segmentation network over parts of a picture of any size, so that no tile can be seen in the result.

The plane that the network sees is the picture, mirrored at its borders without end. A window is the aligned box of what is wanted;
the network sees halo_px around it and answers for the window alone. So every pixel gets, to rounding, what it would get
in one run over the whole picture, and it is decided once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from aoienet.segment import Segmenter

Rectangle = tuple[int, int, int, int]  # x0, y0, x1, y1; x1 and y1 exclusive
ReadRows = Callable[[int, int], np.ndarray]  # rows [y0, y1) as uint8 [y1-y0, W] or [y1-y0, W, 3]
TILE_PX = 512


def picture(segmenter: Segmenter, image: np.ndarray, tile_px: int = TILE_PX) -> np.ndarray:
    """Probability of every pixel of a picture in memory, float32 [H, W]."""
    height, width = image.shape[:2]
    out = np.empty((height, width), np.float32)
    everything = [(0, 0, width, height)]
    for (x0, y0, x1, y1), probability in regions(
        segmenter, lambda a, b: image[a:b], (height, width), everything, tile_px
    ):
        out[y0:y1, x0:x1] = probability
    return out


def regions(
    segmenter: Segmenter,
    read: ReadRows,
    size_hw: tuple[int, int],
    rectangles: Iterable[Rectangle],
    tile_px: int = TILE_PX,
    threads: int = 1,
) -> Iterator[tuple[Rectangle, np.ndarray]]:
    """(rectangle, float32 [h, w]) that together cover the union of the rectangles, every pixel once.

    Tiles of tile_px lie on a grid from the picture's upper left corner and are done from top to bottom, left to right. `read` is
    asked for growing rows, each row once; at most tile_px + 2 halo_px rows are held. threads: windows run at once; the result does
    not depend on it.
    """
    height, width = size_hw
    side = tile_side(segmenter, tile_px)
    rows = Rows(read, height)
    bands: dict[int, list[Rectangle]] = defaultdict(list)
    for x0, y0, x1, y1 in rectangles:
        x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
        if x0 < x1:
            for band in range(y0 // side, -(-y1 // side) if y1 > y0 else 0):
                bands[band].append((x0, max(y0, band * side), x1, min(y1, (band + 1) * side)))
    for band in sorted(bands):
        work = [
            pair
            for parts in tiles(bands[band], side)
            for pair in windows(parts, segmenter.align_px, segmenter.halo_px, segmenter.inside_cost)
        ]
        if segmenter.side_px:
            work = [((x0, y0, x0 + side, y0 + side), wanted) for (x0, y0, _, _), wanted in work]
        needed = [mirrored(w[1] - segmenter.halo_px, w[3] + segmenter.halo_px, height) for w, _ in work]
        rows.get(min(int(y.min()) for y in needed), max(int(y.max()) for y in needed) + 1)
        for (window, wanted), found in _answers(segmenter, rows, size_hw, work, threads):
            for x0, y0, x1, y1 in wanted:
                yield (x0, y0, x1, y1), found[y0 - window[1] : y1 - window[1], x0 - window[0] : x1 - window[0]]


Work = tuple[Rectangle, list[Rectangle]]  # what is run, and what of its answer is wanted


def _answers(
    segmenter: Segmenter, rows: Rows, size_hw: tuple[int, int], work: Sequence[Work], threads: int
) -> Iterator[tuple[Work, np.ndarray]]:
    """The network's answer for each window, in order; the rows that they need are held."""
    if threads == 1:
        for one in work:
            yield one, run(segmenter, rows, size_hw, one[0])
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="aoienet-segment") as pool:
        for first in range(0, len(work), threads):
            some = work[first : first + threads]
            yield from zip(some, pool.map(lambda w: run(segmenter, rows, size_hw, w[0]), some), strict=True)


def tile_side(segmenter: Segmenter, tile_px: int) -> int:
    """Side of a tile without its halo: a multiple of align_px, and what a network of fixed size leaves."""
    if segmenter.side_px:
        tile_px = segmenter.side_px - 2 * segmenter.halo_px
    side = tile_px // segmenter.align_px * segmenter.align_px
    if side < 1:
        fixed = f", input side {segmenter.side_px}" if segmenter.side_px else ""
        raise ValueError(
            f"a tile must hold {segmenter.align_px} px besides the halo of {segmenter.halo_px} px on each side; "
            f"received {tile_px} px for {segmenter.name}{fixed}: take larger tiles, or a smaller halo_px"
        )
    return side


def tiles(rectangles: Sequence[Rectangle], side: int) -> Iterator[list[Rectangle]]:
    """The rectangles of one band cut at the columns of the tiles, tile by tile from the left."""
    columns: dict[int, list[Rectangle]] = defaultdict(list)
    for x0, y0, x1, y1 in rectangles:
        for column in range(x0 // side, -(-x1 // side)):
            columns[column].append((max(x0, column * side), y0, min(x1, (column + 1) * side), y1))
    for column in sorted(columns):
        yield disjoint(columns[column])


def disjoint(rectangles: Sequence[Rectangle]) -> list[Rectangle]:
    """Rectangles with the same union and no overlap, from top to bottom, then left to right."""
    cuts = sorted({y for _, y0, _, y1 in rectangles for y in (y0, y1)})
    open_rows: tuple[int, list[tuple[int, int]]] = (0, [])  # where a run of equal rows began, and its spans
    out: list[Rectangle] = []
    for y0, y1 in zip(cuts, [*cuts[1:], cuts[-1]], strict=True):
        spans = merged([(x0, x1) for x0, a, x1, b in rectangles if a <= y0 and b >= y1 > y0])
        if spans != open_rows[1]:
            out += [(x0, open_rows[0], x1, y0) for x0, x1 in open_rows[1]]
            open_rows = (y0, spans)
    return out


def merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The union of spans [first, last) as spans that do not touch."""
    out: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if out and first <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], last))
        else:
            out.append((first, last))
    return out


def windows(parts: Sequence[Rectangle], align: int, halo: int, inside_cost: int = 0) -> list[Work]:
    """What of one tile is run together: the two groups that save most are joined, until no joining saves work."""
    groups = [[part] for part in parts]
    lower, upper = (
        np.array([p[:2] for p in parts]) // align * align,
        -(-np.array([p[2:] for p in parts]) // align) * align,
    )

    def work(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.prod(high - low + 2 * halo, axis=-1) + inside_cost * np.prod(high - low, axis=-1)

    while len(groups) > 1:
        both = np.minimum(lower[:, None], lower[None]), np.maximum(upper[:, None], upper[None])
        alone = work(lower, upper)
        saved = alone[:, None] + alone[None] - work(*both)
        np.fill_diagonal(saved, -1)
        first, second = sorted(divmod(int(saved.argmax()), len(groups)))
        if saved[first, second] < 0:
            break
        lower[first], upper[first] = both[0][first, second], both[1][first, second]
        lower, upper = np.delete(lower, second, axis=0), np.delete(upper, second, axis=0)
        groups[first] += groups.pop(second)
    boxes = np.concatenate([lower, upper], axis=1).tolist()
    return [((x0, y0, x1, y1), group) for (x0, y0, x1, y1), group in zip(boxes, groups, strict=True)]


def run(segmenter: Segmenter, rows: Rows, size_hw: tuple[int, int], window: Rectangle) -> np.ndarray:
    """The network's answer for one window, float32 [h, w]."""
    halo, (x0, y0, x1, y1) = segmenter.halo_px, window
    y, x = mirrored(y0 - halo, y1 + halo, size_hw[0]), mirrored(x0 - halo, x1 + halo, size_hw[1])
    first = int(y.min())
    pixels = rows.get(first, int(y.max()) + 1)[np.ix_(y - first, x)]
    return segmenter(pixels)


def mirrored(first: int, last: int, size: int) -> np.ndarray:
    """Indices of [first, last) in a line of `size` pixels that is mirrored at its ends without end: 1 0 | 0 1 2 | 2 1."""
    place = np.arange(first, last) % (2 * size)
    return np.minimum(place, 2 * size - 1 - place)


class Rows:
    """Rows of a picture in growing order; those that are still held are not asked for again."""

    def __init__(self, read: ReadRows, height: int):
        self._read, self._height = read, height
        self._first, self._held = 0, np.empty((0,), np.uint8)

    def get(self, y0: int, y1: int) -> np.ndarray:
        """Rows [y0, y1)."""
        last = self._first + len(self._held)
        if not self._first <= y0 <= last:
            self._first, self._held = y0, self._checked(y0, y1)
        elif y1 > last:
            below = self._checked(last, y1)
            kept = self._held[y0 - self._first :]
            self._first, self._held = y0, np.concatenate([kept, below]) if len(kept) else below
        return self._held[y0 - self._first : y1 - self._first]

    def _checked(self, y0: int, y1: int) -> np.ndarray:
        rows = self._read(y0, y1)
        if rows.dtype != np.uint8 or len(rows) != y1 - y0:
            raise ValueError(
                f"a reader gives {y1 - y0} rows of uint8 for rows {y0} to {y1}; received {rows.shape} {rows.dtype}"
            )
        return rows
