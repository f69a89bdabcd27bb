"""Markers of known size drawn on generated surfaces: error of the scale that is taken from them, and the time that it takes.

    python benchmarks/marker.py                     (--pictures N, --seed S, --json)

A marker is printed on paper that is a module wider on all sides, glued at any angle, seen by a lens and a sensor (blur, noise, 8 bits),
once by a camera whose levels are proportional to the light, once by one with a brightness curve of 2.2, as photographs have. Half are
AprilTag 36h11, half ArUco 4x4_50. Time: from the opened file to the scale; the surface of the large pictures repeats.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import platform
import tempfile
import time
from importlib import metadata
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import tifffile
from PIL import Image

from aoienet.measure.marker import MODULES, OPENCV, Marker, candidates, refined, scale_from
from aoienet.measure.scale import ScaleError
from aoienet.memory import peak_memory_mib
from aoienet.scan.marker import marked
from aoienet.scan.sources import open_source
from aoienet.synth import surface

SIZE_HW = 1200, 1600
CLASSES_PX = (64, 100, 200, 400, 800)
CURVE = 2.2
FINE = 4  # rows and columns that are drawn for one pixel
PAPER, INK = 225, 25


@functools.lru_cache(maxsize=8)
def wall(height: int, width: int, seed: int) -> np.ndarray:
    """A concrete surface with cracks, uint8 [H, W]."""
    return surface(height, width, seed).band(0, height)


def corners(x: float, y: float, side_px: float, turn_deg: float = 0.0, tilt_deg: float = 0.0) -> np.ndarray:
    """Corners [4, 2] of a square about (x, y), turned in the picture, then tilted about the picture's column of x, seen from 8 sides away."""
    a, b = math.radians(turn_deg), math.radians(tilt_deg)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side_px / 2
    flat = square @ np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
    away = 8 * side_px
    shrink = away / (away + flat[:, 0] * math.sin(b))
    return np.stack([flat[:, 0] * math.cos(b) * shrink, flat[:, 1] * shrink], axis=1) + [x, y]


def draw(picture: np.ndarray, quad: np.ndarray, dictionary: str = "AprilTag 36h11", number: int = 5) -> np.ndarray:
    """The picture with a printed marker: a sheet of paper, a module wider on all sides, glued onto the surface."""
    import cv2

    modules = MODULES[dictionary]
    printed = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, OPENCV[dictionary]))
    bits = cv2.aruco.generateImageMarker(printed, number, modules)
    sheet = np.pad(np.where(bits > 0, PAPER, INK).astype(np.uint8), 1, constant_values=PAPER)
    scale = 64  # pixels of the sheet per module; the edge of its first pixel is at -0.5
    sheet = np.kron(sheet, np.ones((scale, scale), np.uint8))
    edge = np.array([[1, 1], [modules + 1, 1], [modules + 1, modules + 1], [1, modules + 1]]) * scale - 0.5
    reach = quad + 0.8 * (quad - quad.mean(axis=0))
    x0, y0 = np.maximum(np.floor(reach.min(axis=0)).astype(int) - 2, 0)
    x1, y1 = np.minimum(np.ceil(reach.max(axis=0)).astype(int) + 3, [picture.shape[1], picture.shape[0]])
    fine = (quad - [x0, y0] + 0.5) * FINE - 0.5
    turn = cv2.getPerspectiveTransform(edge.astype(np.float32), fine.astype(np.float32))
    size = (int(x1 - x0) * FINE, int(y1 - y0) * FINE)
    ink = cv2.warpPerspective(sheet, turn, size, flags=cv2.INTER_LINEAR).astype(np.float32)
    cover = cv2.warpPerspective(np.full_like(sheet, 255), turn, size, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    small = (size[0] // FINE, size[1] // FINE)
    ink, cover = (cv2.resize(a, small, interpolation=cv2.INTER_AREA) for a in (ink, cover))
    out = picture.copy()
    under = out[y0:y1, x0:x1].astype(np.float32)
    out[y0:y1, x0:x1] = np.clip(np.rint(ink + (1 - cover) * under), 0, 255).astype(np.uint8)
    return out


def blurred(picture: np.ndarray, sigma_px: float) -> np.ndarray:
    """As a lens leaves it, float32."""
    import cv2

    out = picture.astype(np.float32)
    return cv2.GaussianBlur(out, (0, 0), sigma_px) if sigma_px else out


def taken(rng: np.random.Generator, n: int, side_px: float, curve: float) -> np.ndarray:
    """A picture with one marker of side_px."""
    truth = corners(800 + rng.uniform(-1, 1), 600 + rng.uniform(-1, 1), side_px, rng.uniform(0, 90))
    picture = draw(wall(*SIZE_HW, n % 6), truth, list(MODULES)[n % 2], int(rng.integers(50)))
    blur, noise = rng.uniform(0, 2), rng.uniform(0, 10)
    light = 255 * (picture / 255) ** curve
    seen = 255 * (blurred(light, blur) / 255) ** (1 / curve)
    return np.clip(np.rint(seen + rng.normal(0, noise, seen.shape)), 0, 255).astype(np.uint8)


def errors(pictures: int, seed: int, curve: float) -> list[dict]:
    """One row for each class of side: pictures, scales, their relative error, and how often 1.96 u holds it."""
    rng, made = np.random.default_rng(seed), []
    for low, high in zip(CLASSES_PX, CLASSES_PX[1:], strict=False):
        values, held, refused = [], 0, 0
        for n in range(pictures):
            side_px = math.exp(rng.uniform(math.log(low), math.log(high)))
            try:
                scale = scale_from(markers(taken(rng, n, side_px, curve)), 1.0).scale
            except ScaleError:
                refused += 1
                continue
            values.append(scale.mm_per_px * side_px - 1)
            held += abs(values[-1]) <= 1.96 * scale.u_relative
        of = np.array(values) * 100
        made.append(
            {
                "side_px": [low, high],
                "pictures": pictures,
                "refused": refused,
                "error_percent_mean": round(float(of.mean()), 4),
                "error_percent_sd": round(float(of.std(ddof=1)), 4),
                "error_percent_largest": round(float(np.abs(of).max()), 4),
                "within_1.96_u": round(held / len(of), 4),
            }
        )
    return made


def markers(picture: np.ndarray) -> list[Marker]:
    """Every marker of a picture in memory, as a scan finds it."""
    return [
        Marker(name, number, tuple(map(tuple, refined(picture, quad, MODULES[name]).tolist())))
        for name, number, quad in candidates(picture)
    ]


def times(folder: Path) -> list[dict]:
    """Seconds of a photograph of 12 megapixels and of a tiled TIFF of 100; the marker takes a twentieth of the longer side."""
    made = []
    for name, (height, width) in (("photo.jpg", (3000, 4000)), ("large.tif", (8660, 11548))):
        tile = wall(1000, 1000, 4)
        pixels = np.tile(tile, (-(-height // 1000), -(-width // 1000)))[:height, :width]
        pixels = draw(pixels, corners(0.6 * width, 0.4 * height, width / 20, 20))
        if name.endswith("jpg"):
            Image.fromarray(pixels).save(folder / name, quality=92)
        else:
            tifffile.imwrite(folder / name, pixels, tile=(256, 256), compression="jpeg", compressionargs={"level": 92})
        del pixels
        with open_source(folder / name) as source:
            before = time.perf_counter()
            scale = marked(source, 1.0).scale
            seconds = time.perf_counter() - before
        made.append(
            {
                "picture": name,
                "megapixels": round(height * width / 1e6, 1),
                "seconds": round(seconds, 2),
                "error_percent": round(100 * (scale.mm_per_px * width / 20 - 1), 4),
            }
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=60, help="pictures of each class of side and each camera")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        document = {
            "machine": platform.machine(),
            "versions": {n: metadata.version(n) for n in ("numpy", "opencv-python-headless")},
            "linear": errors(args.pictures, args.seed, 1.0),
            f"curve {CURVE}": errors(args.pictures, args.seed, CURVE),
            "false_markers": [sum(len(candidates(wall(*SIZE_HW, s))) for s in range(args.pictures)), args.pictures],
            "times": times(Path(folder)),
            "peak_memory_mib": peak_memory_mib(),
        }
    if args.json:
        print(json.dumps(document, indent=2))
        return
    for name, value in document.items():
        print(name, *(value if isinstance(value, list) else [value]), sep="\n  ")


if __name__ == "__main__":
    main()
