"""What the border of a mosaic does to a scan: generated surfaces, cut by a ragged slanted border, scanned by the shipped networks.

    python benchmarks/mosaic.py                     (--surfaces 3 --side-px 2400, --json)

The reference is the scan of the same surface without a border. Told as: how the file says where nothing was photographed, or that it
does not. False: mask pixels outside and at most 24 px inside of the border that the reference lacks. Found: of the reference's mask pixels inside of the
border, at most 64 px from it and at least 12, and farther. Passed on: of the photographed area.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import tifffile
from scipy import ndimage

from aoienet import synth
from aoienet.cli._cascade import Request, open_stages
from aoienet.measure import Settings
from aoienet.scan.cascade import Looker, Stages, units_of
from aoienet.scan.keep import passed_on
from aoienet.scan.mask import SpooledMask
from aoienet.scan.outside import BESIDE_PX

NEAR_PX, FAR_PX = 24, 64
WAYS = {  # name: level of the border, told by, --nodata
    "black, not told": (0, "", "auto"),
    "white, not told": (255, "", "auto"),
    "black, alpha": (0, "alpha", "auto"),
    "white, alpha": (255, "alpha", "auto"),
    "black, --nodata 0": (0, "", "0"),
    "white, --nodata 255": (255, "", "255"),
}


def ragged(side: int, seed: int) -> np.ndarray:
    """True where a mosaic has a picture: a square turned by 13 degrees, its border moved to and fro by 20 px (one sigma)."""
    y, x = np.mgrid[:side, :side] - side / 2
    turn = np.radians(13)
    away = side * 0.4 - np.maximum(abs(x * np.cos(turn) + y * np.sin(turn)), abs(y * np.cos(turn) - x * np.sin(turn)))
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 12)
    return np.asarray(away > 20 * noise / noise.std())


def scanned(path: Path, stages: Stages) -> tuple[np.ndarray, np.ndarray]:
    """Mask and reasons of a picture."""
    with Looker(stages, path, Settings()) as looker, tempfile.TemporaryFile() as spool:
        height, width = looker.source.height, looker.source.width
        mask, why = SpooledMask(spool, width), []
        for unit in units_of(height, width, stages.geometry):
            found = looker.look(unit)
            mask.add(found.places, found.bits)
            why.append(found.reasons_HW)
        return mask.rows(0, height), np.concatenate(why)


def one(seed: int, side: int, folder: Path) -> dict[str, np.ndarray]:
    """Counts of one surface for every way: false, reference and found near, reference and found far, cells and those passed on."""
    made = synth.surface(side, side, seed)
    grey = np.concatenate([made.band(y, min(y + 512, side)) for y in range(0, side, 512)])
    valid = ragged(side, seed)
    inside = ndimage.distance_transform_cdt(valid, "chessboard")
    edge, near, far = ((inside > a) & (inside <= b) for a, b in ((-1, NEAR_PX), (BESIDE_PX, FAR_PX), (FAR_PX, side)))
    tifffile.imwrite(folder / "whole.tif", grey, tile=(256, 256))
    reference = scanned(folder / "whole.tif", open_stages(Request("crack_blocks")))[0]
    cells = np.pad(valid, ((0, -side % 32), (0, -side % 32))).reshape(-(-side // 32), 32, -1, 32).any(axis=(1, 3))
    found = {}
    for name, (level, told, nodata) in WAYS.items():
        pixels = np.where(valid, grey, level).astype(np.uint8)
        if told:
            pixels = np.dstack([pixels, np.where(valid, 255, 0).astype(np.uint8)])
        extra = {"extrasamples": ["unassalpha"], "planarconfig": "contig"} if told else {}
        tifffile.imwrite(folder / "cut.tif", pixels, tile=(256, 256), photometric="minisblack", **extra)
        mask, why = scanned(folder / "cut.tif", open_stages(Request("crack_blocks", nodata=nodata)))
        hits = [(mask & reference & area).sum() for area in (near, far)]
        wanted = [(reference & area).sum() for area in (near, far)]
        looked = (passed_on(why) & cells).sum()
        found[name] = np.array(
            [(mask & ~reference & edge).sum(), hits[0], wanted[0], hits[1], wanted[1], looked, cells.sum()]
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surfaces", type=int, default=3, help="seeds 301, 302, ...")
    parser.add_argument("--side-px", type=int, default=2400)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        all_of = [one(301 + k, args.side_px, Path(folder)) for k in range(args.surfaces)]
    table = []
    for name in WAYS:
        each = np.array([found[name] for found in all_of], np.float64)
        false, near, near_of, far, far_of, looked, cells = each.sum(axis=0)
        table.append(
            {
                "way": name,
                "false_px": [int(v) for v in each[:, 0]],
                "found_near": near / near_of,
                "found_far": far / far_of,
                "passed_on": looked / cells,
            }
        )
    if args.json:
        print(json.dumps(table))
        return
    print(
        f"{args.surfaces} surfaces of {args.side_px} px; found: at {BESIDE_PX} to {FAR_PX} px from the border, and farther"
    )
    print(f"{'border':22} {'false px, each':>26} {'found near':>11} {'far':>8} {'passed on':>10}")
    for row in table:
        false = ", ".join(f"{v:,}" for v in row["false_px"])
        shares = f"{row['found_near']:11.1%} {row['found_far']:8.2%} {row['passed_on']:10.1%}"
        print(f"{row['way']:22} {false:>26} {shares}")


if __name__ == "__main__":
    main()
