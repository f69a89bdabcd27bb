"""Cracks of known geometry, drawn, blurred and measured: errors of width and length, and how often the intervals hold.

    python benchmarks/measure.py                    (--cracks N per table, --seed S, --json, --pictures FOLDER)
    python benchmarks/measure.py --cells            whole against cells: largest differences
    python benchmarks/measure.py --data FOLDER      real masks of DeepCrack and Crack500: time, failures, pictures

A drawn crack is a curve with a width that varies along it: all places nearer to the curve than half the width. 16
anti-aliased samples per pixel, then optical blur, uneven light, noise, 8 bits. Its length is that of the curve and the two round
ends; a branch counts from the curve that it leaves.
"""

import argparse
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import cKDTree

from aoienet.measure import Crack, Settings, joint, measure_picture
from aoienet.measure.width import MASK_U_PX

SUB = 4  # samples per side of a pixel
SIZE_PX = 420
CLASSES_PX = (1, 2, 3, 5, 10, 20)
STATISTICS = ("max", "mean", "median", "p95")
joint.LEAST_PX = float("inf")  # half of the cracks are drawn straight, on purpose: none of them is to be a joint


@dataclass(frozen=True)
class Drawn:
    """A picture uint8 [H, W], the exact mask, the blur and the truth about its one crack."""

    image: np.ndarray
    mask: np.ndarray
    blur_px: float
    width_px: float
    length_px: float
    widths: dict[str, float]
    branches: int


def curve(rng: np.random.Generator, start: np.ndarray, angle: float, length: float, bend: float) -> np.ndarray:
    """Points [N, 2] 0.1 px apart: the direction wanders smoothly by about `bend` radians."""
    n = int(length / 0.1)
    s = np.linspace(0, 1, n)
    turn = sum(rng.normal(0, bend / k) * np.sin(np.pi * k * s + rng.uniform(0, 2 * np.pi)) for k in (1, 2, 3))
    heading = angle + turn - turn[0]
    steps = np.stack([np.cos(heading), -np.sin(heading)], axis=1) * 0.1
    return start + np.cumsum(steps, axis=0)


def widths_along(rng: np.random.Generator, n: int, width: float, swing: float) -> np.ndarray:
    s = np.arange(n) * 0.1
    wave = np.sin(2 * np.pi * s / rng.uniform(60, 200) + rng.uniform(0, 2 * np.pi))
    return width * (1 + swing * wave)


def draw(seed: int) -> Drawn:
    """One crack: half of them straight, a third with a branch, width 1 to 20 px (logarithmic), any angle."""
    rng = np.random.default_rng([seed, 77])
    width = float(np.exp(rng.uniform(0, np.log(20))))
    swing, bend = rng.choice([0.0, rng.uniform(0.05, 0.3)]), rng.choice([0.0, rng.uniform(0.1, 0.4)])
    length = rng.uniform(150, 320)
    angle = rng.uniform(0, np.pi)
    middle = np.array([SIZE_PX / 2, SIZE_PX / 2]) + rng.uniform(-1, 1, 2)
    main = curve(rng, np.zeros(2), angle, length, bend)
    main += middle - main.mean(axis=0)
    lines, sizes = [main], [widths_along(rng, len(main), width, swing)]
    if rng.random() < 1 / 3:
        at = int(rng.uniform(0.3, 0.7) * len(main))
        direction = main[at + 5] - main[at - 5]
        away = np.arctan2(-direction[1], direction[0]) + rng.choice([-1, 1]) * rng.uniform(0.7, 1.3)
        side = curve(rng, main[at], away, rng.uniform(60, 120) + 2 * width, bend / 2)
        lines.append(side)
        sizes.append(np.minimum(widths_along(rng, len(side), 0.8 * width, swing), sizes[0][at]))
    image, cover, blur = picture(rng, lines, sizes)
    ends = [sizes[0][0] / 2, *(w[-1] / 2 for w in sizes)]
    along = np.concatenate(sizes)
    truth = {"max": along.max(), "mean": along.mean(), "median": np.median(along), "p95": np.quantile(along, 0.95)}
    total = 0.1 * sum(map(len, lines)) + sum(ends)
    branches = 1 if len(lines) == 1 else 3
    return Drawn(image, cover >= 0.5, blur, width, total, {k: float(v) for k, v in truth.items()}, branches)


def picture(rng: np.random.Generator, lines: list[np.ndarray], sizes: list[np.ndarray]):
    points, half = np.concatenate(lines), np.concatenate(sizes) / 2
    tree, reach = cKDTree(points), half.max() + 1.5
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    near = np.isfinite(tree.query(np.stack([x.ravel(), y.ravel()], 1), distance_upper_bound=reach)[0])
    at = np.stack([x.ravel()[near], y.ravel()[near]], axis=1).astype(float)
    offset = (np.arange(SUB) + 0.5) / SUB - 0.5
    shifts = np.stack(np.meshgrid(offset, offset), axis=-1).reshape(-1, 2)
    cover = np.zeros(SIZE_PX * SIZE_PX)
    samples = (at[:, None, :] + shifts[None]).reshape(-1, 2)
    away, nearest = tree.query(samples)
    part = np.clip((half[nearest] - away) * SUB + 0.5, 0, 1)  # of the small square that is covered
    cover[near] = part.reshape(len(at), -1).mean(axis=1)
    cover = cover.reshape(SIZE_PX, SIZE_PX)
    blur, depth, noise = rng.uniform(0.5, 1.5), rng.uniform(40, 110), rng.uniform(0, 8)
    light = rng.uniform(-25, 25) * (x / SIZE_PX - 0.5) + rng.uniform(-25, 25) * (y / SIZE_PX - 0.5) ** 2
    grey = 165 + light - depth * ndimage.gaussian_filter(cover, blur) + rng.normal(0, noise, cover.shape)
    return np.clip(np.round(grey), 0, 255).astype(np.uint8), cover, blur


def segmented(drawn: Drawn, seed: int) -> np.ndarray:
    """A mask as a segmentation network leaves it: too wide or too narrow by up to 1.5 px a side, with a rough border."""
    rng = np.random.default_rng([seed, 99])
    away = ndimage.distance_transform_edt(~drawn.mask) - ndimage.distance_transform_edt(drawn.mask)
    rough = ndimage.gaussian_filter(rng.normal(size=drawn.mask.shape), 2.0) * 7.0  # about 1 px
    least = -1.5 if drawn.width_px > 6 else 0.3
    return away + rough * min(1.0, drawn.width_px / 6) < rng.uniform(least, 1.5)


def compare(drawn: Drawn, mask: np.ndarray, blur_px: float | None) -> dict:
    """One row: errors and whether the interval holds, per statistic; found=0: not one crack."""
    cracks = measure_picture(mask, drawn.image, settings=Settings(blur_px=blur_px))
    if not cracks:
        return {"found": 0, "width_px": drawn.width_px}
    crack = max(cracks, key=lambda c: c.area_px)
    row = {"found": len(cracks), "width_px": drawn.width_px, "bound": crack.widths.upper_bound}
    row["length"] = (crack.length_px - drawn.length_px) / drawn.length_px
    row["length_u"] = crack.length_u_px / drawn.length_px
    row["length_holds"] = abs(crack.length_px - drawn.length_px) <= 1.96 * crack.length_u_px
    row["branches"] = crack.branches - drawn.branches
    for name in STATISTICS:
        measured = getattr(crack.widths, name)
        error = measured.value_px - drawn.widths[name]
        row[name], row[f"{name}_u"] = error, measured.u_px
        row[f"{name}_holds"] = (
            error >= -1.96 * measured.u_px if crack.widths.upper_bound else abs(error) <= 1.96 * measured.u_px
        )
    return row


KINDS = {
    f"{mask} mask, blur {blur}": (mask, blur) for mask in ("perfect", "segmented") for blur in ("known", "unknown")
}


def tables_of(cracks: int, seed: int) -> dict[str, list[dict]]:
    """Rows of each kind; the same cracks for all of them."""
    tables: dict[str, list[dict]] = {name: [] for name in KINDS}
    for k in range(seed, seed + cracks):
        drawn = draw(k)
        masks = {"perfect": drawn.mask, "segmented": segmented(drawn, k)}
        for name, (mask, blur) in KINDS.items():
            row = compare(drawn, masks[mask], drawn.blur_px if blur == "known" else None)
            tables[name].append(row | {"seed": k})
    return tables


def summary(rows: list[dict]) -> dict:
    """Median and p95 of the absolute errors, share of intervals that hold; of bounds: share that hold."""
    some = [r for r in rows if r["found"]]
    exact, bounds = [r for r in some if not r["bound"]], [r for r in some if r["bound"]]
    out = {"cracks": len(rows), "measured": len(exact), "bounds": len(bounds), "not_found": len(rows) - len(some)}
    out["in_parts"] = sum(r["found"] > 1 for r in some)
    out["branches_right"] = float(np.mean([r["branches"] == 0 for r in some])) if some else None
    for name in (*STATISTICS, "length"):
        part = some if name == "length" else exact
        if part:
            error = np.array([r[name] for r in part])
            out[name] = {
                "median_error": float(np.median(np.abs(error))),
                "p95_error": float(np.quantile(np.abs(error), 0.95)),
                "bias": float(np.median(error)),
                "coverage": float(np.mean([r[f"{name}_holds"] for r in part])),
                "interval": float(np.median([3.92 * r[f"{name}_u"] for r in part])),
            }
    if bounds:
        out["bounds_hold"] = float(np.mean([r["median_holds"] for r in bounds]))
    out["measured_2_px_too_wide"] = sum(r["median"] > 2 for r in exact)
    return out


def show(title: str, rows: list[dict]) -> None:
    total = summary(rows)
    print(f"\n{title}: {total['cracks']} cracks, {total['measured']} measured, {total['bounds']} bounds"
          f" (hold: {total.get('bounds_hold', float('nan')):.3f}), not found {total['not_found']}, in parts"
          f" {total['in_parts']}, branches right {total['branches_right']:.2f}")  # fmt: skip
    print("              median |error|  p95 |error|   bias      95 % interval holds   its width (median)")
    for name in (*STATISTICS, "length"):
        if name in total:
            v, scale = total[name], 100 if name == "length" else 1
            print(f"  {name:8s}{'%' if scale > 1 else 'px':>4s}{v['median_error'] * scale:13.3f}"
                  f"{v['p95_error'] * scale:14.3f}{v['bias'] * scale:+10.3f}{v['coverage']:16.3f}"
                  f"{v['interval'] * scale:22.3f}")  # fmt: skip
    print(f"  said to be measured and more than 2 px too wide: {total['measured_2_px_too_wide']}")
    for low, high in zip(CLASSES_PX, CLASSES_PX[1:], strict=False):
        part = [r for r in rows if low <= r["width_px"] < high and r["found"]]
        exact = [r for r in part if not r["bound"]]
        if exact:
            error = np.abs([r["median"] for r in exact])
            print(f"  {low:2d}-{high:2d} px: n={len(part):3d} measured {len(exact):3d}  median width: median {np.median(error):.3f},"
                  f" p95 {np.quantile(error, 0.95):.3f} px, holds {np.mean([r['median_holds'] for r in exact]):.3f};"
                  f" max holds {np.mean([r['max_holds'] for r in exact]):.3f};"
                  f" length {100 * np.median(np.abs([r['length'] for r in part])):.2f} %,"
                  f" holds {np.mean([r['length_holds'] for r in part]):.3f}")  # fmt: skip


def cells_against_whole(seed: int) -> dict:
    """Largest differences between one cell over all and small cells, on a scene of 4 megapixels with 12 cracks."""
    rng = np.random.default_rng(seed)
    parts = [draw(seed + k) for k in range(12)]
    image = np.full((1800, 2300), 165, np.uint8)
    mask = np.zeros(image.shape, bool)
    for k, part in enumerate(parts):
        y, x = 20 + k // 4 * 560 + int(rng.integers(0, 100)), 20 + k % 4 * 560 + int(rng.integers(0, 100))
        image[y : y + SIZE_PX, x : x + SIZE_PX] = part.image
        mask[y : y + SIZE_PX, x : x + SIZE_PX] = segmented(part, seed + k)
    whole = measure_picture(mask, image, settings=Settings(cell_px=4096))
    out: dict = {"cracks": len(whole)}
    for cell_px in (128, 300, 512):
        found = measure_picture(mask, image, settings=Settings(cell_px=cell_px))
        same = len(found) == len(whole)
        pairs = list(zip(found, whole, strict=True)) if same else []
        out[str(cell_px)] = {
            "same_count_boxes_areas_branches": same
            and all((a.box_px, a.area_px, a.branches) == (b.box_px, b.area_px, b.branches) for a, b in pairs),
            "length_px": max((abs(a.length_px - b.length_px) for a, b in pairs), default=None),
            "width_px": max(
                (
                    abs(getattr(a.widths, n).value_px - getattr(b.widths, n).value_px)
                    for a, b in pairs
                    for n in STATISTICS
                ),
                default=None,
            ),
        }
    return out


def sketch(image: np.ndarray, cracks: list[Crack], zoom: int) -> Image.Image:
    """The picture with outlines (blue), centre lines (red) and median widths as text."""
    canvas = Image.fromarray(image).convert("RGB").resize((image.shape[1] * zoom, image.shape[0] * zoom))
    pen = ImageDraw.Draw(canvas)
    for crack in cracks:
        outlines = [ring for rings in crack.polygons_px for ring in rings]
        for lines, color in ((outlines, (0, 160, 255)), (crack.paths_px, (255, 40, 40))):
            for line in lines:
                pen.line([tuple(xy) for xy in ((line + 0.5) * zoom).tolist()], fill=color)
        w, x, y = crack.widths, crack.box_px[0] * zoom, crack.box_px[1] * zoom
        sign = "<" if w.upper_bound else ""
        pen.text((x + 2, y + 2), f"{crack.id}: w {sign}{w.median.value_px:.1f}+-{w.median.u_px:.1f} max {w.max.value_px:.1f}"
                 f" L {crack.length_px:.0f} br {crack.branches}", fill=(255, 255, 0))  # fmt: skip
    return canvas


def real(folder: Path, pictures: Path | None) -> dict:
    """Every mask of the test parts of DeepCrack and Crack500: how many cracks, bounds, seconds; sheets to look at."""
    out = {}
    for name in ("deepcrack256", "crack500_256"):
        cracks, seconds, panels, bounds, megapixels, alone, length = 0, 0.0, [], 0, 0.0, 0, 0.0
        masks = sorted((folder / name / "test_lab").iterdir())
        for k, path in enumerate(masks):
            image = np.asarray(Image.open(next((folder / name / "test_img").glob(path.stem + ".*"))).convert("RGB"))
            mask = np.asarray(Image.open(path).convert("L")) > 127
            start = time.process_time()
            found = measure_picture(mask, image)
            seconds += time.process_time() - start
            megapixels += mask.size / 1e6
            length += sum(c.length_px for c in found)
            cracks, bounds = cracks + len(found), bounds + sum(c.widths.upper_bound for c in found)
            alone += sum(c.widths.mean.u_px >= MASK_U_PX for c in found)
            if pictures is not None and k % max(1, len(masks) // 12) == 0:
                panels.append(sketch(image, found, 3))
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            sheet = Image.new("RGB", (4 * 768, -(-len(panels) // 4) * 768))
            for k, panel in enumerate(panels):
                sheet.paste(panel, (k % 4 * 768, k // 4 * 768))
            sheet.save(pictures / f"{name}.png")
        out[name] = {"pictures": len(masks), "megapixels": megapixels, "cracks": cracks, "upper_bounds": bounds,
                     "from_the_mask_alone": alone, "cpu_seconds": seconds,
                     "cpu_ms_per_px": 1e3 * seconds / length}  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cracks", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cells", action="store_true")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    if args.cells or args.data:
        found = cells_against_whole(args.seed) if args.cells else real(args.data, args.pictures)
        print(json.dumps(found, indent=1))
        return
    tables = tables_of(args.cracks, args.seed)
    if not args.json:
        print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, one thread")
        for name, rows in tables.items():
            show(name, rows)
    if args.json:
        print(json.dumps({name: summary(rows) for name, rows in tables.items()}, indent=1))


if __name__ == "__main__":
    main()
