"""What is said of one crack or joint: one flat record, the same in every output file. The unit stands in every name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aoienet.measure.classes import Classes, classify
from aoienet.measure.marker import Marked
from aoienet.scan.sources import GeoReference
from aoienet.scan.sources.geo import GeoError

if TYPE_CHECKING:
    from aoienet.measure.crack import Crack

Value = int | float | str | None
PX_DIGITS, MM_DIGITS, LOG_DIGITS, DEGREE_DIGITS = 3, 4, 4, 10  # decimals; 1e-10 degrees are 0.01 mm
WIDTHS = ("max", "p95", "mean", "median")
CLASS_ENDS = ("", "_at_least", "_at_most")
COMPACT = 3.0  # shorter than this many times its greatest width: a pore or a hole as well as a crack


@dataclass(frozen=True)
class Scale:
    """Millimetres per pixel and where the number is from; None: lengths stay in pixels, and `origin` says why.
    classes: of crack width, which are in millimetres; None: none are asked for, or there is no scale. marked: the markers
    that it is from."""

    mm_per_px: float | None
    origin: str
    classes: Classes | None = None
    marked: Marked | None = None

    def __post_init__(self) -> None:
        if self.mm_per_px is not None and not (math.isfinite(self.mm_per_px) and self.mm_per_px > 0):
            raise ValueError(f"mm_per_px must be positive and finite; received {self.mm_per_px}.")


@dataclass(frozen=True)
class Place:
    """How picture points [N, 2] become coordinates of a map: longitude and latitude, or pixels, and why pixels."""

    convert: Callable[[np.ndarray], np.ndarray]
    on_earth: bool
    reason: str

    @property
    def digits(self) -> int:
        """Decimals of a coordinate."""
        return DEGREE_DIGITS if self.on_earth else PX_DIGITS


def place_of(geo: GeoReference | None) -> Place:
    """Longitude and latitude where the file's CRS allows it, else pixels from the upper left corner with y negated,
    as a map program lays out a picture without a place."""
    if geo is None:
        return Place(_pixel_place, False, "the picture has no place on the earth")
    try:
        geo.lon_lat(np.zeros((1, 2)))
    except GeoError as error:
        return Place(_pixel_place, False, str(error))
    return Place(geo.lon_lat, True, f"WGS 84 from {geo.crs}")


def compact(crack: Crack) -> bool:
    """Not much longer than wide: a pore or a hole as well as a crack."""
    return float(crack.length_px) < COMPACT * float(crack.widths.max.value_px)


def record(crack: Crack, scale: Scale, place: Place) -> dict[str, Value]:
    """The record of one crack or joint: pixels always, millimetres with a scale, longitude and latitude with a place.

    Units    *_px pixels, area_px pixels counted, *_mm and area_mm2 millimetres, orientation_deg from the x axis
             towards the top, score_log_odds of the first stage, *_u_* one standard uncertainty of the same unit.
             width_upper_bound is 1 where a narrow width is only known to be at most that, compact where it is not much longer than wide. width_class_at_least and
             width_class_at_most: classes of the ends of the width's 95 % interval.
    """
    x0, y0, x1, y1 = (int(v) for v in crack.box_px)
    out: dict[str, Value] = {
        "id": int(crack.id),
        "kind": crack.kind,
        "x_px": x0,
        "y_px": y0,
        "w_px": x1 - x0,
        "h_px": y1 - y0,
        "area_px": int(crack.area_px),
        "length_px": _round(crack.length_px, PX_DIGITS),
        "length_u_px": _round(crack.length_u_px, PX_DIGITS),
    }
    for name in WIDTHS:
        width = getattr(crack.widths, name)
        out[f"width_{name}_px"] = _round(width.value_px, PX_DIGITS)
        out[f"width_{name}_u_px"] = _round(width.u_px, PX_DIGITS)
    out |= {
        "width_upper_bound": int(crack.widths.upper_bound),
        "orientation_deg": _round(crack.orientation_deg, 2),
        "branches": int(crack.branches),
        "compact": int(compact(crack)),
        "score_log_odds": _round(crack.score, LOG_DIGITS),
        "probability": _round(crack.probability, LOG_DIGITS),
    }
    if scale.mm_per_px is not None:
        out |= _millimetres(crack, scale.mm_per_px)
    if scale.classes is not None:
        verdict = classify(crack.widths, scale.mm_per_px, scale.classes)
        out |= {f"width_class{end}": getattr(verdict, f"{end[1:] or 'name'}") for end in CLASS_ENDS}
    if place.on_earth:
        middle = place.convert(np.array([[(x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2]]))[0]
        out |= {"lon_deg": _round(middle[0], DEGREE_DIGITS), "lat_deg": _round(middle[1], DEGREE_DIGITS)}
    return out


def columns(scale: Scale, place: Place) -> list[str]:
    """Names of the record's values, in order."""
    names = ["id", "kind", "x_px", "y_px", "w_px", "h_px", "area_px", "length_px", "length_u_px"]
    names += [f"width_{name}{u}_px" for name in WIDTHS for u in ("", "_u")]
    names += ["width_upper_bound", "orientation_deg", "branches", "compact", "score_log_odds", "probability"]
    if scale.mm_per_px is not None:
        names += ["mm_per_px", "area_mm2", "length_mm", "length_u_mm"]
        names += [f"width_{name}{u}_mm" for name in WIDTHS for u in ("", "_u")]
    if scale.classes is not None:
        names += [f"width_class{end}" for end in CLASS_ENDS]
    return names + (["lon_deg", "lat_deg"] if place.on_earth else [])


def _millimetres(crack: Crack, mm: float) -> dict[str, Value]:
    out: dict[str, Value] = {
        "mm_per_px": float(f"{mm:.9g}"),
        "area_mm2": _round(crack.area_px * mm * mm, MM_DIGITS),
        "length_mm": _round(crack.length_px * mm, MM_DIGITS),
        "length_u_mm": _round(crack.length_u_px * mm, MM_DIGITS),
    }
    for name in WIDTHS:
        width = getattr(crack.widths, name)
        out[f"width_{name}_mm"] = _round(width.value_px * mm, MM_DIGITS)
        out[f"width_{name}_u_mm"] = _round(width.u_px * mm, MM_DIGITS)
    return out


def _round(value: float, digits: int) -> float | None:
    return round(float(value), digits) + 0.0 if math.isfinite(value) else None


def _pixel_place(points: np.ndarray) -> np.ndarray:
    return (np.asarray(points, np.float64) + 0.5) * [1, -1]
