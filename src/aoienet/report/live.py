"""What can be watched while a scan runs: progress.json, and a report.html whose map fills in until the final one takes
its place. Both are replaced whole, so a reader never sees half of one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aoienet.files import write_json
from aoienet.report import template
from aoienet.scan.batch import Batch, State
from aoienet.scan.cascade import Found, Unit
from aoienet.scan.mask import TILE_PX
from aoienet.scan.runner import shrink_factor
from aoienet.scan.work import Outcome, Task

PROGRESS = "progress.json"
MAP_PX = 1200  # longest side of the map
EVERY_S = 1.0  # between two versions of a file
NOT_DONE, DROPPED, CRACK = (232, 236, 240), np.array([29, 63, 143]), (211, 0, 45)
TINT = 0.3  # share of blue where nothing was passed on


@dataclass
class Progress:
    """Counts of a run. px_total: what was still to be done when it began; None: a stream, whose length nobody knows."""

    px_total: int | None
    px_done: int = 0
    units_done: int = 0
    cells: int = 0
    cells_passed_on: int = 0
    cracks: int = 0
    crack_parts: int = 0
    pictures_done: int = 0
    pictures_failed: int = 0
    started: float = field(default_factory=time.monotonic)

    def words(self) -> dict[str, Any]:
        """For progress.json and a bar."""
        seconds = max(1e-9, time.monotonic() - self.started)
        speed = self.px_done / seconds
        left = None if self.px_total is None or not speed else max(0, self.px_total - self.px_done) / speed
        return {
            "megapixels_done": round(self.px_done / 1e6, 3),
            "megapixels": None if self.px_total is None else round(self.px_total / 1e6, 3),
            "megapixels_per_s": round(speed / 1e6, 3),
            "seconds_left": None if left is None else round(left, 1),
            "dropped_share": round(1 - self.cells_passed_on / self.cells, 6) if self.cells else None,
            "crack_parts_so_far": self.crack_parts,
            "cracks_in_finished_pictures": self.cracks,
            "pictures_done": self.pictures_done,
            "pictures_failed": self.pictures_failed,
        }


class Watch:
    """Called after every outcome of a batch; shows it. shown: a bar, called with the words of the progress."""

    def __init__(self, out: Path, px_total: int | None, shown: Callable[[dict[str, Any]], None]) -> None:
        self.progress = Progress(px_total)
        self._out, self._shown, self._last = out, shown, 0.0
        self._maps: dict[int, _Map] = {}

    def begin(self) -> None:
        """Nothing is done yet, which a large first band leaves so for a while."""
        write_json(self._out / PROGRESS, self.progress.words())

    def __call__(self, batch: Batch, task: Task, outcome: Outcome) -> None:
        p, state = self.progress, batch.states[task.picture.index]
        if outcome.error:
            p.pictures_failed = sum(s.failed is not None for s in batch.states)
        elif task.unit is None:
            p.pictures_done += 1
            p.cracks += outcome.facts["cracks"] or 0  # None: not measured
            self._maps.pop(task.picture.index, None)
        else:
            p.px_done += (task.unit.y1_px - task.unit.y0_px) * task.picture.width
            p.units_done += 1
            p.cells += outcome.facts["cells"]
            p.cells_passed_on += outcome.facts["cells_passed_on"]
            p.crack_parts += outcome.facts["crack_parts"]
            if len(task.picture.units) > 1:
                self._map(batch, state, task.unit).add(task.unit, outcome.data)
        words = p.words()
        self._shown(words)
        if time.monotonic() - self._last >= EVERY_S:
            self._last = time.monotonic()
            write_json(self._out / PROGRESS, words)
            shown = self._maps.get(task.picture.index)
            if shown is not None and task.unit is not None:
                shown.write(words)

    def _map(self, batch: Batch, state: State, new: Unit) -> _Map:
        """The map of a picture, with what earlier runs have done of it."""
        index = state.picture.index
        if index not in self._maps:
            self._maps[index] = _Map(state)
            for unit in state.picture.units:
                if unit.band in state.lines and unit.band != new.band:
                    self._maps[index].add(unit, batch.plan.unit_path(state.picture, unit).read_bytes())
        return self._maps[index]

    def close(self) -> None:
        """The scan is over: progress.json goes."""
        (self._out / PROGRESS).unlink(missing_ok=True)


class _Map:
    """The map of one picture, as far as it is done."""

    def __init__(self, state: State) -> None:
        self._state = state
        picture = state.picture
        self._factor = shrink_factor(picture.height, picture.width)
        self._step = -(-max(picture.height, picture.width) // (self._factor * MAP_PX))
        self._px = self._factor * self._step
        self._canvas = np.full((-(-picture.height // self._px), -(-picture.width // self._px), 3), NOT_DONE, np.uint8)

    def add(self, unit: Unit, data: bytes) -> None:
        """Draw one unit."""
        found = Found.from_bytes(data)
        top = -(-unit.y0_px // self._px)
        rows = found.thumb[top * self._step - -(-unit.y0_px // self._factor) :: self._step, :: self._step]
        part = self._canvas[top : top + len(rows)]
        part[:] = (rows if rows.ndim == 3 else rows[..., None])[: len(part), : part.shape[1]]
        cell_px = -(-self._state.picture.width // found.reasons_HW.shape[1])
        ys = np.minimum((np.arange(len(part)) * self._px) // cell_px, len(found.reasons_HW) - 1)
        xs = np.minimum((np.arange(part.shape[1]) * self._px) // cell_px, found.reasons_HW.shape[1] - 1)
        dropped = found.reasons_HW[ys[:, None], xs[None]] == 0
        part[dropped] = (part[dropped] * (1 - TINT) + DROPPED * TINT).astype(np.uint8)
        for (row, column), bits in zip(found.places.tolist(), found.bits, strict=True):
            y, x = np.nonzero(np.unpackbits(bits, axis=1))
            y, x = (row * TILE_PX + y) // self._px, (column * TILE_PX + x) // self._px
            self._canvas[np.minimum(y, len(self._canvas) - 1), np.minimum(x, self._canvas.shape[1] - 1)] = CRACK

    def write(self, words: dict[str, Any]) -> None:
        """Write report.html as it stands."""
        state = self._state
        state.picture.folder.mkdir(parents=True, exist_ok=True)
        context = {
            "name": state.picture.path.name,
            "done": len(state.lines),
            "units": len(state.picture.units),
            "words": words,
            "image": template.jpeg(self._canvas),
        }
        template.write(state.picture.folder / "report.html", "live.html.j2", context)
