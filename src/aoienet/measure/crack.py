"""What is said of one crack. Units stand in the names; x to the right, y down, the centre of a pixel at integers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Measured:
    """A value and its standard uncertainty, both in pixels; value +- 1.96 u_px holds the truth in about 95 of 100 cases."""

    value_px: float
    u_px: float

    @property
    def interval95_px(self) -> tuple[float, float]:
        return self.value_px - 1.96 * self.u_px, self.value_px + 1.96 * self.u_px


@dataclass(frozen=True)
class Widths:
    """Widths along one crack. upper_bound: too narrow to be told from the blur, which is not known: the values
    are at most that."""

    max: Measured
    mean: Measured
    median: Measured
    p95: Measured
    upper_bound: bool


CRACK, JOINT = "crack", "joint"
KINDS = (CRACK, JOINT)


@dataclass(frozen=True)
class Crack:
    """One crack: a connected part of the mask, or parts with small gaps between them, without the joints in it. Or one
    joint: all of the mask along a straight line (joint.py).

    id               from 1, by the upper edge, then the left edge of the box: it does not depend on tiles or jobs
    kind             CRACK or JOINT
    paths_px         centre lines of the branches, each float64 [N, 2] (x, y)
    polygons_px      along the borders of pixels, each as rings float64 [M, 2], the first point repeated at the end: the outer one,
                     then those of its holes; pixels that touch at a corner only are in different ones (outline.py)
    box_px           x0, y0, x1, y1, the last two exclusive
    length_u_px      standard uncertainty of length_px
    orientation_deg  main direction in [0, 180): 0 along x, growing from x towards -y (as seen)
    score            largest log-odds of the first stage over the blocks that it touches; NaN: no first stage
    probability      mean of the segmentation probability over its area, or over all that was connected where a crack
                     and a joint were parted; NaN: none given
    """

    id: int
    paths_px: tuple[np.ndarray, ...]
    polygons_px: tuple[tuple[np.ndarray, ...], ...]
    box_px: tuple[int, int, int, int]
    area_px: int
    length_px: float
    length_u_px: float
    widths: Widths
    orientation_deg: float
    branches: int
    score: float = math.nan
    probability: float = math.nan
    kind: str = CRACK
