"""The first stage: rows of blocks of a picture, scored from top to bottom by a model given as a callable.

The model is a callable `uint8 [H, W] or [H, W, 3] -> float32 [Hb, Wb, K]` that gives the logits of every block of
what it is handed. Results are written by index, so they are the same bytes for every tile size, number of threads and
row at which a strip begins or stops.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from aoienet.scan.sources import Source
from aoienet.scan.tiles import Geometry, Grid, Tile, block_grid, rows_of_tiles, start_px

BAND_BYTES = 64 << 20  # largest band of pixels held at once, unless one row of blocks needs more
DEFAULT_TILE_HW = (4128, 2080)  # 128 x 64 blocks of 64 px every 32 px; few maps grow with the height of a tile
Run = Callable[[np.ndarray], np.ndarray]
Shown = Callable[[int, np.ndarray], np.ndarray]  # first row, pixels: what the model is handed in their place
Seen = Callable[[int, np.ndarray], None]  # first row, pixels: each row once, from top to bottom


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
    """Scores of all blocks of a picture, and which of its cells were passed on.

    scores_HW: float32 log-odds of defect; best_HW: index of the best class that is not defect; reasons_HW: uint8 [Hc,
    Wc], why a cell was passed on (bits of aoienet.scan.keep.Reason), 0 where it was dropped; thumb: picture scaled down
    by `factor`; sought: unfamiliar blocks were looked for.
    """

    grid: Grid
    geometry: Geometry
    decision: Decision
    scores_HW: np.ndarray
    best_HW: np.ndarray
    reasons_HW: np.ndarray
    thumb: np.ndarray
    factor: int
    sought: bool = False

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


def shrink_factor(height: int, width: int, max_px: int = 4000) -> int:
    """The factor that makes a picture at most max_px per side."""
    return max(1, -(-max(height, width) // max_px))


class Shrinker:
    """Running mean over factor x factor pixels: rows go in from top to bottom, beginning at a multiple of `factor`."""

    def __init__(self, factor: int) -> None:
        self.factor = factor
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

    def take(self, ends: bool) -> list[np.ndarray]:
        """The small rows that are whole, each handed out once; ends: no more rows come, so the last one may stand for
        fewer."""
        if ends and self._pending:
            held = self._pending[0]
            self._done.append(
                self._mean(np.pad(held, [(0, -len(held) % self.factor)] + [(0, 0)] * (held.ndim - 1), mode="edge"))
            )
            self._pending = []
        done, self._done = self._done, []
        return done

    def _mean(self, rows: np.ndarray) -> np.ndarray:
        f, (h, w) = self.factor, rows.shape[:2]
        dtype = np.uint16 if f <= 257 else np.uint32
        sums = np.add.reduce(rows.reshape(h // f, f, *rows.shape[1:]), axis=1, dtype=dtype).astype(np.uint32)
        starts = np.arange(0, w, f)
        totals = np.add.reduceat(sums, starts, axis=1)
        counts = (np.minimum(starts + f, w) - starts).reshape(1, -1, *[1] * (rows.ndim - 2)) * f
        return ((totals + counts // 2) // counts).astype(np.uint8)


class Strip:
    """Rows of blocks from `row0` on, scored as far down as is asked for; each pixel row is read once.

    scores_HW, best_HW: of the rows of blocks first_row ... next_row - 1. With more than one thread `run` must be
    thread-safe. seen: handed every pixel row of the strip once, beginning with row `top_px`. shown: makes of them
    what the model sees.
    Raises   SourceError: broken picture. ValueError: wrong shape or NaN from `run`.
    """

    def __init__(
        self,
        source: Source,
        run: Run,
        geometry: Geometry,
        decision: Decision,
        row0: int = 0,
        *,
        threads: int = 1,
        tile_hw: tuple[int, int] = DEFAULT_TILE_HW,
        seen: Seen | None = None,
        shown: Shown = lambda y, pixels: pixels,
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1; received {threads}.")
        self.grid = block_grid(source.height, source.width, geometry)
        self._run, self._geometry, self._decision, self._threads = run, geometry, decision, threads
        self._tile_hw = (_band_height(self.grid, geometry, source.channels, tile_hw[0]), tile_hw[1])
        self.first_row = self.next_row = row0
        self._bands = _Bands(source, self.grid, geometry, row0, seen, shown)
        self.top_px = self._bands.bottom
        self.scores_HW = np.empty((0, self.grid.cols), np.float32)
        self.best_HW = np.empty((0, self.grid.cols), np.uint16)

    @property
    def bottom_px(self) -> int:
        """Pixel rows read so far end here."""
        return self._bands.bottom

    def score_to(self, row1: int) -> None:
        """Score the rows of blocks up to row1 - 1."""
        added = row1 - self.next_row
        if added <= 0:
            return
        self.scores_HW = np.concatenate([self.scores_HW, np.zeros((added, self.grid.cols), np.float32)])
        self.best_HW = np.concatenate([self.best_HW, np.zeros((added, self.grid.cols), np.uint16)])
        flight: deque[tuple[Tile, Future]] = deque()
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="aoienet-scan")
        try:
            for row in rows_of_tiles(self.grid, self._geometry, self._tile_hw, self.next_row, row1):
                band = self._bands.rows(row[0].y0, row[0].y1)
                for tile in row:
                    pixels = np.ascontiguousarray(band[:, tile.x0 : tile.x1])
                    flight.append((tile, pool.submit(self._run, pixels)))
                    while len(flight) > 2 * self._threads:
                        self._collect(*flight.popleft())
            while flight:
                self._collect(*flight.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        self.next_row = row1

    def forget(self, row0: int) -> None:
        """Drop the scores of rows of blocks above row0."""
        gone = max(0, row0 - self.first_row)
        self.scores_HW, self.best_HW = self.scores_HW[gone:].copy(), self.best_HW[gone:].copy()
        self.first_row += gone

    def _collect(self, tile: Tile, future: Future) -> None:
        logits = future.result()
        rows, cols = tile.row1 - tile.row0, tile.col1 - tile.col0
        wanted = logits[tile.skip_rows : tile.skip_rows + rows, tile.skip_cols : tile.skip_cols + cols]
        if wanted.ndim != 3 or wanted.shape[:2] != (rows, cols) or wanted.shape[2] < 2:
            raise ValueError(
                f"the model must give logits [Hb, Wb, K] for every block of a tile; "
                f"received shape {logits.shape} for {tile}."
            )
        if not np.isfinite(wanted).all():
            raise ValueError(f"the model must give finite logits; received NaN or infinity in {tile}.")
        place = np.s_[tile.row0 - self.first_row : tile.row1 - self.first_row, tile.col0 : tile.col1]
        self.scores_HW[place] = log_odds(wanted, self._decision.defect, self._decision.temperature)
        others = np.array(wanted, np.float32)
        others[..., self._decision.defect] = -np.inf
        self.best_HW[place] = others.argmax(axis=-1)


class _Bands:
    """Bands of the extended picture, top to bottom; each row is read once and shown once."""

    def __init__(
        self, source: Source, grid: Grid, geometry: Geometry, row0: int, seen: Seen | None, shown: Shown
    ) -> None:
        self._source, self._grid, self._seen, self._shown = source, grid, seen, shown
        self._held: np.ndarray | None = None
        top = start_px(row0, geometry)
        below = grid.padded_height - grid.height  # mirrored rows at the lower edge may lie above the first band
        self._top = self.bottom = min(top, max(0, grid.height - 1 - below))

    def rows(self, y0: int, y1: int) -> np.ndarray:
        last = min(y1, self._grid.height)
        need = y1 - self._grid.height  # mirrored rows at the lower edge repeat rows that must still be held
        first = min(y0, self._grid.height - 1 - need) if need > 0 else y0
        parts: Sequence[np.ndarray] = [self._held[first - self._top :]] if self._held is not None else []
        if last > self.bottom:
            fresh = self._source.read(self.bottom, last)
            if self._seen:
                self._seen(self.bottom, fresh)
            fresh = self._shown(self.bottom, fresh)
            parts = [*parts, fresh] if parts else [fresh[max(0, first - self.bottom) :]]
        held = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._held, self._top, self.bottom = held, first, max(last, self.bottom)
        return self._extend(held, y0 - first, need)

    def _extend(self, held: np.ndarray, offset: int, below: int) -> np.ndarray:
        right = self._grid.padded_width - self._grid.width
        pads = [(0, max(0, below)), (0, right)] + [(0, 0)] * (held.ndim - 2)
        if below > 0 or right > 0:
            held = np.pad(held, pads, mode="reflect")
        return held[offset:]


def _band_height(grid: Grid, geometry: Geometry, channels: int, wanted_px: int) -> int:
    rows = BAND_BYTES // (grid.padded_width * channels) - geometry.beside_px
    return max(geometry.block_px, min(wanted_px, rows))
