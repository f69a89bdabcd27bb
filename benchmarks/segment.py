"""The second stage on the test parts of DeepCrack and Crack500, on clean photographs, and tile against whole picture.

    python benchmarks/segment.py --data ../shared/data            (light; --model FILE.onnx for another; --pictures FOLDER --json)

Measures are of pooled pixels; the interval is a bootstrap over photographs (percentiles of 2,000 draws).
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image
from scipy.ndimage import label

from aoienet.data import masks, splits
from aoienet.data.datasets import cracks
from aoienet.data.datasets.crack_blocks import Picture
from aoienet.segment import Segmenter, load, picture

WORST = 10
SEAM_TILES = (128, 256, 512)


def predictions(segmenter: Segmenter, pictures: list[Picture]) -> list[np.ndarray]:
    return [picture(segmenter, p.image_HW) for p in pictures]


def on_cracks(pictures: list[Picture], probability: list[np.ndarray], threshold: float) -> dict:
    """Measures with intervals, and each picture's F1, worst first."""
    rows = [masks.counts(p.mask_HW, q >= threshold) for p, q in zip(pictures, probability, strict=True)]
    groups = [splits.photograph(p.name) for p in pictures]
    best = masks.best_threshold([p.mask_HW for p in pictures], probability)
    best_rows = [masks.counts(p.mask_HW, q >= best) for p, q in zip(pictures, probability, strict=True)]
    each = sorted((masks.measures(row)["f1_2px"], p.name) for row, p in zip(rows, pictures, strict=True))
    total = masks.pooled(rows)
    return {
        "pictures": len(pictures),
        "photographs": len(set(groups)),
        "cracks": total["cracks"],
        "value": masks.measures(total),
        "interval95": masks.bootstrap(rows, groups),
        "f1_of_each_2px": each,
        "best_threshold": {"threshold": best, "f1": masks.measures(masks.pooled(best_rows))["f1"]},
    }


def on_clean(pictures: list[Picture], probability: list[np.ndarray], threshold: float) -> dict:
    """What is called crack where none is: share of the pixels, and parts of 20 px or more per megapixel."""
    pixels = sum(q.size for q in probability)
    wrong = sum(int((q >= threshold).sum()) for q in probability)
    parts = 0
    for q in probability:
        found, number = label(q >= threshold, np.ones((3, 3)))
        area = np.bincount(found.ravel(), minlength=number + 1)[1:]
        parts += int((area >= masks.LEAST_CRACK_PX).sum())
    free = sum(not (q >= threshold).any() for q in probability)
    return {
        "pictures": len(pictures),
        "megapixels": pixels / 1e6,
        "false_share": wrong / pixels,
        "false_parts_per_megapixel": parts / pixels * 1e6,
        "pictures_without_any": free,
    }


def tiles_against_whole(segmenter: Segmenter, image: np.ndarray, rounds: int) -> dict:
    """Largest difference and flipped pixels against one run over all, and CPU seconds (median) of one thread."""
    whole = picture(segmenter, image, tile_px=4096)
    out = {}
    for tile_px in SEAM_TILES:
        seconds = []
        for _ in range(rounds):
            start = time.process_time()
            tiled = picture(segmenter, image, tile_px)
            seconds.append(time.process_time() - start)
        out[str(tile_px)] = {
            "largest_difference": float(np.abs(tiled - whole).max()),
            "flipped": int(((tiled >= segmenter.threshold) != (whole >= segmenter.threshold)).sum()),
            "megapixels_per_second": image.shape[0] * image.shape[1] / 1e6 / statistics.median(seconds),
            "least_to_most": [image.shape[0] * image.shape[1] / 1e6 / s for s in (max(seconds), min(seconds))],
        }
    return out


def panel(p: Picture, q: np.ndarray, threshold: float) -> np.ndarray:
    """The picture, and the picture with hit (white), missed (red) and false (blue) pixels, uint8 [H, 2 W, 3]."""
    grey = p.image_HW if p.image_HW.ndim == 3 else np.repeat(p.image_HW[:, :, None], 3, axis=2)
    truth = np.zeros(grey.shape[:2], bool) if p.mask_HW is None else p.mask_HW
    said, marked = q >= threshold, grey // 2
    for where, colour in (
        (truth & said, (255, 255, 255)),
        (truth & ~said, (255, 0, 0)),
        (~truth & said, (0, 128, 255)),
    ):
        marked[where] = colour
    return np.hstack([grey, marked])


def save_pictures(
    folder: Path, source: str, pictures: list[Picture], probability: list[np.ndarray], threshold: float
) -> None:
    """The worst cases (named by rank), and a sheet of every seventh picture."""
    folder.mkdir(parents=True, exist_ok=True)

    def badness(k: int) -> float:
        p = pictures[k]
        if p.mask_HW is None:
            return -float((probability[k] >= threshold).sum())
        return masks.measures(masks.counts(p.mask_HW, probability[k] >= threshold))["f1_2px"]

    order = sorted(range(len(pictures)), key=badness)
    for name, chosen in (
        ("worst", order[:WORST]),
        ("sheet", list(range(0, len(pictures), max(1, len(pictures) // 12)))[:12]),
    ):
        panels = [panel(pictures[k], probability[k], threshold) for k in chosen]
        panels += [np.zeros_like(panels[0])] * (len(panels) % 2)
        rows = [np.hstack(panels[k : k + 2]) for k in range(0, len(panels), 2)]
        Image.fromarray(np.vstack(rows)).save(folder / f"{source}_{name}.png")


def run(model: str, data: Path, rounds: int, pictures_to: Path | None) -> dict:
    segmenter = load(model)
    parts = cracks.load(data, train=False, channels=segmenter.channels)
    out: dict = {"model": segmenter.name, "sha256": segmenter.sha256, "threshold": segmenter.threshold}
    out |= {"halo_px": segmenter.halo_px, "channels": segmenter.channels, "cracks": {}, "clean": {}}
    for source in dict.fromkeys(p.source for p in parts.test):
        chosen = [p for p in parts.test if p.source == source]
        probability = predictions(segmenter, chosen)
        if source in cracks.MASKED:
            out["cracks"][source] = on_cracks(chosen, probability, segmenter.threshold)
        else:
            out["clean"][source] = on_clean(chosen, probability, segmenter.threshold)
        if pictures_to:
            save_pictures(pictures_to, source, chosen, probability, segmenter.threshold)
    with Image.open(data / "large" / "DJI_0027.JPG") as file:
        big = np.array(file.convert("L" if segmenter.channels == 1 else "RGB"))
    out["tiles"] = tiles_against_whole(segmenter, big, rounds)
    return out


def text(result: dict) -> str:
    lines = [
        f"{result['model']} sha256 {result['sha256'][:12]}, threshold {result['threshold']:.3f}, halo {result['halo_px']} px"
    ]
    for source, row in result["cracks"].items():
        lines += [
            "",
            f"{source}: {row['pictures']} pictures of {row['photographs']} photographs, {row['cracks']} cracks",
        ]
        for name in masks.MEASURES:
            low, high = row["interval95"][name]
            lines.append(f"  {name:13s} {100 * row['value'][name]:5.1f}  ({100 * low:.1f} to {100 * high:.1f})")
        best = row["best_threshold"]
        lines.append(
            f"  f1 at the threshold that is best for this test part ({best['threshold']:.3f}): {100 * best['f1']:.1f}"
        )
        lines.append(
            "  worst: " + ", ".join(f"{name} {100 * value:.0f}" for value, name in row["f1_of_each_2px"][:WORST])
        )
    for source, row in result["clean"].items():
        lines.append("")
        lines.append(
            f"{source} (clean, {row['megapixels']:.1f} megapixels): {100 * row['false_share']:.3f} % of the pixels and "
            f"{row['false_parts_per_megapixel']:.1f} parts per megapixel are called crack; "
            f"{row['pictures_without_any']} of {row['pictures']} pictures without any"
        )
    lines += ["", "tile px   largest difference   flipped pixels   megapixels/s, one thread (least to most)"]
    for tile_px, row in result["tiles"].items():
        low, high = row["least_to_most"]
        lines.append(
            f"{tile_px:>7s}   {row['largest_difference']:18.2e}   {row['flipped']:14d}   "
            f"{row['megapixels_per_second']:.2f} ({low:.2f} to {high:.2f})"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="light")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = run(args.model, args.data, args.rounds, args.pictures)
    if args.json:
        print(json.dumps(result, indent=2))
        return
    print(text(result))


if __name__ == "__main__":
    main()
