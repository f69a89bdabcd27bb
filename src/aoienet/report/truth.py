"""How well a scan found and measured cracks that are known: from defects.geojson, which a reader has too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from aoienet.synth import Crack

NEAR_PX = 4.0  # a point of a centre line this near to another line lies on the same crack
FOUND_SHARE = 0.5  # of a crack's centre line


@dataclass(frozen=True)
class Line:
    """A crack as found: points [N, 2] (y, x) of its centre line, length and median width in px."""

    points: np.ndarray
    length_px: float
    width_px: float
    upper_bound: bool


def lines_of(path: Path) -> list[Line]:
    """The centre lines of a defects.geojson in pixels."""
    document = json.loads(path.read_text("utf-8"))
    made = []
    for feature in document["features"]:
        values = feature["properties"]
        if values["part"] == "centre line":
            parts = [_dense(np.array(p)[:, ::-1] * [-1, 1]) for p in feature["geometry"]["coordinates"]]
            length, width = float(values["length_px"]), float(values["width_median_px"])
            made.append(Line(np.concatenate(parts), length, width, bool(values["width_upper_bound"])))
    return made


def score_against_truth(cracks: Sequence[Crack], lines: Sequence[Line]) -> dict[str, Any]:
    """Recall by crack and by length, precision by length, errors of length and width of what was found.

    A known crack is found where half of its line lies near a line that was found, and that line is right where it lies
    near a known one. Widths are compared at the median, length by crack: all lines along it against its own.
    """
    own = _known(cracks)
    covered = _covered(own[:, :2], lines)
    number = own[:, 4].astype(np.int64)
    total = np.bincount(number, minlength=len(cracks))
    share = np.bincount(number, covered, minlength=len(cracks)) / np.maximum(total, 1)
    right = [_along(line, own) for line in lines]
    lengths, widths = _errors(cracks, share, lines, right, own)
    true_px = sum(len(line.points) * part for line, (part, _) in zip(lines, right, strict=True))
    said_px = sum(len(line.points) for line in lines)
    return {
        "cracks": len(cracks),
        "cracks_found": int((share >= FOUND_SHARE).sum()),
        "crack_recall": _ratio(int((share >= FOUND_SHARE).sum()), len(cracks)),
        "length_recall": _ratio(int(covered.sum()), len(own)),
        "length_precision": _ratio(true_px, said_px),
        "lines": len(lines),
        "lines_right": sum(part >= FOUND_SHARE for part, _ in right),
        "length_error_median": None if not lengths else round(float(np.median(np.abs(lengths))), 4),
        "width_error_median_px": None if not widths else round(float(np.median(np.abs(widths))), 3),
        "widths_compared": len(widths),
        "missed": [_missed(c, s) for c, s in zip(cracks, share.tolist(), strict=True) if s < FOUND_SHARE],
    }


def _known(cracks: Sequence[Crack]) -> np.ndarray:
    """[N, 5]: y, x, half width, depth, index of the crack."""
    parts = [np.column_stack([c.points_N4, np.full(len(c.points_N4), k)]) for k, c in enumerate(cracks)]
    return np.concatenate(parts) if parts else np.empty((0, 5))


def _dense(points: np.ndarray) -> np.ndarray:
    """Points about 1 px apart along a line, at the centre of pixels."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.linspace(0, along[-1], max(2, int(along[-1]) + 1))
    return np.stack([np.interp(at, along, points[:, k]) for k in (0, 1)], axis=1) - 0.5


def _covered(points: np.ndarray, lines: Sequence[Line]) -> np.ndarray:
    """True where a known point lies near a found line."""
    if not lines or not len(points):
        return np.zeros(len(points), bool)
    return cKDTree(np.concatenate([line.points for line in lines])).query(points - 0.5)[0] <= NEAR_PX


def _along(line: Line, own: np.ndarray) -> tuple[float, np.ndarray]:
    """Share of a found line that lies near known ones, and the known points there."""
    if not len(own):
        return 0.0, np.empty(0, np.int64)
    away, nearest = cKDTree(own[:, :2] - 0.5).query(line.points)
    near = away <= NEAR_PX
    return float(near.mean()), nearest[near]


def _errors(
    cracks: Sequence[Crack],
    share: np.ndarray,
    lines: Sequence[Line],
    right: Sequence[tuple[float, np.ndarray]],
    own: np.ndarray,
) -> tuple[list[float], list[float]]:
    """Relative errors of length by found crack, errors of the median width in px by line that could be measured."""
    measured = np.zeros(len(cracks))
    widths = []
    for line, (part, points) in zip(lines, right, strict=True):
        if part >= FOUND_SHARE:
            measured[np.bincount(own[points, 4].astype(np.int64), minlength=len(cracks)).argmax()] += line.length_px
            if not line.upper_bound:
                widths.append(line.width_px - 2 * float(np.median(own[points, 2])))
    lengths = [float(m) / c.length_px - 1 for m, c, s in zip(measured, cracks, share, strict=True) if s >= FOUND_SHARE]
    return lengths, widths


def _missed(crack: Crack, share: float) -> dict[str, Any]:
    y, x = crack.points_N4[0, :2].astype(int).tolist()
    return {"crack": crack.id, "y_px": y, "x_px": x, "length_px": crack.length_px, "share_found": round(share, 3)}


def _ratio(part: float, whole: float) -> float | None:
    return round(float(part) / whole, 6) if whole else None
