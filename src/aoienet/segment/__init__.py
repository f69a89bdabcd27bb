"""The second stage: a probability of crack for every pixel of the areas that the first stage kept. No PyTorch.

segmenter = load("binary")
for (x0, y0, x1, y1), probability in regions(segmenter, source.read, (height, width), kept):
    mask[y0:y1, x0:x1] = probability >= segmenter.threshold
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from aoienet import weights
from aoienet.segment.tiles import Rectangle, picture, regions

SHIPPED = {name.split(".")[0]: weights.FOLDER / "segment" / name for name in ("light.onnx", "binary.aoie")}


class SegmentError(ValueError):
    """A segmentation network that cannot be used, or an input that it does not take."""


class Segmenter(Protocol):
    """A network that gives every pixel a probability of crack. Calls from several threads are safe.

    channels    1 grey, 3 RGB
    halo_px     the results of an aligned rectangle depend on no pixel further away from it than this, in x or in y; a multiple of
                align_px
    inside_cost what a pixel of the answer costs besides, where a pixel that is seen costs 1
    align_px    results do not change when the picture moves by a multiple of this; sides of inputs are multiples of it
    side_px     the one size that the network takes, or 0 where it takes any
    threshold   a pixel is crack from this probability on
    sha256      of the file
    """

    name: str
    channels: int
    halo_px: int
    align_px: int
    side_px: int
    inside_cost: int
    threshold: float
    sha256: str

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 [H, W] or [H, W, 3], sides multiples of align_px -> float32 [H - 2 halo_px, W - 2 halo_px]: what lies within
        halo_px of an edge is felt and not answered. `regions` and `picture` take any size and hand in the surroundings."""
        ...


def check_sides(segmenter: Segmenter, image: np.ndarray) -> None:
    """Raise SegmentError where the sides of a network's input are not what `Segmenter` says."""
    height, width = sides = image.shape[:2]
    halo, align, side = segmenter.halo_px, segmenter.align_px, segmenter.side_px
    if any(n != side if side else n % align or n <= 2 * halo for n in sides):
        rule = (
            f"{side}x{side} px at a time"
            if side
            else f"sides that are multiples of {align} px and more than {2 * halo} px"
        )
        raise SegmentError(
            f"{segmenter.name} takes {rule}; received {width}x{height}: use aoienet.segment.picture, which cuts tiles"
        )


def load(name_or_path: str | Path, threads: int = 1) -> Segmenter:
    """One of SHIPPED, or the path of an .onnx file (with NAME.json beside it, see onnx.Options) or of an .aoie segmentation file.

    Raises    SegmentError: unknown name, no such file, a file that is not a segmentation network
    """
    path = SHIPPED.get(str(name_or_path), Path(name_or_path))
    if path.suffix.lower() == ".aoie":
        from aoienet.segment.aoie import AoieSegmenter

        return AoieSegmenter(path)
    if path.suffix.lower() != ".onnx":
        raise SegmentError(
            f"unknown segmentation network {str(name_or_path)!r}; known: {', '.join(SHIPPED)}, or the path of an .onnx or .aoie file"
        )
    from aoienet.segment.onnx import OnnxSegmenter

    return OnnxSegmenter(path, threads=threads)


__all__ = ["Rectangle", "SegmentError", "Segmenter", "load", "picture", "regions"]
