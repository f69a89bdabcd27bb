"""Millimetres per pixel: from a number, from the ground sampling distance of a GeoTIFF, from two points a known distance
apart, or from a marker of known size (marker.py). Without one of them nothing is said in millimetres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

POINT_U_PX = 0.5  # how well a point is marked by hand
LEAST_MM, MOST_MM = 1e-6, 1e6  # per px: beyond microscopes and satellites a unit was mistaken
SQUARE_TOLERANCE = 0.01  # pixels may be this much longer than wide


class ScaleError(ValueError):
    """No scale can be had from what was given."""


@dataclass(frozen=True)
class PixelSize:
    """mm_per_px, its relative standard uncertainty (0: taken as exact), and where it is from."""

    mm_per_px: float
    u_relative: float
    origin: str

    def __post_init__(self) -> None:
        if not LEAST_MM <= self.mm_per_px <= MOST_MM:
            raise ScaleError(
                f"millimetres per pixel must be positive, from {LEAST_MM:g} to {MOST_MM:g}; received {self.mm_per_px:g}; next: look at the "
                "unit, which is mm"
            )

    @property
    def words(self) -> str:
        """Where it is from and how well it is known, for a reader."""
        return f"{self.origin}; the scale itself is known to {100 * self.u_relative:.2g} % (one standard uncertainty)"

    def millimetres(self, value_px: float, u_px: float) -> tuple[float, float]:
        """A length and its standard uncertainty in mm, that of the scale included."""
        value_mm = value_px * self.mm_per_px
        return value_mm, math.hypot(u_px * self.mm_per_px, value_mm * self.u_relative)


def from_value(mm_per_px: float) -> PixelSize:
    return PixelSize(float(mm_per_px), 0.0, "given by the user")


def from_ground_sampling(x_m_per_px: float, y_m_per_px: float) -> PixelSize:
    """From the pixel size of a picture with a place on the earth, in metres.

    Raises    ScaleError: not positive, or the pixels are not square
    """
    x, y = abs(float(x_m_per_px)), abs(float(y_m_per_px))
    if not (math.isfinite(x) and math.isfinite(y) and x > 0 and y > 0):
        raise ScaleError(f"a ground sampling distance must be positive and finite; received {x} and {y} m.")
    if abs(x - y) > SQUARE_TOLERANCE * max(x, y):
        raise ScaleError(
            f"pixels must be square within {SQUARE_TOLERANCE:.0%}; received {x:g} x {y:g} m: resample the picture first"
        )
    return PixelSize(1000 * math.sqrt(x * y), abs(x - y) / (x + y), "ground sampling distance of the file")


def from_points(
    first_xy: tuple[float, float], second_xy: tuple[float, float], distance_mm: float, u_mm: float = 0.0
) -> PixelSize:
    """From two points of the picture, the ends of a scale bar or of a marker's side, and their distance.

    Holds where the marker lies flat on the surface, at the cracks' distance, and is seen from the front: a tilt by an
    angle a makes lengths along it short by the factor cos(a) (0.97 at 14 degrees).
    Raises    ScaleError: points nearer than 20 px (the marks alone would then be wrong by over 3 %), a distance <= 0
    """
    away_px = math.hypot(second_xy[0] - first_xy[0], second_xy[1] - first_xy[1])
    if not (math.isfinite(distance_mm) and distance_mm > 0):
        raise ScaleError(f"the distance of the two points must be positive, in mm; received {distance_mm}.")
    if not away_px >= 20:
        raise ScaleError(
            f"the two points must be at least 20 px apart; received {away_px:.1f} px; next: take points further apart"
        )
    relative = math.hypot(POINT_U_PX * math.sqrt(2) / away_px, u_mm / distance_mm)
    return PixelSize(distance_mm / away_px, relative, f"two points {away_px:.1f} px and {distance_mm:g} mm apart")


def check_inside(points: Sequence[float], width: int, height: int) -> None:
    """Raises   ScaleError: x, y of one of two points (x0, y0, x1, y1) lies outside of the picture."""
    x0, y0, x1, y1 = points
    if not all(0 <= x <= width and 0 <= y <= height for x, y in ((x0, y0), (x1, y1))):
        raise ScaleError(
            f"the points of a scale must lie in the picture, which has {width} x {height} px; received {x0:g},{y0:g} and {x1:g},{y1:g}; "
            "next: points of this picture, or --mm-per-px"
        )
