"""The cascade: the first stage scores every block, the second segments what is passed on, its cracks are measured.

A picture is done in units: bands of rows that know nothing of each other. A unit scores a few rows of blocks beyond its
own, so that its mask and its measures are those of the whole picture, and gives up only what is its own: the rows of
blocks and cells that begin in it, its mask, its pieces of cracks. Done in order by one Looker, no row of blocks is
scored twice. Memory follows the band, not the picture (docs/guide/cascade.md).
"""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aoienet.cells import LINKS
from aoienet.familiar import Familiar
from aoienet.measure import Piece, Rectangle, Settings, Window, cells, measure_piece, window_of
from aoienet.measure.store import from_arrays, to_arrays
from aoienet.scan.follow import CELLS, follow
from aoienet.scan.keep import cell_px, passed_on, reasons, rectangles
from aoienet.scan.mask import TILE_PX, TileMask
from aoienet.scan.outside import beside, filled
from aoienet.scan.quality import Quality
from aoienet.scan.runner import Decision, Run, Shrinker, Strip, shrink_factor
from aoienet.scan.sources import AUTO, Source, open_source
from aoienet.scan.tiles import Geometry, Grid, block_grid
from aoienet.segment import Segmenter, regions

UNIT_PX = 16 << 20  # wanted pixels of a unit
LEAST_ROWS = 2048  # of a unit: its surroundings would else be a large part of the work


@dataclass(frozen=True)
class Stages:
    """The opened models. segmenter None: the first stage alone. familiar None: the model file has no statistics of its
    training pictures. model, second_stage, certificate: what a manifest says. set_aside: threshold that the file's certificate is for,
    where the decision has another one and `certificate` is empty. white_level: largest sample of pictures of more than
    8 bits; None: what the file says. marker_mm: side of the markers that tell a picture's scale; None: none are looked for.
    nodata: where nothing was photographed (sources.open_source). scale_points: x0, y0, x1, y1 that tell the scale of all pictures."""

    run: Run
    classes: Sequence[str]
    channels: int
    geometry: Geometry
    decision: Decision
    segmenter: Segmenter | None
    model: dict[str, Any] = field(default_factory=dict)
    second_stage: dict[str, Any] = field(default_factory=dict)
    certificate: dict[str, Any] = field(default_factory=dict)
    familiar: Familiar | None = None
    white_level: int | None = None
    marker_mm: float | None = None
    nodata: str = AUTO
    set_aside: float | None = None
    scale_points: Sequence[float] | None = None

    def open_source(self, path: Path, channels: int | None = None) -> Source:
        """A picture, with the channels of the first stage or others.

        Raises   SourceError: as sources.open_source.
        """
        return open_source(path, self.channels if channels is None else channels, self.white_level, self.nodata)


Open = Callable[[], Stages]  # must be picklable: a worker opens its own


@dataclass(frozen=True)
class Unit:
    """Rows y0_px ... y1_px - 1 of a picture."""

    band: int
    y0_px: int
    y1_px: int


@dataclass(frozen=True)
class Found:
    """What one unit gives: rows of blocks from row0 on, rows of cells (reasons_HW), rows of the thumbnail.

    places, bits: tiles of the mask with a crack in them (mask.TileMask.packed).
    """

    row0: int
    scores_HW: np.ndarray
    best_HW: np.ndarray
    reasons_HW: np.ndarray
    thumb: np.ndarray
    places: np.ndarray
    bits: np.ndarray
    pieces: list[Piece]

    def to_bytes(self) -> bytes:
        """An .npz file; equal results give equal bytes."""
        made = io.BytesIO()
        arrays: dict[str, Any] = {name: value for name, value in vars(self).items() if name != "pieces"}
        arrays |= {f"piece_{name}": value for name, value in to_arrays(self.pieces).items()}
        np.savez_compressed(made, **arrays)
        return made.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Found:
        """What to_bytes gave. Raises ValueError, OSError, KeyError or zipfile.BadZipFile on anything else."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = dict(file)
        pieces = from_arrays({k[6:]: arrays.pop(k) for k in list(arrays) if k.startswith("piece_")})
        return cls(row0=int(arrays.pop("row0")), pieces=pieces, **arrays)


def units_of(height: int, width: int, geometry: Geometry) -> list[Unit]:
    """The units of a picture; they depend on its size and on nothing else.

    Raises   GeometryError: the picture is smaller than one block.
    """
    block_grid(height, width, geometry)
    rows = max(LEAST_ROWS, UNIT_PX // width) // TILE_PX * TILE_PX
    count = max(1, round(height / rows))
    edges = [k * rows for k in range(count)] + [height]
    return [Unit(k, a, b) for k, (a, b) in enumerate(zip(edges, edges[1:], strict=False))]


class Looker:
    """Does units of one picture. In order, it goes on where it stopped; any other order gives the same bytes.

    left_out: convex areas, corners float [N, 2] (x, y) around, in which there is no crack.
    """

    def __init__(
        self, stages: Stages, path: Path, settings: Settings, threads: int = 1, left_out: Sequence[np.ndarray] = ()
    ) -> None:
        self._stages, self._settings, self._threads, self._left_out = stages, settings, threads, left_out
        self.source = stages.open_source(path)
        try:
            self.grid = block_grid(self.source.height, self.source.width, stages.geometry)
            self._second = self._source_of_second(path)
        except BaseException:
            self.source.close()
            raise
        self._strip: Strip | None = None
        self._quality: Quality
        self._thumb: _Thumb

    def close(self) -> None:
        """Give the files back."""
        self.source.close()
        if self._second is not self.source:
            self._second.close()

    def __enter__(self) -> Looker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def look(self, unit: Unit) -> Found:
        """Do one unit.

        Raises   SourceError: broken picture. ValueError: a model gave what it must not give.
        """
        geometry, cell = self._stages.geometry, cell_px(self._stages.geometry)
        around = self._settings.halo_px
        if self._stages.segmenter is not None:
            around += CELLS * cell  # from where cracks are followed
        top = max(0, unit.y0_px - around) // cell * cell
        bottom = min(self.source.height, _ceil(unit.y1_px + around, cell) * cell)
        linked = LINKS * cell
        row0, row1 = _blocks_over(top - linked, bottom + linked, self.grid, geometry)
        scores, best = self._score(row0, row1)
        why, cell_row0 = self._passed_on(scores, row0)
        mask = self._segment(top, bottom, passed_on(why), cell_row0)
        within = why[top // cell - cell_row0 : _ceil(bottom, cell) - cell_row0]
        follow(within, top // cell, cell, mask, lambda new: self._segment(top, bottom, new, top // cell))
        pieces = self._measure(unit, mask)
        first, last = (_ceil(y, geometry.stride_px) - row0 for y in (unit.y0_px, unit.y1_px))
        own = slice(first, len(scores) if unit.y1_px == self.source.height else last)
        cell_first, cell_last = (_ceil(y, cell) - cell_row0 for y in (unit.y0_px, unit.y1_px))
        places, bits = mask.packed(unit.y0_px, unit.y1_px)
        return Found(
            row0=row0 + first,
            scores_HW=scores[own],
            best_HW=best[own],
            reasons_HW=why[cell_first:cell_last],
            thumb=self._thumb.rows(unit.y0_px, unit.y1_px),
            places=places,
            bits=bits,
            pieces=pieces,
        )

    def _passed_on(self, scores: np.ndarray, row0: int) -> tuple[np.ndarray, int]:
        """Why cells are passed on, cut at the picture's edge, and the row of cells at which they begin."""
        geometry, cell = self._stages.geometry, cell_px(self._stages.geometry)
        why = reasons(scores, self._stages.decision.threshold, self._quality, row0, geometry)
        first = row0 * geometry.stride_px // cell
        return why[: _ceil(self.grid.height, cell) - first, : _ceil(self.grid.width, cell)], first

    def _score(self, row0: int, row1: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores and best other classes of rows of blocks, with what was seen of their pixels."""
        strip = self._strip
        if strip is None or not strip.first_row <= row0 <= strip.next_row:
            strip = self._begin(row0)
        strip.forget(row0)
        self._quality.forget(row0)
        strip.score_to(row1)
        rows = slice(row0 - strip.first_row, row1 - strip.first_row)
        return strip.scores_HW[rows], strip.best_HW[rows]

    def _begin(self, row0: int) -> Strip:
        stages = self._stages
        strip = Strip(
            self.source,
            stages.run,
            stages.geometry,
            stages.decision,
            row0,
            threads=self._threads,
            seen=lambda y, pixels: self._see(y, pixels),
            shown=lambda y, pixels: filled(self.source, y, pixels),
        )
        self._quality = Quality(strip.grid, stages.geometry, strip.top_px, stages.familiar)
        self._thumb = _Thumb(self.source, strip.top_px)
        self._strip = strip
        return strip

    def _see(self, y: int, pixels: np.ndarray) -> None:
        self._quality.add(pixels, self.source.absent(y, y + len(pixels)))
        self._thumb.add(y, pixels)

    def _source_of_second(self, path: Path) -> Source:
        segmenter = self._stages.segmenter
        if segmenter is None or segmenter.channels == self._stages.channels:
            return self.source
        return self._stages.open_source(path, segmenter.channels)

    def _segment(self, top: int, bottom: int, cells_HW: np.ndarray, cell_row0: int) -> TileMask:
        """The mask of rows top ... bottom - 1 inside the cells that are passed on."""
        mask, segmenter = TileMask(), self._stages.segmenter
        if segmenter is None:
            return mask
        size = self.source.height, self.source.width
        boxes = rectangles(cells_HW, cell_row0, cell_px(self._stages.geometry), top, bottom, self.source.width)
        for box, probability in regions(segmenter, self._filled, size, boxes, threads=self._threads):
            mask.put(box, probability >= segmenter.threshold, probability)
        for area in self._left_out:
            mask.clear(area)
        if self.source.outside:
            mask.clear_where(functools.partial(beside, self.source), size)
        return mask

    def _filled(self, y0: int, y1: int) -> np.ndarray:
        """Rows for the second stage."""
        return filled(self._second, y0, self._second.read(y0, y1))

    def _measure(self, unit: Unit, mask: TileMask) -> list[Piece]:
        size, settings = (self.source.height, self.source.width), self._settings
        pieces = []
        for x0, y0, x1, y1 in cells((unit.y1_px - unit.y0_px, size[1]), settings.cell_px):
            cell: Rectangle = (x0, y0 + unit.y0_px, x1, y1 + unit.y0_px)
            if not mask.window(cell).any():
                continue
            box = window_of(cell, size, settings.halo_px)
            level = mask.window(box)
            image = self.source.window(box[1], box[3], box[0], box[2])
            window = Window(level > 0, image, level.astype(np.float32) / 255)
            piece = measure_piece(window, box, cell, settings)
            if piece is not None:
                pieces.append(piece)
        return pieces


class _Thumb:
    """Rows of the thumbnail, of a strip that begins at any row of the picture."""

    def __init__(self, source: Source, top_px: int) -> None:
        self._source = source
        self.factor = shrink_factor(source.height, source.width)
        self._first = _ceil(top_px, self.factor)
        self._shrinker = Shrinker(self.factor)
        self._bottom = self._first * self.factor
        self._rows: list[np.ndarray] = []

    def add(self, y: int, pixels: np.ndarray) -> None:
        fresh = pixels[max(0, self._bottom - y) :]
        if len(fresh):
            self._shrinker.add(fresh)
            self._bottom = y + len(pixels)

    def rows(self, y0: int, y1: int) -> np.ndarray:
        """Rows of the thumbnail that begin in rows y0 ... y1 - 1 of the picture; those above are dropped."""
        first, last = _ceil(y0, self.factor), _ceil(y1, self.factor)
        wanted = min(last * self.factor, self._source.height)
        if wanted > self._bottom:
            self.add(self._bottom, self._source.read(self._bottom, wanted))
        held = np.concatenate([*self._rows, *self._shrinker.take(ends=self._bottom >= self._source.height)])
        self._rows = [held[last - self._first :].copy()]
        made = held[first - self._first : last - self._first]
        self._first = last
        return made


def _blocks_over(top: int, bottom: int, grid: Grid, geometry: Geometry) -> tuple[int, int]:
    """Rows of blocks [first, last) that cover a pixel of the rows top ... bottom - 1."""
    first = max(0, (top - geometry.block_px) // geometry.stride_px + 1)
    return first, min(grid.rows, (bottom - 1) // geometry.stride_px + 1)


def _ceil(value: int, step: int) -> int:
    return math.ceil(value / step)
