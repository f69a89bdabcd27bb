"""The table of blocks and the counts of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aoienet.files import atomic
from aoienet.scan.keep import OUTSIDE, WORDS, Reason, cell_px, passed_on
from aoienet.scan.runner import ScanResult

COLUMNS = "x_px,y_px,w_px,h_px,score,class,passed_on"


def write_blocks(path: Path, result: ScanResult, classes: Sequence[str]) -> None:
    """blocks.csv: one line per block in reading order; w_px and h_px end at the picture's edge; class is defect
    where the block reaches the threshold; passed_on: why cells of the block were, empty where none was."""
    names = [_quoted(c) for c in classes]
    grid, step, block = result.grid, result.geometry.stride_px, result.geometry.block_px
    labels = np.where(result.kept_HW, result.decision.defect, result.best_HW)
    why = {k: "+".join(str(r.name).lower() for r in Reason if r & k) for k in range(2 << len(Reason))}
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        out.write(COLUMNS + "\n")
        xs = [(j * step, min(block, grid.width - j * step)) for j in range(grid.cols)]
        for i in range(grid.rows):
            y, h = i * step, min(block, grid.height - i * step)
            passed = _of_blocks(result, i).tolist()
            row = zip(xs, result.scores_HW[i].tolist(), labels[i].tolist(), passed, strict=False)
            out.write("".join(f"{x},{y},{w},{h},{score:.6g},{names[k]},{why[r]}\n" for (x, w), score, k, r in row))


def _of_blocks(result: ScanResult, row: int) -> np.ndarray:
    """Reasons of all cells of each block of a row of blocks."""
    cell = cell_px(result.geometry)
    step, span = result.geometry.stride_px // cell, result.geometry.block_px // cell
    cells = np.bitwise_or.reduce(result.reasons_HW[row * step : row * step + span], axis=0)
    cells = np.pad(cells, (0, (result.grid.cols - 1) * step + span - len(cells)))
    return np.bitwise_or.reduce([cells[k : k + (result.grid.cols - 1) * step + 1 : step] for k in range(span)])


def counts(result: ScanResult, classes: Sequence[str]) -> dict:
    """Blocks by class, cells passed on by reason."""
    kept = result.kept_HW
    labels = np.where(kept, result.decision.defect, result.best_HW)
    found = np.bincount(labels.ravel(), minlength=len(classes))
    return {
        "blocks": int(kept.size),
        "blocks_at_threshold": int(kept.sum()),
        "blocks_by_class": {name: int(n) for name, n in zip(classes, found, strict=False)},
        "max_score": float(f"{result.scores_HW.max():.6g}"),
        "cell_px": cell_px(result.geometry),
        "cells": int(result.reasons_HW.size),
        "cells_passed_on": int(passed_on(result.reasons_HW).sum()),
        "cells_outside": int((result.reasons_HW == OUTSIDE).sum()),
        "cells_by_reason": reasons(result),
    }


def reasons(result: ScanResult) -> dict[str, int | None]:
    """Cells passed on, by reason; a cell may have several. None: was not looked for."""
    found: dict[str, int | None] = {w: int((result.reasons_HW & int(r) != 0).sum()) for r, w in WORDS.items()}
    return found if result.sought else found | {WORDS[Reason.UNFAMILIAR]: None}


def looked_share(result: ScanResult) -> float:
    """Share of the photographed area inside cells that were passed on."""
    return area_share(result, passed_on(result.reasons_HW))


def outside_share(result: ScanResult) -> float:
    """Share of the picture inside cells of which nothing was photographed."""
    outside = _area(result, result.reasons_HW == OUTSIDE)
    return outside / (result.grid.height * result.grid.width)


def unfamiliar(result: ScanResult) -> np.ndarray:
    """True where a cell was passed on as unlike the training pictures."""
    return np.asarray(result.reasons_HW & int(Reason.UNFAMILIAR) != 0)


def unfamiliar_share(result: ScanResult) -> float | None:
    """Share of the photographed area inside such cells; None: they were not looked for."""
    return area_share(result, unfamiliar(result)) if result.sought else None


def area_share(result: ScanResult, cells: np.ndarray) -> float:
    """Share of the photographed area inside of the cells that are True: of all cells but those of which nothing was."""
    return _area(result, cells) / _area(result, result.reasons_HW != OUTSIDE)


def _area(result: ScanResult, cells: np.ndarray) -> int:
    """Pixels of the picture inside of the cells that are True."""
    cell = cell_px(result.geometry)
    heights = np.clip(result.grid.height - np.arange(cells.shape[0]) * cell, 0, cell)
    widths = np.clip(result.grid.width - np.arange(cells.shape[1]) * cell, 0, cell)
    return int(heights @ cells.astype(np.int64) @ widths)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text
