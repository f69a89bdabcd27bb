"""thumbnail.png: the small picture with the heat map of the first stage and the cracks drawn in."""

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

INNER, OUTER = (200, 0, 60), (255, 255, 255)


def write_thumbnail(path: Path, result: ScanResult, cracks: Sequence[Crack] = ()) -> None:
    """A PNG of at most 4,000 px per side."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(render(result))
    width = 1 + max(image.size) // 1500
    draw = ImageDraw.Draw(image)
    lines = [_line(path_px, result.factor) for crack in cracks for path_px in crack.paths_px if len(path_px) >= 2]
    for color, extra in ((OUTER, 2), (INNER, 0)):
        for line in lines:
            draw.line(line, fill=color, width=width + extra, joint="curve")
    with atomic(path) as temporary:
        image.save(temporary, format="PNG", compress_level=4)


def _line(points: np.ndarray, factor: int) -> list[tuple[float, float]]:
    """Points of the picture -> points of the thumbnail, both counted from the centre of pixels."""
    return [(float(x), float(y)) for x, y in (np.asarray(points) + 0.5) / factor - 0.5]
