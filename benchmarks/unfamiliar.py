"""What the statistics of the training pictures tell from them: shares of blocks called unfamiliar, and AUROC, per set.

    python benchmarks/unfamiliar.py --data ../shared/data          (--model crack_blocks, --json)
    python benchmarks/unfamiliar.py --data ../shared/data --area   (what it adds to the area passed on, and its time)

AUROC: of the distance, blocks of a set against blocks of the test parts of DeepCrack and Crack500; 0.5 is no difference,
below 0.5 the set lies nearer to the middle of the training blocks than these do. Candidates are fitted to the same
training blocks and cut at the same quantile of the same validation blocks as the shipped statistics.
"""

import argparse
import io
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from cascade import ground_of, passed_on
from PIL import Image, ImageDraw
from scipy import ndimage

from aoienet import familiar, sums, synth
from aoienet.cli._cascade import Request, open_stages
from aoienet.data import metrics
from aoienet.data.datasets import crack_blocks, read_grey
from aoienet.report.finish import MOSTLY
from aoienet.scan import keep
from aoienet.scan.cascade import Stages

GENERATED = 40  # pictures of each kind
SIDE = 256
ALL = [0, 1, 2, 3, 4]
CANDIDATES = {  # columns of familiar.FEATURES, pixels around the block, a Gaussian for each source of training pictures
    "shipped": (ALL, 64, False),
    "own block": (ALL, 0, False),
    "contrasts 1, 8": ([0, 2], 64, False),
    "all contrasts": ([0, 1, 2], 64, False),
    "nearest source": (ALL, 64, True),
}
Pictures = list[np.ndarray]
Sets = Iterator[tuple[str, Pictures]]


def pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def scaled(image: np.ndarray, factor: float) -> np.ndarray:
    size = [round(side * factor) for side in image.shape[::-1]]
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def recompressed(image: np.ndarray, quality: int) -> np.ndarray:
    made = io.BytesIO()
    Image.fromarray(image).save(made, "JPEG", quality=quality)
    return np.asarray(Image.open(made))


def of_known_kinds(data: Path, test: list[crack_blocks.Picture]) -> Sets:
    """Unseen pictures of what the network was trained on, and of what is near to it."""
    for source in dict.fromkeys(p.source for p in test):
        yield f"{source}, test", [p.image_HW for p in test if p.source == source]
    for site in ("k1", "o6"):
        paths = sorted((data / "quay_crack_boxes" / site).glob("*.[jJ]*"))
        yield f"quay decks {site} (concrete, never trained on)", [read_grey(p) for p in paths]


def changed(cracks: Pictures) -> Sets:
    """The crack test parts, changed."""
    rng = np.random.default_rng(0)
    for quality in (50, 30):
        yield f"JPEG quality {quality}", [recompressed(u, quality) for u in cracks]
    for gain in (0.5, 0.7, 1.3):
        yield f"grey levels x {gain}", [pixels(u * gain) for u in cracks]
    yield "noise of 5 levels", [pixels(u + rng.normal(0, 5, u.shape)) for u in cracks]
    for factor in (0.6, 1.5, 4):
        yield f"{factor} x as large", [scaled(u, factor) for u in cracks]
    yield "negative", [255 - u for u in cracks]


def steel(data: Path) -> Sets:
    for kind in sorted((data / "neu_cls" / "images").iterdir()):
        yield f"steel: {kind.name}", [read_grey(p) for p in sorted(kind.glob("*.png"))]


def foreign(data: Path) -> Sets:
    """Surfaces of another kind, photographed and generated."""
    yield from steel(data)
    yield "steel: NEU-Seg, test", [read_grey(p) for p in sorted((data / "neu_seg" / "test" / "img").glob("*.jpg"))]
    rng = np.random.default_rng(1)
    shape = (SIDE, SIDE)
    yield "brushed steel, generated", [brushed(rng) for _ in range(GENERATED)]
    yield "radiograph, generated", [radiograph(rng) for _ in range(GENERATED)]
    yield "printed text", [text_page(rng) for _ in range(GENERATED)]
    for sigma in (3, 20, 60):
        yield f"white noise of {sigma} levels", [pixels(rng.normal(128, sigma, shape)) for _ in range(GENERATED)]
    walls = [(0.0, 0), (0.5, 10), (2.0, 10)]
    for sigma, shade in walls:
        slope = np.linspace(140, 140 + shade, SIDE)
        made = [pixels(slope + rng.normal(0, sigma, shape)) for _ in range(GENERATED)]
        yield f"bare wall, shaded {shade} levels, noise {sigma}", made
    yield "demo surface", [synth.surface(2048, 2048, 1).band(0, 2048)]


def brushed(rng: np.random.Generator) -> np.ndarray:
    """Streaks along x, at random turned."""
    streaks = ndimage.gaussian_filter1d(rng.normal(size=(SIDE, SIDE)), 12, axis=1)
    image = 130 + rng.uniform(4, 12) * streaks / streaks.std() + rng.normal(0, 1.5, streaks.shape)
    return pixels(image.T if rng.random() < 0.5 else image)


def radiograph(rng: np.random.Generator) -> np.ndarray:
    """Slow shading and a little noise."""
    shade = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 24)
    return pixels(120 + 8 * shade / shade.std() + rng.normal(0, rng.uniform(1.5, 3), shade.shape))


def text_page(rng: np.random.Generator) -> np.ndarray:
    image = Image.new("L", (SIDE, SIDE), 245)
    letters = list("abcdefghij klmnop qrstuv wxyz ABCDE 0123456789")
    for y in range(0, SIDE, 14):
        ImageDraw.Draw(image).text((2, y), "".join(rng.choice(letters, 44)), fill=20)
    return np.asarray(image)


class Candidate:
    """A choice of features and surroundings, fitted like the shipped statistics; by_source: the distance is that from the nearest
    of several Gaussians."""

    def __init__(self, columns: list[int], around_px: int, by_source: bool, parts: crack_blocks.CrackBlocks) -> None:
        self.columns, self.around_px = columns, around_px
        sources = dict.fromkeys(p.source if by_source else "" for p in parts.train)
        self.known = [self.fitted([p.image_HW for p in parts.train if s in ("", p.source)]) for s in sources]
        self.limit = np.quantile(self.distance([p.image_HW for p in parts.val]), familiar.QUANTILE)

    def features(self, pictures: Pictures) -> np.ndarray:
        found = [familiar.features(sums.of_picture(u, 64, 32, self.around_px)) for u in pictures]
        return np.concatenate([f[..., self.columns].reshape(-1, len(self.columns)) for f in found])

    def fitted(self, pictures: Pictures) -> tuple[np.ndarray, np.ndarray]:
        seen = self.features(pictures)
        seen = np.concatenate([seen, seen * familiar.TURNED[self.columns]])
        return seen.mean(axis=0), np.linalg.inv(np.cov(seen.T))

    def distance(self, pictures: Pictures) -> np.ndarray:
        found = self.features(pictures)
        each = [np.einsum("ni,ij,nj->n", found - mean, inverse, found - mean) for mean, inverse in self.known]
        return np.asarray(np.min(each, axis=0))


def table(data: Path) -> dict:
    """Per group and set: blocks, and per candidate the share beyond the limit and the AUROC."""
    parts = crack_blocks.load(data)
    made = {name: Candidate(*choice, parts) for name, choice in CANDIDATES.items()}
    cracks = [p.image_HW for p in parts.test if p.source in crack_blocks.MASKED]
    base = {name: c.distance(cracks) for name, c in made.items()}
    groups = {
        "known kinds": of_known_kinds(data, parts.test),
        "crack test parts, changed": changed(cracks),
        "other kinds": foreign(data),
    }
    out: dict = {"limits": {name: float(c.limit) for name, c in made.items()}}
    out["crack test parts"] = {name: float((base[name] > c.limit).mean()) for name, c in made.items()}
    for group, sets in groups.items():
        out[group] = []
        for name, pictures in sets:
            row: dict = {"set": name, "pictures": len(pictures)}
            for label, candidate in made.items():
                found = candidate.distance(pictures)
                truth = np.repeat([0, 1], [len(base[label]), len(found)])
                auroc = metrics.auc(np.concatenate([base[label], found]), truth)
                row["blocks"] = len(found)
                row[label] = {"unfamiliar": float((found > candidate.limit).mean()), "auroc": auroc}
            out[group].append(row)
    return out


def area(data: Path, stages: Stages, rounds: int = 5) -> dict:
    """Cells passed on, of them those that nothing but unfamiliarity passes on, pictures that a scan would warn of; CPU seconds
    with and without."""
    test = crack_blocks.load(data, train=False).test
    ground = ground_of([p for p in test if p.source in crack_blocks.MASKED], 2048, 4096, 1)
    cases = dict(of_known_kinds(data, list(test))) | dict(steel(data))
    cases |= {"ground of benchmarks/cascade.py": [ground], "demo": [synth.surface(2048, 4096, 1).band(0, 2048)]}
    out: dict = {}
    for name, pictures in cases.items():
        each = [passed_on(stages, u) for u in pictures]
        why = np.concatenate([w.ravel() for w in each])
        out[name] = {
            "pictures": len(each),
            "mostly_unfamiliar": sum(bool((w & keep.Reason.UNFAMILIAR != 0).mean() >= MOSTLY) for w in each),
            "cells": int(why.size),
            "passed_on": float((why != 0).mean()),
            "only_unfamiliar": float((why == keep.Reason.UNFAMILIAR).mean()),
        }
    ways = {"with": stages, "without": replace(stages, familiar=None)}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            before = time.process_time()
            passed_on(way, ground)
            seconds[name].append(time.process_time() - before)
    ratios = [a / b for a, b in zip(seconds["with"], seconds["without"], strict=True)]
    out["seconds"] = {"megapixels": ground.size / 1e6, **seconds, "ratios": sorted(ratios)}
    return out


def text(result: dict) -> str:
    lines: list[str] = []
    if "limits" in result:
        names = list(CANDIDATES)
        lines += ["| set | pictures; blocks | " + " | ".join(f"{n}: unfamiliar, AUROC" for n in names) + " |"]
        lines += ["|---" * (2 + len(names)) + "|"]
        cells = [f"{100 * result['crack test parts'][n]:.2f} %" for n in names]
        lines += [f"| **crack test parts** | | {' | '.join(cells)} |"]
        for group in ("known kinds", "crack test parts, changed", "other kinds"):
            lines += [f"| **{group}** |" + " |" * (1 + len(names))]
            for row in result[group]:
                cells = [f"{100 * row[n]['unfamiliar']:.1f} %, {row[n]['auroc']:.2f}" for n in names]
                lines += [f"| {row['set']} | {row['pictures']}; {row['blocks']:,} | {' | '.join(cells)} |"]
        lines += ["limits: " + ", ".join(f"{n} {v:.2f}" for n, v in result["limits"].items())]
    if "seconds" in result:
        lines += [
            "| set | cells | passed on | as unfamiliar alone | pictures mostly unfamiliar |",
            "|---|---|---|---|---|",
        ]
    for name, row in result.items():
        if isinstance(row, dict) and "passed_on" in row:
            shares = f"{100 * row['passed_on']:.1f} % | {100 * row['only_unfamiliar']:.2f} %"
            lines += [f"| {name} | {row['cells']:,} | {shares} | {row['mostly_unfamiliar']} of {row['pictures']} |"]
    if "seconds" in result:
        s = result["seconds"]
        lines += [
            f"first stage, {s['megapixels']:.1f} megapixels: {np.median(s['with']):.3f} s CPU with, {np.median(s['without']):.3f} s without; "
            f"ratio {np.median(s['ratios']):.3f} ({s['ratios'][0]:.3f} to {s['ratios'][-1]:.3f}, n = {len(s['ratios'])})"
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="crack_blocks")
    parser.add_argument("--area", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = area(args.data, open_stages(Request(model=args.model, segmenter=None))) if args.area else table(args.data)
    print(json.dumps(result, indent=2) if args.json else text(result))


if __name__ == "__main__":
    main()
