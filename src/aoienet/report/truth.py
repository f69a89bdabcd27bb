"""How well a scan found known cracks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aoienet.report.tables import kept_area_px
from aoienet.scan.runner import ScanResult
from aoienet.synth import Crack

MIN_LENGTH_PX = 16  # centre line a block must hold to count as a crack block; less is neither crack nor clean


def length_per_block(cracks: tuple[Crack, ...] | list[Crack], result: ScanResult) -> NDArray[np.int64]:
    """Pixels of crack centre line in each block of the grid."""
    total = np.zeros((result.grid.rows, result.grid.cols), np.int64)
    for crack in cracks:
        np.add.at(total, _blocks_of(crack, result)[:2], 1)
    return total


def score_against_truth(cracks: tuple[Crack, ...], result: ScanResult) -> dict[str, Any]:
    """Recall by crack (a kept block holds a part of it), recall by length, precision and recall by block, share of
    area dropped."""
    kept = result.kept_HW
    length = length_per_block(cracks, result)
    found, length_found, length_all, missed = 0, 0, 0, []
    for crack in cracks:
        rows, cols, point = _blocks_of(crack, result)
        covered = np.zeros(len(crack.points_N4), bool)
        covered[point[kept[rows, cols]]] = True
        length_all += len(covered)
        length_found += int(covered.sum())
        found += bool(covered.any())
        if not covered.any():
            missed.append(
                {
                    "crack": crack.id,
                    "y_px": int(crack.points_N4[0, 0]),
                    "x_px": int(crack.points_N4[0, 1]),
                    "length_px": len(covered),
                }
            )
    positive, clean = length >= MIN_LENGTH_PX, length == 0
    hits, alarms = int((kept & ~clean).sum()), int((kept & clean).sum())
    return {
        "cracks": len(cracks),
        "cracks_found": found,
        "crack_recall": _share(found, len(cracks)),
        "length_recall": _share(length_found, length_all),
        "block_recall": _share(int((kept & positive).sum()), int(positive.sum())),
        "block_precision": _share(hits, hits + alarms),
        "false_alarm_blocks": alarms,
        "blocks": int(kept.size),
        "blocks_kept": int(kept.sum()),
        "area_dropped_share": round(1.0 - kept_area_px(result) / (result.grid.height * result.grid.width), 6),
        "missed": missed,
    }


def _blocks_of(crack: Crack, result: ScanResult) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Every (block row, block column, point) with the point inside the block."""
    block, step, grid = result.geometry.block_px, result.geometry.stride_px, result.grid
    span = -(-block // step)
    y, x = crack.points_N4[:, 0].astype(np.int64), crack.points_N4[:, 1].astype(np.int64)
    rows, cols, points = [], [], []
    for dy in range(span):
        for dx in range(span):
            i, j = y // step - dy, x // step - dx
            ok = (
                (i >= 0)
                & (j >= 0)
                & (i < grid.rows)
                & (j < grid.cols)
                & (y - i * step < block)
                & (x - j * step < block)
            )
            rows.append(i[ok])
            cols.append(j[ok])
            points.append(np.flatnonzero(ok))
    return np.concatenate(rows), np.concatenate(cols), np.concatenate(points)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
