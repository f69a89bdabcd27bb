"""What is done for a batch of pictures, as tasks that any process on any machine can do in any order.

look     one unit of one picture: bytes that Found.from_bytes understands
finish   all units of one picture are there: write its output folder
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aoienet.measure import Settings
from aoienet.measure.marker import Marked
from aoienet.measure.scale import ScaleError, check_inside
from aoienet.scan.cascade import Found, Looker, Open, Stages, Unit, units_of
from aoienet.scan.keep import passed_on
from aoienet.scan.marker import marked
from aoienet.scan.sources import SourceError
from aoienet.scan.tiles import GeometryError

BAD_PICTURE = (SourceError, GeometryError, ScaleError, MemoryError)


@dataclass(frozen=True)
class Picture:
    """A picture of a batch. folder: its outputs. units: in order; none where `error` says why it cannot be scanned.
    marked: the scale from its markers, where these were looked for."""

    index: int
    path: Path
    folder: Path
    height: int = 0
    width: int = 0
    units: tuple[Unit, ...] = ()
    error: str = ""
    marked: Marked | None = None


@dataclass(frozen=True)
class Task:
    """unit None: finish the picture."""

    picture: Picture
    unit: Unit | None = None


@dataclass(frozen=True)
class Outcome:
    """data: of a unit. facts: what a journal, a bar or a summary says. error: this picture cannot be done."""

    data: bytes = b""
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""


Finish = Callable[[Stages, "Plan", Picture, list[Path]], dict[str, Any]]


@dataclass(frozen=True)
class Plan:
    """All that results depend on, besides the pictures; it can be pickled.

    open: gives the models. finish: writes the outputs of a picture from the files of its units; options: what it needs
    to know, and picklable. work: the folder of the units' files. base: what relative paths of pictures start from.
    """

    open: Open
    settings: Settings
    finish: Finish
    options: Any
    work: Path
    base: Path = Path()

    def unit_path(self, picture: Picture, unit: Unit) -> Path:
        """Where a unit's result is kept."""
        return self.work / f"{picture.index:06d}-{unit.band:05d}.npz"


class Worker:
    """Does tasks, one after the other. It opens the models once, and keeps a picture open for the next unit."""

    def __init__(self, plan: Plan, threads: int = 1, stages: Stages | None = None) -> None:
        self._plan, self._threads = plan, threads
        self._stages = plan.open() if stages is None else stages
        self._looker: tuple[Path, Looker] | None = None

    def do(self, task: Task) -> Outcome:
        """Do one task; a picture that cannot be done is an outcome, everything else that goes wrong is an exception."""
        try:
            return self._finish(task.picture) if task.unit is None else self._look(task.picture, task.unit)
        except BAD_PICTURE as error:
            text = words_of(error, self._plan.base / task.picture.path)
            return Outcome(error=text.replace(str(self._plan.base / task.picture.path), str(task.picture.path)))

    def close(self) -> None:
        """Give the open picture back."""
        if self._looker is not None:
            self._looker[1].close()
            self._looker = None

    def _look(self, picture: Picture, unit: Unit) -> Outcome:
        if self._looker is None or self._looker[0] != picture.path:
            self.close()
            path, left_out = self._plan.base / picture.path, picture.marked.left_out if picture.marked else ()
            self._looker = picture.path, Looker(self._stages, path, self._plan.settings, self._threads, left_out)
        looker = self._looker[1]
        if (looker.source.height, looker.source.width) != (picture.height, picture.width):
            raise SourceError(f"{picture.path} has changed since the scan began; scan it anew.")
        found = looker.look(unit)
        return Outcome(found.to_bytes(), facts_of(found))

    def _finish(self, picture: Picture) -> Outcome:
        self.close()
        paths = [self._plan.unit_path(picture, unit) for unit in picture.units]
        return Outcome(facts=self._plan.finish(self._stages, self._plan, picture, paths))


def plan_picture(index: int, path: Path, folder: Path, stages: Stages) -> Picture:
    """A picture and its units; one that cannot be opened carries the reason."""
    try:
        with stages.open_source(path) as source:
            height, width = source.height, source.width
            if stages.scale_points is not None:
                check_inside(stages.scale_points, width, height)
            units = tuple(units_of(height, width, stages.geometry))
            found = None if stages.marker_mm is None else marked(source, stages.marker_mm)
    except BAD_PICTURE as error:
        return Picture(index, path, folder, error=words_of(error, path))
    return Picture(index, path, folder, height, width, units, marked=found)


def facts_of(found: Found) -> dict[str, Any]:
    """Counts of one unit for the journal."""
    return {
        "blocks": int(found.scores_HW.size),
        "cells": int(found.reasons_HW.size),
        "cells_passed_on": int(passed_on(found.reasons_HW).sum()),
        "crack_px": int(sum(int(piece.area.sum()) for piece in found.pieces)),
        "crack_parts": int(sum(len(piece.area) for piece in found.pieces)),
    }


def words_of(error: BaseException, path: Path) -> str:
    """One line that names the picture."""
    text = str(error) if str(error) else "not enough memory"
    return text if str(path) in text else f"{path}: {text}"
