"""Square markers of known size (ArUco, AprilTag) in a picture: found by OpenCV, their corners refined, and the scale
that their sides give. OpenCV is imported with the first marker."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aoienet.extras import install
from aoienet.measure.scale import PixelSize, ScaleError

MODULES = {"AprilTag 36h11": 8, "ArUco 4x4_50": 6}  # modules of a side, black border included
OPENCV = {"AprilTag 36h11": "DICT_APRILTAG_36h11", "ArUco 4x4_50": "DICT_4X4_50"}
LEAST_SIDE_PX = 60  # EDGE_U_PX would be over 1.8 % of a smaller marker
UNEQUAL = 0.015  # share of their mean by which sides, diagonals or markers may differ
PASSES = 3  # each begins at the lines of the one before
REACH_PX = 24  # longest profile to either side of an edge
EDGE_U_PX = 1.1  # of a side: blur sigma up to 2 px, seen through a curve of 2.2, shortens it by up to sigma
QUIET = 0.25  # of a side, around a marker: paper, not surface
LEAST_CONTRAST = 30  # grey levels between the quiet zone and the black border
Quad = np.ndarray  # float64 [4, 2], x and y in pixels, around


@dataclass(frozen=True)
class Marker:
    """One marker. corners_px: x, y of its black square, clockwise in the picture from the marker's own upper left one."""

    dictionary: str
    number: int
    corners_px: tuple[tuple[float, float], ...]

    @property
    def sides_px(self) -> list[float]:
        """Lengths of the four sides."""
        return [
            math.dist(a, b) for a, b in zip(self.corners_px, self.corners_px[1:] + self.corners_px[:1], strict=True)
        ]

    @property
    def side_px(self) -> float:
        """Their mean."""
        return sum(self.sides_px) / 4

    @property
    def diagonals_px(self) -> list[float]:
        """Lengths of both: a square seen aslant from a corner keeps equal sides."""
        a, b, c, d = self.corners_px
        return [math.dist(a, c), math.dist(b, d)]

    @property
    def name(self) -> str:
        """As a reader finds it in the picture."""
        x, y = np.mean(self.corners_px, axis=0)
        return f"{self.dictionary} number {self.number} at x {x:.0f}, y {y:.0f}, {self.side_px:.1f} px a side"


@dataclass(frozen=True)
class Marked:
    """The markers of one picture and the scale that they give."""

    side_mm: float
    markers: tuple[Marker, ...]
    scale: PixelSize

    @property
    def left_out(self) -> list[Quad]:
        """Markers with their quiet zones: what is not measured."""
        quads = [np.array(marker.corners_px) for marker in self.markers]
        return [quad + 2 * QUIET * (quad - quad.mean(axis=0)) for quad in quads]


@functools.cache
def opencv() -> Any:
    """The module. Raises ScaleError: it is not installed."""
    try:
        import cv2
    except ImportError:
        raise ScaleError(f"a marker is found by OpenCV, which is not installed; {install('marker')}") from None
    return cv2


def checked_side(side_mm: float) -> float:
    """Raises   ScaleError: no length of a side in mm, or no OpenCV."""
    if not (math.isfinite(side_mm) and side_mm > 0):
        raise ScaleError(f"the side of a marker must be positive and finite, in mm; received {side_mm}.")
    opencv()
    return side_mm


def candidates(grey_HW: np.ndarray) -> list[tuple[str, int, Quad]]:
    """Dictionary, number and corners, to a pixel or two, of all markers in a picture, uint8 [H, W].

    Looked for at full, half and quarter size: the outline of a large marker is easily broken by the grain around it.
    """
    cv2 = opencv()
    found: list[tuple[str, int, Quad]] = []
    for factor in (1, 2, 4):
        size = grey_HW.shape[1] // factor, grey_HW.shape[0] // factor
        small = grey_HW if factor == 1 else cv2.resize(grey_HW, size, interpolation=cv2.INTER_AREA)
        for name, constant in OPENCV.items():
            detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, constant)))
            corners, numbers, _ = detector.detectMarkers(small)
            for number, corner in zip([] if numbers is None else numbers.ravel().tolist(), corners, strict=True):
                quad = (corner.reshape(4, 2).astype(np.float64) + 0.5) * factor - 0.5
                if not any(_same_place(quad, other) for _, _, other in found):
                    found.append((name, number, quad))
    return found


def _same_place(quad: Quad, other: Quad) -> bool:
    """The middle of one lies in the other's middle."""
    away = np.linalg.norm(quad.mean(axis=0) - other.mean(axis=0))
    return bool(away < np.linalg.norm(other[0] - other[2]) / 4)


def scale_from(markers: Sequence[Marker], side_mm: float) -> Marked:
    """The scale: side_mm by the mean side of the markers in pixels.

    Its uncertainty is the spread of all sides, with EDGE_U_PX for where a camera's brightness curve lays an edge.
    Raises   ScaleError: no marker, too small a one, seen aslant, of different sizes
    """
    otherwise = "or give --mm-per-px"
    if not markers:
        raise ScaleError(
            f"--marker-mm needs a marker ({' or '.join(OPENCV)}) in the picture, at least {LEAST_SIDE_PX} px a side, with a white margin; "
            f"received none: put one flat on the surface, sharp and seen from the front, {otherwise}"
        )
    for marker in markers:
        if marker.side_px < LEAST_SIDE_PX:
            raise ScaleError(
                f"a marker must be at least {LEAST_SIDE_PX} px a side; received {marker.name}: print it larger, {otherwise}"
            )
        unequal = max(_unequal(marker.sides_px), _unequal(marker.diagonals_px))
        if unequal > UNEQUAL:
            raise ScaleError(
                f"sides and diagonals of a marker must agree within {UNEQUAL:.1%} of their mean; received {unequal:.1%} of {marker.name}: "
                f"photograph the surface from the front (or rectify the picture), {otherwise}"
            )
    sides = [marker.side_px for marker in markers]
    if _unequal(sides) > UNEQUAL:
        raise ScaleError(
            f"all markers of a picture must give one scale, within {UNEQUAL:.1%}; received {_unequal(sides):.1%} between "
            f"{'; '.join(marker.name for marker in markers)}: leave one size of marker in the picture, seen from the front, {otherwise}"
        )
    mean = float(np.mean(sides))
    spread = float(np.std([side for marker in markers for side in marker.sides_px], ddof=1))
    origin = (
        f"--marker-mm {side_mm:g}: {'; '.join(marker.name for marker in markers)}; what lies within {QUIET:g} sides of a marker is not "
        "measured"
    )
    return Marked(side_mm, tuple(markers), PixelSize(side_mm / mean, math.hypot(spread, EDGE_U_PX) / mean, origin))


def _unequal(lengths: Sequence[float]) -> float:
    return (max(lengths) - min(lengths)) * len(lengths) / sum(lengths)


def refined(grey_HW: np.ndarray, quad: Quad, modules: int) -> Quad:
    """Corners as the meeting points of the four sides. grey_HW: a window that holds the marker and its quiet zone.

    A side is a line through the edges of about a hundred profiles across it. Each edge is where a step between the black
    of the border and the white of the paper would lie that holds as much light, so a blur does not move it. (OpenCV's
    own corner refinement is drawn 0.5 px inwards at each corner by a blur of 2 px: over 1 % of a small side.)
    """
    for _ in range(PASSES):
        ends = np.roll(quad, -1, axis=0)
        lines = [_side(grey_HW, a, b, modules) for a, b in zip(quad, ends, strict=True)]
        quad = np.array([_meet(lines[k - 1], lines[k]) for k in range(4)])
    return quad


Line = tuple[np.ndarray, np.ndarray]  # a point, a unit vector along


def _side(grey_HW: np.ndarray, a: np.ndarray, b: np.ndarray, modules: int) -> Line:
    """The straight edge near the line from a to b, which has black on its right (y counts down)."""
    from scipy.ndimage import map_coordinates

    length = float(np.linalg.norm(b - a))
    along = (b - a) / length
    out = np.array([along[1], -along[0]])
    reach = float(np.clip(0.55 * length / modules, 2, REACH_PX))
    s = np.linspace(0.08, 0.92, int(np.clip(length, 40, 400))) * length
    o = np.linspace(-reach, reach, int(8 * reach) + 1)
    points = a + s[:, None, None] * along + o[None, :, None] * out
    levels = map_coordinates(grey_HW, [points[..., 1], points[..., 0]], np.float32, order=1, mode="nearest")
    tail = max(1, len(o) // 8)
    black, white = float(np.median(levels[:, :tail])), float(np.median(levels[:, -tail:]))
    if white - black < LEAST_CONTRAST:
        raise ScaleError(
            f"a marker must be black on white with {LEAST_CONTRAST} grey levels or more between them; received "
            f"{black:.0f} and {white:.0f}: light it better, or give --mm-per-px"
        )
    edge = reach - 2 * reach * ((levels - black) / (white - black)).mean(axis=1)
    good = np.abs(edge - np.median(edge)) <= 3 * max(0.1, 1.4826 * float(np.median(np.abs(edge - np.median(edge)))))
    slope, start = np.polyfit(s[good], edge[good], 1)
    direction = along + slope * out
    return a + start * out, direction / np.linalg.norm(direction)


def _meet(first: Line, second: Line) -> np.ndarray:
    (p, u), (q, v) = first, second
    t, _ = np.linalg.solve(np.stack([u, -v], axis=1), q - p)
    return p + t * u
