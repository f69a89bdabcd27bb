"""Cracks measured, and joints told from them: centre line, length, width with an uncertainty, outline, direction. No PyTorch.

cracks = measure(read, (height, width))                        a picture of any size, read in cells
crack = measure_crack(mask, image)                             one crack, cropped

The work can be split: `cells` gives the cells, `measure_piece` measures one (any order, any machine), `merge` puts the
pieces together. scikit-image is imported with the first crack.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from aoienet.measure.crack import Crack, Measured, Widths
from aoienet.measure.merge import Scores, merge
from aoienet.measure.piece import Piece, Rectangle, Settings, Window, cells, measure_piece, window_of

Read = Callable[[int, int, int, int], Window]  # x0, y0, x1, y1 -> the pixels of that rectangle


def measure(
    read: Read, size_hw: tuple[int, int], settings: Settings | None = None, scores: Scores | None = None
) -> list[Crack]:
    """All cracks and joints of a picture. `read` is asked once per cell, from top to bottom, left to right, for the cell and its halo."""
    settings = settings if settings is not None else Settings()

    def piece(cell: Rectangle) -> Piece | None:
        box = window_of(cell, size_hw, settings.halo_px)
        return measure_piece(read(*box), box, cell, settings)

    return merge((piece(cell) for cell in cells(size_hw, settings.cell_px)), size_hw, settings, scores)


def measure_picture(
    mask: np.ndarray,
    image: np.ndarray | None = None,
    probability: np.ndarray | None = None,
    settings: Settings | None = None,
    scores: Scores | None = None,
) -> list[Crack]:
    """All cracks and joints of a picture in memory. mask: bool [H, W]; image: [H, W] or [H, W, 3]; probability: [H, W]."""
    whole = Window(mask, image, probability)

    def read(x0: int, y0: int, x1: int, y1: int) -> Window:
        def cut(a: np.ndarray | None) -> np.ndarray | None:
            return None if a is None else a[y0:y1, x0:x1]

        return Window(mask[y0:y1, x0:x1], cut(whole.image), cut(whole.probability))

    return measure(read, (mask.shape[0], mask.shape[1]), settings, scores)


def measure_crack(
    mask: np.ndarray,
    image: np.ndarray | None = None,
    origin_xy: tuple[int, int] = (0, 0),
    *,
    probability: np.ndarray | None = None,
    score: float = math.nan,
    settings: Settings | None = None,
) -> Crack:
    """The one crack of a mask that was cropped from a picture at origin_xy; all parts of the mask belong to it.

    Leave about halo_px of the picture around it: the background beside the crack is needed, and an edge of the crop is
    taken for an edge of the picture.
    Raises    ValueError: a mask without crack
    """
    if not mask.any():
        raise ValueError(f"a mask must have a crack pixel; received none in {mask.shape}")
    settings = replace(settings if settings is not None else Settings(), least_area_px=1)
    size = (mask.shape[0], mask.shape[1])
    window = Window(mask, image, probability)
    pieces = [measure_piece(window, (0, 0, size[1], size[0]), cell, settings) for cell in cells(size, settings.cell_px)]
    crack = merge(pieces, size, settings, as_one=True)[0]
    shift = np.array([*origin_xy, *origin_xy])
    x0, y0, x1, y1 = (int(v) for v in np.array(crack.box_px) + shift)
    return replace(
        crack,
        paths_px=tuple(path + shift[:2] for path in crack.paths_px),
        polygons_px=tuple(tuple(ring + shift[:2] for ring in rings) for rings in crack.polygons_px),
        box_px=(x0, y0, x1, y1),
        score=score,
    )


__all__ = [
    "Crack", "Measured", "Piece", "Read", "Rectangle", "Scores", "Settings", "Widths", "Window", "cells", "measure", "measure_crack",
    "measure_picture", "measure_piece", "merge", "window_of",
]  # fmt: skip
