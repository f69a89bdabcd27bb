"""The cascade against dense segmentation: accuracy on the test parts of DeepCrack and Crack500, and accuracy, time and
break-even on large surfaces of known cracks.

    python benchmarks/cascade.py --data ../shared/data                     (--pictures FOLDER, --json)
    python benchmarks/cascade.py --data ../shared/data --surfaces          (--megapixels 100 --shares 0.1 1 5)
    python benchmarks/cascade.py ... --heavy heavy.onnx                    (of a run of aoienet train -o model=segment_heavy)

Seconds are CPU seconds of one thread, pictures are uncompressed, so decoding is apart. Surfaces: clean parts of test
pictures, blended, in which cracks of aoienet.synth are drawn; the share is that of blocks of 64 px with a crack in them. Each surface
is also scanned by `aoienet scan` with one process: seconds of clock with all outputs, peak memory.
The heavy network has four times the channels of light; without --heavy its weights are random: it is there for its cost alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from aoienet import synth
from aoienet.cli._cascade import Request, open_stages
from aoienet.data import masks
from aoienet.data.datasets import crack_blocks, cracks
from aoienet.data.datasets.crack_blocks import Picture
from aoienet.scan import keep
from aoienet.scan.cascade import Stages
from aoienet.scan.follow import look, parts_of
from aoienet.scan.quality import Quality
from aoienet.scan.runner import Strip
from aoienet.scan.sources import Source
from aoienet.segment import Segmenter, load, picture
from aoienet.weights import DEFAULT_SEGMENTER
from segment import WORST, on_cracks, panel

PATCH_PX, STEP_PX = 128, 96  # of the ground's parts
BLOCK_PX = 64  # of the share of defects
ROWS = 1024  # compared at once


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
    quality = Quality(strip.grid, stages.geometry, 0, stages.familiar)
    strip.score_to(strip.grid.rows)
    why = keep.reasons(strip.scores_HW, stages.decision.threshold, quality, 0, stages.geometry)
    cell = keep.cell_px(stages.geometry)
    return why[: -(-pixels.shape[0] // cell), : -(-pixels.shape[1] // cell)]


def as_pixels(cells: np.ndarray, cell: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.kron(cells != 0, np.ones((cell, cell), bool))[: shape[0], : shape[1]]


# ---------------------------------------------------------------- (a) test parts


def on_test_parts(test: list[Picture], stages: Stages, segmenter: Segmenter, pictures_to: Path | None) -> dict:
    """Dense segmentation and the cascade over it, on the same pictures: the mask of the cascade is dense's where it looked."""
    out: dict = {}
    for source in cracks.MASKED:
        chosen = [p for p in test if p.source == source]
        dense = [picture(segmenter, p.image_HW) for p in chosen]
        why = [passed_on(stages, p.image_HW) for p in chosen]
        cell = keep.cell_px(stages.geometry)
        for w, q in zip(why, dense, strict=True):

            def parts(boxes: list, q: np.ndarray = q) -> Iterator:
                inner = ((box, q[box[1] : box[3], box[0] : box[2]]) for box in boxes)
                return ((box, p >= segmenter.threshold, p) for box, p in inner)

            look(w, cell, q.shape, parts)
        looked = [as_pixels(w, cell, p.image_HW.shape) for w, p in zip(why, chosen, strict=True)]
        gated = [np.where(k, q, 0) for k, q in zip(looked, dense, strict=True)]
        threshold = segmenter.threshold
        out[source] = {
            "dense": on_cracks(chosen, dense, threshold),
            "cascade": on_cracks(chosen, gated, threshold),
            "looked_at": float(np.mean([k.mean() for k in looked])),
            "truth_inside": sum((k & p.mask_HW).sum() for k, p in zip(looked, chosen, strict=True))
            / sum(p.mask_HW.sum() for p in chosen),
            "reasons": {r.name: int(sum((w & r != 0).sum() for w in why)) for r in keep.Reason},
            "cells": int(sum(w.size for w in why)),
            "passed_on": crack_blocks.missed([(p, w != 0) for p, w in zip(chosen, why, strict=True)], cell),
        }
        if pictures_to:
            _save_worst(pictures_to, f"{segmenter.name}_{source}", chosen, gated, threshold)
    return out


def _save_worst(folder: Path, name: str, pictures: list[Picture], said: list[np.ndarray], threshold: float) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    f1 = [
        masks.measures(masks.counts(p.mask_HW, q >= threshold))["f1_2px"] for p, q in zip(pictures, said, strict=True)
    ]
    order = np.argsort(f1, kind="stable")[:WORST]
    panels = [panel(pictures[k], said[k], threshold) for k in order]
    rows = [np.hstack(panels[k : k + 2]) for k in range(0, len(panels), 2)]
    Image.fromarray(np.vstack(rows)).save(folder / f"cascade_{name}_worst.png")


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


def scanned(path: Path, model: str, segmenter: str) -> dict:
    """What `aoienet scan` needs for a picture, all outputs written."""
    out = path.with_suffix(".scan")
    words = ["scan", str(path), "--out", str(out), "--model", model, "--segmenter", segmenter, "--jobs", "1", "--json"]
    done = subprocess.run([sys.executable, "-m", "aoienet", *words], check=True, capture_output=True)
    document = json.loads(done.stdout)
    entry, run = document["inputs"][0], document["run"]
    return {
        "seconds": run["seconds"],
        "peak_memory_mib": run["peak_memory_mib"],
        "dropped": entry["area_dropped_share"],
    }


def on_surface(
    stages: Stages, names: list[str], heavy: Segmenter, pictures: list[Picture], megapixels: float, share: float, args
) -> dict:
    """One surface: masks of both ways against the truth, and seconds of each in turn, medians of the rounds; heavy runs once."""
    seed, rounds = args.seed, args.rounds
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
    cell = keep.cell_px(stages.geometry)
    firsts = []
    for _ in range(rounds):
        first_s, why = timed(lambda: passed_on(stages, pixels))
        firsts.append(first_s)
    out = {
        "megapixels": side * side / 1e6,
        "share": share,
        "cracks": len(made.cracks),
        "crack_pixel_share": float(np.mean([(made.truth_band(y, y + 64) > 0).mean() for y in range(0, side, 640)])),
        "first_s": float(np.median(firsts)),
        "over": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "surface.tif"
        synth.write_tiff(made, path)
        out["scan"] = scanned(path, args.model, names[0])
    for segmenter, times in (*((load(name), rounds) for name in names), (heavy, 1)):
        seconds = []
        for k in range(times):
            dense_s, dense = timed(lambda s=segmenter: masked(s, pixels, everything))
            looked = why.copy()
            second_s, found = timed(lambda s=segmenter, w=looked: look(w, cell, pixels.shape, parts_of(pixels, s)))
            seconds.append((dense_s, firsts[k], second_s))
        cascade = found.window((0, 0, side, side)) > 0
        rows = {name: list(compared(made, mask)) for name, mask in (("dense", dense), ("cascade", cascade))}
        dense_s, _, second_s = np.median(seconds, axis=0).tolist()
        ratios = [d / (a + b) for d, a, b in seconds]
        out["over"][segmenter.name] = {
            "times_as_fast": {"median": float(np.median(ratios)), "least": min(ratios), "most": max(ratios)},
            "looked_at": float((looked != 0).mean()),
            "followed": float((looked == keep.Reason.FOLLOWED).mean()),
            "dense_s": dense_s,
            "second_s": second_s,
        } | {name: masks.measures(masks.pooled(r)) for name, r in rows.items()}
    return out


def masked(segmenter: Segmenter, pixels: np.ndarray, boxes: list) -> np.ndarray:
    out = np.zeros(pixels.shape, bool)
    for (x0, y0, x1, y1), crack, _ in parts_of(pixels, segmenter)(boxes):
        out[y0:y1, x0:x1] = crack
    return out


def compared(made: synth.Surface, mask: np.ndarray) -> Iterator[dict]:
    """Counts of strips of rows; a crack counts once for each strip that it passes."""
    for y in range(0, made.height, ROWS):
        yield masks.counts(made.truth_band(y, min(y + ROWS, made.height)) > 0, mask[y : y + ROWS])


def heavy_network(path: Path | None) -> Segmenter:
    """A U-Net of four times the channels of light; random weights without a file."""
    if path:
        return load(path)
    import torch

    from aoienet.deploy.segment import export
    from aoienet.models.segment import create

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        export(create("segment_heavy"), Path(folder) / "heavy.onnx", "heavy, random", 0.5)
        return load(Path(folder) / "heavy.onnx")


def text(result: dict) -> str:
    lines = []
    for name, parts in result.get("test_parts", {}).items():
        for source, row in parts.items():
            lines += [
                "",
                f"{source}, {name}: looked at {100 * row['looked_at']:.1f} % of the area, {100 * row['truth_inside']:.2f} % of the "
                "crack pixels",
            ]
            inside = row["passed_on"]
            lines.append(
                f"  {inside['cracks'] - inside['cracks_missed']} of {inside['cracks']} cracks, "
                f"{100 * inside['length_passed_on']:.2f} % of their length"
            )
            lines.append(f"  cells {row['cells']}: " + ", ".join(f"{k.lower()} {v}" for k, v in row["reasons"].items()))
            for measure in masks.MEASURES:
                cells = []
                for way in ("dense", "cascade"):
                    low, high = row[way]["interval95"][measure]
                    cells.append(f"{100 * row[way]['value'][measure]:5.1f} ({100 * low:.1f} to {100 * high:.1f})")
                lines.append(f"  {measure:13s} dense {cells[0]:22s} cascade {cells[1]}")
            lines.append(
                "  worst of the cascade: "
                + ", ".join(f"{n} {100 * v:.0f}" for v, n in row["cascade"]["f1_of_each_2px"][:WORST])
            )
    for row in result.get("surfaces", []):
        lines += [
            "",
            f"{row['megapixels']:.1f} megapixels, {100 * row['share']:g} % of the blocks ({row['cracks']} cracks, "
            f"{100 * row['crack_pixel_share']:.3f} % of the pixels); first stage "
            f"{row['first_s']:.1f} s, {row['megapixels'] / row['first_s']:.1f} megapixels/s",
            f"  aoienet scan: {row['scan']['seconds']:.1f} s, {row['megapixels'] / row['scan']['seconds']:.1f} megapixels/s, "
            f"{100 * row['scan']['dropped']:.1f} % dropped, peak memory {row['scan']['peak_memory_mib']:.0f} MiB",
        ]
        first = next(iter(row["over"].values()))
        cascade_s = row["first_s"] + first["second_s"]
        for name, over in row["over"].items():
            dense, cascade, fast = over["dense"], over["cascade"], over["times_as_fast"]
            shares = ", ".join(
                f"{title} {100 * dense[key]:.1f} dense, {100 * cascade[key]:.1f} cascade"
                for key, title in MEASURES.items()
            )
            lines += [
                f"  {name}: looked at {100 * over['looked_at']:.1f} % ({100 * over['followed']:.1f} % followed); "
                + (shares if dense["recall"] else "nothing found"),
                f"    dense {over['dense_s']:.1f} s, second stage {over['second_s']:.1f} s ({100 * over['second_s'] / over['dense_s']:.0f} "
                f"%): {fast['median']:.2f} ({fast['least']:.2f} to {fast['most']:.2f}) times as fast; breaks even at "
                f"{100 * (1 - row['first_s'] / over['dense_s']):.0f} %; the first cascade is {over['dense_s'] / cascade_s:.1f} times as fast "
                "as it dense",
            ]
    return "\n".join(lines)


MEASURES = {
    "f1": "F1",
    "f1_2px": "at 2 px",
    "precision": "precision",
    "recall": "recall",
    "crack_recall": "cracks",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="crack_blocks")
    parser.add_argument("--threshold", type=float, help="of the first stage, in place of that of its file")
    parser.add_argument("--segmenters", nargs="+", default=[DEFAULT_SEGMENTER, "light"], help="second stages, in turn")
    parser.add_argument("--heavy", type=Path, help="a trained heavy network")
    parser.add_argument("--surfaces", action="store_true")
    parser.add_argument("--megapixels", type=float, default=100)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 1, 5], help="per cent of the blocks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="timings of each way, in turn")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    stages = open_stages(Request(model=args.model, threshold=args.threshold, segmenter=args.segmenters[0]))
    test = [p for p in cracks.load(args.data, train=False).test if p.source in cracks.MASKED]
    result: dict = {
        "first_stage": stages.model,
        "second_stage": stages.second_stage,
        "threshold": stages.decision.threshold,
    }
    if args.surfaces:
        heavy = heavy_network(args.heavy)
        result["surfaces"] = [
            on_surface(stages, args.segmenters, heavy, test, args.megapixels, s / 100, args) for s in args.shares
        ]
    else:
        segmenters = [load(name) for name in (*args.segmenters, *([args.heavy] if args.heavy else []))]
        result["test_parts"] = {s.name: on_test_parts(test, stages, s, args.pictures) for s in segmenters}
    print(json.dumps(result, indent=2) if args.json else text(result))


if __name__ == "__main__":
    main()
