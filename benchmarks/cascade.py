"""The cascade against dense segmentation: accuracy on the test parts of DeepCrack and Crack500, and accuracy, time and
break-even on large surfaces of known cracks.

    python benchmarks/cascade.py --data ../shared/data                     (--pictures FOLDER, --json)
    python benchmarks/cascade.py --data ../shared/data --surfaces          (--megapixels 100 --shares 0.1 1 5)

Seconds are CPU seconds of one thread, pictures are uncompressed, so decoding is apart. Surfaces: clean parts of test
pictures, blended, in which cracks of aoienet.synth are drawn; the share is that of blocks of 64 px with a crack in them.
The heavy network has four times the channels of light and random weights: it is there for its cost alone.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from aoienet import synth
from aoienet.cli._cascade import Request, open_stages
from aoienet.data import masks
from aoienet.data.datasets import cracks
from aoienet.data.datasets.crack_blocks import Picture
from aoienet.scan import keep
from aoienet.scan.cascade import Stages, _rectangles
from aoienet.scan.quality import Quality
from aoienet.scan.runner import Strip
from aoienet.scan.sources import Source
from aoienet.segment import load, picture, regions
from aoienet.segment.tiles import disjoint, tile_side, tiles, windows
from segment import WORST, on_cracks, panel

PATCH_PX, STEP_PX = 128, 96  # of the ground's parts
BLOCK_PX = 64  # of the share of defects
ROWS = 1024  # compared at once
HEAVY_WIDTHS = (32, 96, 192, 384, 640)


class Held(Source):
    """A picture in memory."""

    channels, lane_rows = 1, 1

    def __init__(self, pixels: np.ndarray):
        self.pixels, (self.height, self.width) = pixels, pixels.shape
        self.stored = {"layout": "strips"}

    def read(self, y0: int, y1: int) -> np.ndarray:
        return self.pixels[y0:y1]


def passed_on(stages: Stages, pixels: np.ndarray) -> np.ndarray:
    """Why cells are passed on, uint8 [Hc, Wc]; 0: dropped."""
    strip: Strip
    quality = None

    def see(y: int, rows: np.ndarray) -> None:
        quality.add(rows)

    strip = Strip(Held(pixels), stages.run, stages.geometry, stages.decision, seen=see)
    quality = Quality(strip.grid, stages.geometry, 0)
    strip.score_to(strip.grid.rows)
    why = keep.reasons(strip.scores_HW, stages.decision.threshold, quality, 0, stages.geometry)
    cell = keep.cell_px(stages.geometry)
    return why[: -(-pixels.shape[0] // cell), : -(-pixels.shape[1] // cell)]


def as_pixels(cells: np.ndarray, cell: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.kron(cells != 0, np.ones((cell, cell), bool))[: shape[0], : shape[1]]


# ---------------------------------------------------------------- (a) test parts


def on_test_parts(data: Path, stages: Stages, pictures_to: Path | None) -> dict:
    """Dense light and the cascade over it, on the same pictures: the mask of the cascade is dense's where it looked."""
    parts = cracks.load(data, train=False)
    out: dict = {}
    for source in cracks.MASKED:
        chosen = [p for p in parts.test if p.source == source]
        dense = [picture(stages.segmenter, p.image_HW) for p in chosen]
        why = [passed_on(stages, p.image_HW) for p in chosen]
        cell = keep.cell_px(stages.geometry)
        looked = [as_pixels(w, cell, p.image_HW.shape) for w, p in zip(why, chosen, strict=True)]
        gated = [np.where(k, q, 0) for k, q in zip(looked, dense, strict=True)]
        threshold = stages.segmenter.threshold
        out[source] = {
            "dense": on_cracks(chosen, dense, threshold),
            "cascade": on_cracks(chosen, gated, threshold),
            "looked_at": float(np.mean([k.mean() for k in looked])),
            "truth_inside": sum((k & p.mask_HW).sum() for k, p in zip(looked, chosen, strict=True))
            / sum(p.mask_HW.sum() for p in chosen),
            "reasons": {r.name: int(sum((w & r != 0).sum() for w in why)) for r in keep.Reason},
            "cells": int(sum(w.size for w in why)),
        }
        if pictures_to:
            _save_worst(pictures_to, source, chosen, gated, threshold)
    return out


def _save_worst(folder: Path, source: str, pictures: list[Picture], said: list[np.ndarray], threshold: float) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    f1 = [
        masks.measures(masks.counts(p.mask_HW, q >= threshold))["f1_2px"] for p, q in zip(pictures, said, strict=True)
    ]
    order = np.argsort(f1, kind="stable")[:WORST]
    panels = [panel(pictures[k], said[k], threshold) for k in order]
    rows = [np.hstack(panels[k : k + 2]) for k in range(0, len(panels), 2)]
    Image.fromarray(np.vstack(rows)).save(folder / f"cascade_{source}_worst.png")


# ---------------------------------------------------------------- (b) surfaces


def ground_of(pictures: list[Picture], height: int, width: int, seed: int) -> np.ndarray:
    """Clean parts of test pictures, brought to one mean, blended over their overlap; uint8 [H, W]."""
    rng = np.random.default_rng(seed)
    clean = []
    for p in pictures:
        for y in (0, PATCH_PX):
            for x in (0, PATCH_PX):
                box = np.s_[y : y + PATCH_PX, x : x + PATCH_PX]
                if p.mask_HW is not None and not p.mask_HW[box].any():
                    clean.append(p.image_HW[box].astype(np.float32))
    ramp = np.minimum(np.arange(1, PATCH_PX + 1), np.arange(PATCH_PX, 0, -1)) / (PATCH_PX - STEP_PX)
    window = np.outer(*[np.minimum(ramp, 1.0)] * 2).astype(np.float32)
    total = np.zeros((height + 2 * PATCH_PX, width + 2 * PATCH_PX), np.float32)
    weight = np.zeros_like(total)
    for y in range(0, height + STEP_PX, STEP_PX):
        for x in range(0, width + STEP_PX, STEP_PX):
            part = clean[rng.integers(len(clean))]
            part = np.rot90(part, int(rng.integers(4)))
            place = np.s_[y : y + PATCH_PX, x : x + PATCH_PX]
            total[place] += window * (part - part.mean() + 150)
            weight[place] += window
    start = PATCH_PX - STEP_PX
    inner = np.s_[start : start + height, start : start + width]
    return np.clip(total[inner] / weight[inner], 0, 255).astype(np.uint8)


def cracks_of_share(height: int, width: int, seed: int, share: float) -> list[synth.Crack]:
    """Cracks until that share of the blocks has one; the last crack is cut off there."""
    wanted = round(share * (height // BLOCK_PX) * (width // BLOCK_PX))
    hit: set[tuple[int, int]] = set()
    made = []
    for crack in synth.walked(height, width, seed, 10**6):
        last = len(crack.points_N4)
        for k, (y, x) in enumerate((crack.points_N4[:, :2] // BLOCK_PX).astype(int).tolist()):
            hit.add((y, x))
            if len(hit) >= wanted:
                last = k + 1
                break
        made.append(synth.Crack(crack.id, crack.points_N4[:last]))
        if len(hit) >= wanted:
            break
    return made


def timed(work) -> tuple[float, object]:
    before = time.process_time()
    result = work()
    return time.process_time() - before, result


def on_surface(
    stages: Stages, pictures: list[Picture], megapixels: float, share: float, seed: int, rounds: int
) -> dict:
    """One surface: masks of both ways against the truth, seconds of each in turn (medians of the rounds), and pixels that the
    second stage ran over."""
    side = int(np.sqrt(megapixels * 1e6)) // 64 * 64
    ground = ground_of(pictures, side, side, seed)
    made = synth.surface(
        side,
        side,
        seed,
        cracks=cracks_of_share(side, side, seed, share),
        ground=lambda a, b: ground[a:b].astype(np.float32),
    )
    pixels = made.band(0, side)
    everything = [(0, 0, side, side)]
    seconds = []
    for _ in range(rounds):
        dense_s, dense = timed(lambda: masked(stages, pixels, everything))
        first_s, why = timed(lambda: passed_on(stages, pixels))
        boxes = _rectangles(why != 0, 0, keep.cell_px(stages.geometry), 0, side, side)
        second_s, cascade = timed(lambda chosen=boxes: masked(stages, pixels, chosen))
        seconds.append((dense_s, first_s, second_s))
    dense_s, first_s, second_s = np.median(seconds, axis=0).tolist()
    ratios = [d / (a + b) for d, a, b in seconds]
    rows = {name: list(compared(made, mask)) for name, mask in (("dense", dense), ("cascade", cascade))}
    found = {name: masks.measures(masks.pooled(r)) for name, r in rows.items()}
    return {
        "megapixels": side * side / 1e6,
        "share": share,
        "cracks": len(made.cracks),
        "crack_pixel_share": float(np.mean([(made.truth_band(y, y + 64) > 0).mean() for y in range(0, side, 640)])),
        "looked_at": float((why != 0).mean()),
        "dense": found["dense"],
        "cascade": found["cascade"],
        "dense_s": dense_s,
        "first_s": first_s,
        "second_s": second_s,
        "times_as_fast": {"median": float(np.median(ratios)), "least": min(ratios), "most": max(ratios)},
        "run_px": {"dense": run_px(stages, everything), "cascade": run_px(stages, boxes)},
    }


def masked(stages: Stages, pixels: np.ndarray, boxes: list) -> np.ndarray:
    out = np.zeros(pixels.shape, bool)
    for (x0, y0, x1, y1), p in regions(stages.segmenter, lambda a, b: pixels[a:b], pixels.shape, boxes):
        out[y0:y1, x0:x1] = p >= stages.segmenter.threshold
    return out


def compared(made: synth.Surface, mask: np.ndarray) -> Iterator[dict]:
    """Counts of strips of rows; a crack counts once for each strip that it passes."""
    for y in range(0, made.height, ROWS):
        yield masks.counts(made.truth_band(y, min(y + ROWS, made.height)) > 0, mask[y : y + ROWS])


def run_px(stages: Stages, boxes: list) -> int:
    """Pixels that the second stage computes, surroundings included."""
    segmenter, total = stages.segmenter, 0
    side = tile_side(segmenter, 512)
    bands: dict[int, list] = {}
    for x0, y0, x1, y1 in boxes:
        for band in range(y0 // side, -(-y1 // side)):
            bands.setdefault(band, []).append((x0, max(y0, band * side), x1, min(y1, (band + 1) * side)))
    for parts in bands.values():
        for tile in tiles(parts, side):
            for (x0, y0, x1, y1), _ in windows(disjoint(tile), segmenter.align_px, segmenter.halo_px):
                total += (x1 - x0 + 2 * segmenter.halo_px) * (y1 - y0 + 2 * segmenter.halo_px)
    return total


def speeds() -> dict[str, float]:
    """Pixels per CPU second of one thread, surroundings included: light, and the heavy network with random weights."""
    image = np.random.default_rng(0).integers(0, 256, (704, 704), dtype=np.uint8)
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, network in (("light", load("light")), ("heavy", heavy(Path(folder)))):
            network(image)
            out[name] = image.size / np.median([timed(lambda n=network: n(image))[0] for _ in range(3)])
    return {name: float(v) for name, v in out.items()}


def heavy(folder: Path):
    """A U-Net of four times the channels, random weights."""
    import torch

    from aoienet.deploy.segment import export
    from aoienet.models.segment import LightUNet

    torch.manual_seed(0)
    export(LightUNet(widths=HEAVY_WIDTHS), folder / "heavy.onnx", "heavy", 0.5)
    return load(folder / "heavy.onnx")


def text(result: dict) -> str:
    lines = []
    for source, row in result.get("test_parts", {}).items():
        lines += [
            "",
            f"{source}: looked at {100 * row['looked_at']:.1f} % of the area, {100 * row['truth_inside']:.2f} % of the crack pixels",
        ]
        lines.append(f"  cells {row['cells']}: " + ", ".join(f"{k.lower()} {v}" for k, v in row["reasons"].items()))
        for name in masks.MEASURES:
            cells = []
            for way in ("dense", "cascade"):
                low, high = row[way]["interval95"][name]
                cells.append(f"{100 * row[way]['value'][name]:5.1f} ({100 * low:.1f} to {100 * high:.1f})")
            lines.append(f"  {name:13s} dense {cells[0]:22s} cascade {cells[1]}")
        lines.append(
            "  worst of the cascade: "
            + ", ".join(f"{n} {100 * v:.0f}" for v, n in row["cascade"]["f1_of_each_2px"][:WORST])
        )
    for row in result.get("surfaces", []):
        cost, fast = row["run_px"], result["px_per_s"]
        heavy_s = {k: v / fast["heavy"] for k, v in cost.items()}
        lines += [
            "",
            f"{row['megapixels']:.1f} megapixels, {100 * row['share']:g} % of the blocks ({row['cracks']} cracks, "
            f"{100 * row['crack_pixel_share']:.3f} % of the pixels); looked at {100 * row['looked_at']:.1f} %",
            f"  F1 {100 * row['dense']['f1']:.1f} dense, {100 * row['cascade']['f1']:.1f} cascade; at 2 px "
            f"{100 * row['dense']['f1_2px']:.1f}, {100 * row['cascade']['f1_2px']:.1f}; precision "
            f"{100 * row['dense']['precision']:.1f}, {100 * row['cascade']['precision']:.1f}; recall "
            f"{100 * row['dense']['recall']:.1f}, {100 * row['cascade']['recall']:.1f}; cracks "
            f"{100 * row['dense']['crack_recall']:.1f}, {100 * row['cascade']['crack_recall']:.1f}",
            f"  light: dense {row['dense_s']:.1f} s, cascade {row['first_s']:.1f} + {row['second_s']:.1f} s: "
            f"{row['times_as_fast']['median']:.2f} ({row['times_as_fast']['least']:.2f} to {row['times_as_fast']['most']:.2f}) "
            f"times as fast; first stage {row['megapixels'] / row['first_s']:.1f}, cascade "
            f"{row['megapixels'] / (row['first_s'] + row['second_s']):.1f} megapixels/s",
            f"  heavy (from its speed and the pixels run): dense {heavy_s['dense']:.0f} s, cascade "
            f"{row['first_s'] + heavy_s['cascade']:.0f} s: {heavy_s['dense'] / (row['first_s'] + heavy_s['cascade']):.2f} times",
            f"  the second stage computes {100 * cost['cascade'] / cost['dense']:.1f} % of dense's pixels; light breaks even at "
            f"{100 * (1 - row['first_s'] / row['dense_s']):.0f} %",
        ]
    if "px_per_s" in result:
        lines += [
            "",
            ", ".join(f"{k} {v / 1e6:.2f} megapixels/s" for k, v in result["px_per_s"].items()) + " with surroundings",
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="crack_blocks")
    parser.add_argument("--surfaces", action="store_true")
    parser.add_argument("--megapixels", type=float, default=100)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 1, 5], help="per cent of the blocks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="timings of each way, in turn")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    stages = open_stages(Request(model=args.model))
    result: dict = {"first_stage": stages.model, "second_stage": stages.second_stage}
    if args.surfaces:
        test = [p for p in cracks.load(args.data, train=False).test if p.source in cracks.MASKED]
        result["px_per_s"] = speeds()
        result["surfaces"] = [
            on_surface(stages, test, args.megapixels, s / 100, args.seed, args.rounds) for s in args.shares
        ]
    else:
        result["test_parts"] = on_test_parts(args.data, stages, args.pictures)
    print(json.dumps(result, indent=2) if args.json else text(result))


if __name__ == "__main__":
    main()
