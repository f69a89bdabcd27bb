"""The scan loop: bands of rows -> tiles -> a callable -> one grid of scores.

The model is a callable `uint8 [H, W] or [H, W, 3] -> float32 [Hb, Wb, K]` that gives the logits of every block of
what it is handed.
Results are written into the grid by index, so they are the same bytes for every tile size and number of jobs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from aoienet.scan.sources import Source
from aoienet.scan.tiles import Geometry, Grid, Tile, block_grid, row_bands, tiles

BAND_BYTES = 64 << 20  # largest band of pixels held at once, unless one row of blocks needs more
DEFAULT_TILE_HW = (1024, 1024)
Run = Callable[[np.ndarray], np.ndarray]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Decision:
    """How logits become scores: the index of "defect", the temperature, the threshold in log-odds."""

    defect: int
    temperature: float
    threshold: float

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive; received {self.temperature}.")


@dataclass
class ScanResult:
    """Scores of all blocks and what was needed for them.

    scores_HW: float32 log-odds of defect; best_HW: index of the best class that is not defect; thumb: picture scaled
    down by `factor`.
    """

    grid: Grid
    geometry: Geometry
    decision: Decision
    scores_HW: np.ndarray
    best_HW: np.ndarray
    thumb: np.ndarray
    factor: int
    time_s: dict[str, float] = field(default_factory=dict)

    @property
    def kept_HW(self) -> np.ndarray:
        """True where a block is kept: score >= threshold."""
        return self.scores_HW >= np.float32(self.decision.threshold)


def log_odds(logits_HWK: np.ndarray, defect: int, temperature: float) -> np.ndarray:
    """score = (logit_defect - logsumexp(other logits)) / temperature, in float64, rounded once to float32.

    Example: log_odds(np.array([[[0.0, 2.0]]]), 1, 1.0)[0, 0] == 2.0
    """
    logits = np.asarray(logits_HWK, np.float64)
    others = np.delete(logits, defect, axis=-1)
    top = others.max(axis=-1, keepdims=True)
    spread = top[..., 0] + np.log(np.exp(others - top).sum(axis=-1))
    return ((logits[..., defect] - spread) / temperature).astype(np.float32)


class Shrinker:
    """Running mean over factor x factor pixels: rows go in from top to bottom, a picture of at most max_px per side
    comes out."""

    def __init__(self, height: int, width: int, max_px: int = 4000) -> None:
        self.factor = max(1, -(-max(height, width) // max_px))
        self._pending: list[np.ndarray] = []
        self._done: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> None:
        """Take the next rows."""
        if self.factor == 1:
            self._done.append(rows.copy())
            return
        self._pending.append(rows)
        held = np.concatenate(self._pending) if len(self._pending) > 1 else rows
        whole = len(held) // self.factor * self.factor
        if whole:
            self._done.append(self._mean(held[:whole]))
        self._pending = [held[whole:].copy()] if whole < len(held) else []

    def result(self) -> np.ndarray:
        """The small picture; the last row and column may stand for fewer pixels."""
        if self._pending:
            held = self._pending[0]
            self._done.append(
                self._mean(np.pad(held, [(0, -len(held) % self.factor)] + [(0, 0)] * (held.ndim - 1), mode="edge"))
            )
            self._pending = []
        return np.concatenate(self._done)

    def _mean(self, rows: np.ndarray) -> np.ndarray:
        f, (h, w) = self.factor, rows.shape[:2]
        dtype = np.uint16 if f <= 257 else np.uint32
        sums = np.add.reduce(rows.reshape(h // f, f, *rows.shape[1:]), axis=1, dtype=dtype).astype(np.uint32)
        starts = np.arange(0, w, f)
        totals = np.add.reduceat(sums, starts, axis=1)
        counts = (np.minimum(starts + f, w) - starts).reshape(1, -1, *[1] * (rows.ndim - 2)) * f
        return ((totals + counts // 2) // counts).astype(np.uint8)


def scan_source(
    source: Source,
    run: Run,
    geometry: Geometry,
    decision: Decision,
    *,
    jobs: int = 1,
    tile_hw: tuple[int, int] = DEFAULT_TILE_HW,
    progress: Progress | None = None,
) -> ScanResult:
    """Score every block of a picture.

    Args     run: thread-safe when jobs > 1. progress: called with (tiles done, tiles in all).
    Raises   GeometryError: picture smaller than one block. SourceError: broken picture. ValueError: wrong shape or
             NaN from `run`.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1; received {jobs}.")
    started = time.perf_counter()
    grid = block_grid(source.height, source.width, geometry)
    tile_hw = (_band_height(grid, geometry, source.channels, tile_hw[0]), tile_hw[1])
    plan = list(tiles(grid, geometry, tile_hw))
    shrinker = Shrinker(source.height, source.width)
    result = ScanResult(
        grid,
        geometry,
        decision,
        np.zeros((grid.rows, grid.cols), np.float32),
        np.zeros((grid.rows, grid.cols), np.uint16),
        np.empty(0),
        shrinker.factor,
        {"read": 0.0, "network_cpu": 0.0},
    )
    bands = _Bands(source, grid, shrinker)
    per_band = -(-len(plan) // len(row_bands(grid, geometry, tile_hw[0])))
    flight: deque[tuple[Tile, Future]] = deque()
    done = 0
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="aoienet-scan")
    try:
        for start in range(0, len(plan), per_band):
            before = time.perf_counter()
            band = bands.rows(plan[start].y0, plan[start].y1)
            result.time_s["read"] += time.perf_counter() - before
            for tile in plan[start : start + per_band]:
                pixels = np.ascontiguousarray(band[:, tile.x0 : tile.x1])
                flight.append((tile, pool.submit(_timed, run, pixels)))
                while len(flight) > 2 * jobs:
                    _collect(result, *flight.popleft())
                    done += 1
                    if progress:
                        progress(done, len(plan))
        while flight:
            _collect(result, *flight.popleft())
            done += 1
            if progress:
                progress(done, len(plan))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    result.thumb = shrinker.result()
    result.time_s["scan"] = time.perf_counter() - started
    return result


class _Bands:
    """Bands of the extended picture, top to bottom; each row is read once and handed to the shrinker once."""

    def __init__(self, source: Source, grid: Grid, shrinker: Shrinker) -> None:
        self._source, self._grid, self._shrinker = source, grid, shrinker
        self._held: np.ndarray | None = None
        self._top = self._bottom = 0

    def rows(self, y0: int, y1: int) -> np.ndarray:
        last = min(y1, self._grid.height)
        need = y1 - self._grid.height  # mirrored rows at the lower edge repeat rows that must still be held
        first = min(y0, self._grid.height - 1 - need) if need > 0 else y0
        parts: Sequence[np.ndarray] = [self._held[first - self._top :]] if self._held is not None else []
        if last > self._bottom:
            fresh = self._source.read(self._bottom, last)
            self._shrinker.add(fresh)
            parts = [*parts, fresh]
        held = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._held, self._top, self._bottom = held, first, max(last, self._bottom)
        return self._extend(held, y0 - first, need)

    def _extend(self, held: np.ndarray, offset: int, below: int) -> np.ndarray:
        right = self._grid.padded_width - self._grid.width
        pads = [(0, max(0, below)), (0, right)] + [(0, 0)] * (held.ndim - 2)
        if below > 0 or right > 0:
            held = np.pad(held, pads, mode="reflect")
        return held[offset:]


def _band_height(grid: Grid, geometry: Geometry, channels: int, wanted_px: int) -> int:
    rows = BAND_BYTES // (grid.padded_width * channels) - 2 * geometry.halo_px
    return max(geometry.block_px, min(wanted_px, rows))


def _timed(run: Run, pixels: np.ndarray) -> tuple[np.ndarray, float]:
    before = time.perf_counter()
    return run(pixels), time.perf_counter() - before


def _collect(result: ScanResult, tile: Tile, future: Future) -> None:
    logits, seconds = future.result()
    result.time_s["network_cpu"] += seconds
    rows, cols = tile.row1 - tile.row0, tile.col1 - tile.col0
    wanted = logits[tile.skip_rows : tile.skip_rows + rows, tile.skip_cols : tile.skip_cols + cols]
    if wanted.ndim != 3 or wanted.shape[:2] != (rows, cols) or wanted.shape[2] < 2:
        raise ValueError(
            f"the model must give logits [Hb, Wb, K] for every block of a tile; "
            f"received shape {logits.shape} for {tile}."
        )
    if not np.isfinite(wanted).all():
        raise ValueError(f"the model must give finite logits; received NaN or infinity in {tile}.")
    place = np.s_[tile.row0 : tile.row1, tile.col0 : tile.col1]
    result.scores_HW[place] = log_odds(wanted, result.decision.defect, result.decision.temperature)
    others = np.array(wanted, np.float32)
    others[..., result.decision.defect] = -np.inf
    result.best_HW[place] = others.argmax(axis=-1)
