"""How well a scan found and measured cracks that are known, and told joints from them: from defects.geojson, which a reader has too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from aoienet.synth import Crack, Joint

NEAR_PX = 4.0  # a point of a centre line this near to another line lies on the same crack
FOUND_SHARE = 0.5  # of a crack's centre line


@dataclass(frozen=True)
class Line:
    """A crack or joint as found: points [N, 2] (y, x) of its centre line, length and median width in px."""

    points: np.ndarray
    length_px: float
    width_px: float
    upper_bound: bool
    kind: str = "crack"
    compact: bool = False


def lines_of(path: Path) -> list[Line]:
    """The centre lines of a defects.geojson in pixels."""
    document = json.loads(path.read_text("utf-8"))
    made = []
    for feature in document["features"]:
        values = feature["properties"]
        if values["part"] == "centre line":
            parts = [_dense(np.array(p)[:, ::-1] * [-1, 1]) for p in feature["geometry"]["coordinates"]]
            length, width = float(values["length_px"]), float(values["width_median_px"])
            bound, compact = bool(values["width_upper_bound"]), bool(values["compact"])
            made.append(Line(np.concatenate(parts), length, width, bound, values["kind"], compact))
    return made


def score_against_truth(
    cracks: Sequence[Crack], lines: Sequence[Line], joints: Sequence[Joint] = (), size_hw: tuple[int, int] = (0, 0)
) -> dict[str, Any]:
    """Recall by crack and by length, precision by length, errors of length and width of what was found.

    A known crack is found where half of its line lies near a line that was found, and that line is right where it lies
    near a known one. Widths are compared at the median, length by crack: all lines along it against its own, and
    once more for those found cracks that touch no other known one (alone): two that touch are measured as one. Lines that
    are called joint count for nothing of this; what is said of joints stands in joints_against_truth.
    """
    found = lines
    lines = [line for line in found if line.kind == "crack"]
    own = _known(cracks)
    covered = _covered(own[:, :2], lines)
    number = own[:, 4].astype(np.int64)
    total = np.bincount(number, minlength=len(cracks))
    share = np.bincount(number, covered, minlength=len(cracks)) / np.maximum(total, 1)
    right = [_along(line, own) for line in lines]
    errors, widths = _errors(cracks, lines, right, own)
    lengths, alone = errors[share >= FOUND_SHARE], errors[(share >= FOUND_SHARE) & _alone(len(cracks), own)]
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
        "lines_compact": sum(line.compact and part < FOUND_SHARE for line, (part, _) in zip(lines, right, strict=True)),
        "length_error_median": _median(lengths, 4),
        "alone": len(alone),
        "length_error_median_alone": _median(alone, 4),
        "width_error_median_px": _median(np.array(widths), 3),
        "widths_compared": len(widths),
        **joints_against_truth(own, found, joints, size_hw),
        "missed": [_missed(c, s) for c, s in zip(cracks, share.tolist(), strict=True) if s < FOUND_SHARE],
    }


def joints_against_truth(
    own: np.ndarray, lines: Sequence[Line], joints: Sequence[Joint], size_hw: tuple[int, int]
) -> dict[str, Any]:
    """Drawn joints that were recognised, along half of their length, and the share of what was found along them, away from
    cracks, that is called joint; and the share of what is called joint that lies along none.

    Args     own: points of the cracks, as _known gives them. size_hw: of the surface, along which joints run.
    """
    called = [line.points for line in lines if line.kind == "joint"]
    straight = np.concatenate(called) if called else np.empty((0, 2))
    others = [line.points for line in lines if line.kind != "joint"]
    rest = np.concatenate(others) if others else np.empty((0, 2))
    if len(own) and len(rest):
        rest = rest[cKDTree(own[:, :2] - 0.5).query(rest)[0] > NEAR_PX]
    on, left, recognised = np.zeros(len(straight), bool), np.zeros(len(rest), bool), 0
    for joint in joints:
        near = np.abs(straight[:, joint.axis] - joint.place_px) <= NEAR_PX
        on |= near
        left |= np.abs(rest[:, joint.axis] - joint.place_px) <= NEAR_PX
        length = size_hw[1 - joint.axis]
        seen = np.unique(np.clip(straight[near, 1 - joint.axis].astype(np.int64), 0, length - 1))
        recognised += bool(len(seen) >= FOUND_SHARE * length)
    return {
        "joints": len(joints),
        "joints_recognised": recognised,
        "joint_length_recognised": _ratio(int(on.sum()), int(on.sum() + left.sum())),
        "joint_lines": len(called),
        "joint_length_false": _ratio(int((~on).sum()), len(straight)),
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
    cracks: Sequence[Crack], lines: Sequence[Line], right: Sequence[tuple[float, np.ndarray]], own: np.ndarray
) -> tuple[np.ndarray, list[float]]:
    """Relative errors of length by crack, errors of the median width in px by line that could be measured."""
    measured = np.zeros(len(cracks))
    widths = []
    for line, (part, points) in zip(lines, right, strict=True):
        if part >= FOUND_SHARE:
            measured[np.bincount(own[points, 4].astype(np.int64), minlength=len(cracks)).argmax()] += line.length_px
            if not line.upper_bound:
                widths.append(line.width_px - 2 * float(np.median(own[points, 2])))
    return measured / np.array([max(1, c.length_px) for c in cracks]) - 1, widths


def _alone(count: int, own: np.ndarray) -> np.ndarray:
    """Whether each of `count` known cracks is further than NEAR_PX from the pixels of any other."""
    alone = np.ones(count, bool)
    reach = 2 * float(own[:, 2].max(initial=0)) + NEAR_PX
    for k in range(count):
        mine, others = own[own[:, 4] == k], own[own[:, 4] != k]
        if not len(mine) or not len(others):
            continue
        tree = cKDTree(mine[:, :2])
        away, nearest = tree.query(others[:, :2], distance_upper_bound=reach)
        near = np.isfinite(away)
        alone[k] = not (away[near] <= mine[nearest[near], 2] + others[near, 2] + NEAR_PX).any()
    return alone


def _median(errors: np.ndarray, digits: int) -> float | None:
    return round(float(np.median(np.abs(errors))), digits) if len(errors) else None


def _missed(crack: Crack, share: float) -> dict[str, Any]:
    y, x = crack.points_N4[0, :2].astype(int).tolist()
    return {"crack": crack.id, "y_px": y, "x_px": x, "length_px": crack.length_px, "share_found": round(share, 3)}


def _ratio(part: float, whole: float) -> float | None:
    return round(float(part) / whole, 6) if whole else None
