"""thumbnail.png: the small picture with the heat map of the first stage, cracks (red) and joints (green) drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aoienet.files import atomic
from aoienet.report.overlay import render
from aoienet.scan.runner import ScanResult

if TYPE_CHECKING:
    from aoienet.measure.crack import Crack

INNER, OUTER = {"crack": (200, 0, 60), "joint": (0, 110, 90)}, (255, 255, 255)


def write_thumbnail(path: Path, result: ScanResult, cracks: Sequence[Crack] = ()) -> None:
    """A PNG of at most 4,000 px per side."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(render(result))
    width = 1 + max(image.size) // 1500
    draw = ImageDraw.Draw(image)
    lines = [(_line(p, result.factor), INNER[c.kind]) for c in cracks for p in c.paths_px if len(p) >= 2]
    for line, _ in lines:
        draw.line(line, fill=OUTER, width=width + 2, joint="curve")
    for line, color in lines:
        draw.line(line, fill=color, width=width, joint="curve")
    with atomic(path) as temporary:
        image.save(temporary, format="PNG", compress_level=4)


def _line(points: np.ndarray, factor: int) -> list[tuple[float, float]]:
    """Points of the picture -> points of the thumbnail, both counted from the centre of pixels."""
    return [(float(x), float(y)) for x, y in (np.asarray(points) + 0.5) / factor - 0.5]
