"""thumbnail.jpg: the small picture with the heat map of the first stage, cracks (red) and joints (green) drawn in; preview.jpg: the
same smaller by far, for the overview of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aoienet.files import atomic
from aoienet.report.overlay import render
from aoienet.report.pyramid import shrink
from aoienet.scan.runner import ScanResult

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from aoienet.measure.crack import Crack

INNER, OUTER = {"crack": (200, 0, 60), "joint": (0, 110, 90)}, (255, 255, 255)
THUMBNAIL_PX, THUMBNAIL_QUALITY = 2000, 90
PREVIEW_PX = 128  # longest side
PREVIEW_QUALITY = 70  # less than 10 kB even of noise, as a page holds those of a whole batch
FINER = 2  # lines of a preview are drawn in a larger one, so that they come out smooth


def write_thumbnail(path: Path, result: ScanResult, cracks: Sequence[Crack] = ()) -> None:
    """A JPEG of at most THUMBNAIL_PX per side."""
    from PIL import Image

    step = -(-max(result.thumb.shape[:2]) // THUMBNAIL_PX)
    if step > 1:
        result = replace(result, thumb=shrink(result.thumb, step), factor=step * result.factor)
    image = Image.fromarray(render(result))
    _draw(image, cracks, (result.factor, result.factor), 1 + max(image.size) // 1500)
    with atomic(path) as temporary:
        image.save(temporary, format="JPEG", quality=THUMBNAIL_QUALITY)


def write_preview(path: Path, result: ScanResult, cracks: Sequence[Crack] = (), measured: bool = True) -> None:
    """A JPEG of at most PREVIEW_PX per side; the heat map only where nothing was measured: lines would hide in it."""
    from PIL import Image

    image = Image.fromarray(result.thumb if measured else render(result))
    image.thumbnail((FINER * PREVIEW_PX, FINER * PREVIEW_PX), Image.Resampling.BOX)
    image = image.convert("RGB")
    factors = result.grid.width / image.width, result.grid.height / image.height
    _draw(image, cracks, factors, FINER)
    image.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.BOX)
    with atomic(path) as temporary:
        image.save(temporary, format="JPEG", quality=PREVIEW_QUALITY)


def _draw(image: Picture, cracks: Sequence[Crack], factors: tuple[float, float], width: int) -> None:
    """Draw cracks and joints; factors: pixels of the picture per pixel of the image, along x and y."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    lines = [(_line(p, factors), INNER[c.kind]) for c in cracks for p in c.paths_px if len(p) >= 2]
    for line, _ in lines:
        draw.line(line, fill=OUTER, width=width + 2, joint="curve")
    for line, color in lines:
        draw.line(line, fill=color, width=width, joint="curve")


def _line(points: np.ndarray, factors: tuple[float, float]) -> list[tuple[float, float]]:
    """Points of the picture -> points of the image, both counted from the centre of pixels."""
    return [(float(x), float(y)) for x, y in (np.asarray(points) + 0.5) / factors - 0.5]
