"""The table of blocks and the counts of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aoienet.report.files import atomic
from aoienet.scan.runner import ScanResult

COLUMNS = "x_px,y_px,w_px,h_px,score,class"


def write_blocks(path: Path, result: ScanResult, classes: Sequence[str]) -> None:
    """blocks.csv: one line per block in reading order; w_px and h_px end at the picture's edge; class is defect
    where the block is kept."""
    names = [_quoted(c) for c in classes]
    grid, step, block = result.grid, result.geometry.stride_px, result.geometry.block_px
    labels = np.where(result.kept_HW, result.decision.defect, result.best_HW)
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        out.write(COLUMNS + "\n")
        xs = [(j * step, min(block, grid.width - j * step)) for j in range(grid.cols)]
        for i in range(grid.rows):
            y, h = i * step, min(block, grid.height - i * step)
            row = zip(xs, result.scores_HW[i].tolist(), labels[i].tolist(), strict=False)
            out.write("".join(f"{x},{y},{w},{h},{score:.6g},{names[k]}\n" for (x, w), score, k in row))


def counts(result: ScanResult, classes: Sequence[str]) -> dict:
    """Blocks, kept blocks and the share of the picture's area that no kept block covers."""
    kept = result.kept_HW
    labels = np.where(kept, result.decision.defect, result.best_HW)
    found = np.bincount(labels.ravel(), minlength=len(classes))
    return {
        "blocks": int(kept.size),
        "blocks_kept": int(kept.sum()),
        "by_class": {name: int(n) for name, n in zip(classes, found, strict=False)},
        "area_dropped_share": round(1.0 - kept_area_px(result) / (result.grid.height * result.grid.width), 6),
        "max_score": float(f"{result.scores_HW.max():.6g}"),
    }


def kept_cells(result: ScanResult) -> tuple[np.ndarray, int]:
    """Which square cells of the picture at least one kept block covers, and the side of a cell in pixels."""
    geometry, kept = result.geometry, result.kept_HW
    cell = int(np.gcd(geometry.block_px, geometry.stride_px))
    step, span = geometry.stride_px // cell, geometry.block_px // cell
    cells = np.zeros(((kept.shape[0] - 1) * step + span, (kept.shape[1] - 1) * step + span), bool)
    for dy in range(span):
        for dx in range(span):
            cells[dy : dy + (kept.shape[0] - 1) * step + 1 : step, dx : dx + (kept.shape[1] - 1) * step + 1 : step] |= (
                kept
            )
    return cells, cell


def kept_area_px(result: ScanResult) -> int:
    """Pixels of the picture inside at least one kept block."""
    cells, cell = kept_cells(result)
    heights = np.clip(result.grid.height - np.arange(cells.shape[0]) * cell, 0, cell)
    widths = np.clip(result.grid.width - np.arange(cells.shape[1]) * cell, 0, cell)
    return int(heights @ cells.astype(np.int64) @ widths)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text
