"""Joints told from cracks: what is called joint of real cracks (nothing should be), and of drawn joints (all should be).

    python benchmarks/joints.py --data FOLDER       test parts of DeepCrack and Crack500: masks at their size and made 2 and 4
                                                    times larger, predicted masks at their size and twice as large
    python benchmarks/joints.py --data FOLDER --part train    the same of the training parts (the rule was chosen there)
    python benchmarks/joints.py --surfaces 4        generated surfaces of 16.8 megapixels through the whole cascade, --seed S the first

All masks of a part lie in one picture, side by side, so that cracks of several may form a line too. --least L measures with
another least length of a joint. Widths are those of the masks, no picture is looked at.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from aoienet import synth
from aoienet.cli import _cascade
from aoienet.data import splits
from aoienet.data.datasets import cracks
from aoienet.data.datasets.crack_blocks import Picture
from aoienet.measure import Settings, joint, measure_picture, merge
from aoienet.report.defects import write_geojson
from aoienet.report.records import Scale, place_of
from aoienet.report.truth import lines_of, score_against_truth
from aoienet.scan.cascade import Looker, units_of
from aoienet.segment import load, picture
from aoienet.weights import DEFAULT_SEGMENTER

SCALES = (1, 2, 4)
SIDE_PX = 4096


def enlarged(mask: np.ndarray, scale: int) -> np.ndarray:
    """A mask that is larger, its border interpolated."""
    size = (mask.shape[1] * scale, mask.shape[0] * scale)
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(grey) > 127


def in_one(masks: list[np.ndarray]) -> np.ndarray:
    """All masks as a square of squares."""
    side = int(np.ceil(np.sqrt(len(masks))))
    every = masks + [np.zeros_like(masks[0])] * (side * side - len(masks))
    return np.concatenate([np.concatenate(every[k * side : (k + 1) * side], axis=1) for k in range(side)])


def told(masks: list[np.ndarray], names: list[str], scale: int) -> dict:
    """Length that is called joint, and the pictures in which it begins."""
    together = in_one([enlarged(mask, scale) for mask in masks])
    found, side = measure_picture(together), masks[0].shape[0] * scale
    joints = sorted((one for one in found if one.kind == "joint"), key=lambda one: -one.length_px)
    length, columns = sum(one.length_px for one in found), together.shape[1] // side
    places = [(one.box_px[1] // side * columns + one.box_px[0] // side, one.length_px) for one in joints]
    return {
        "length_px": round(length),
        "joints": len(joints),
        "share_called_joint": round(sum(one.length_px for one in joints) / length, 6),
        "where": [f"{names[k]}: {px:.0f} px" for k, px in places],
    }


def real(data: Path, part: str, name: str) -> dict:
    segmenter = load(name)
    parts = cracks.load(data, train=part == "train", channels=segmenter.channels)
    pictures: tuple[Picture, ...] = (*parts.train, *parts.val) if part == "train" else parts.test
    out: dict = {"part": part, "segmenter": segmenter.name, "least_px": joint.LEAST_PX}
    for source in cracks.MASKED:
        own = [p for p in pictures if p.source == source]
        names = [p.name for p in own]
        masks = [p.mask_HW for p in own if p.mask_HW is not None]
        predicted = [picture(segmenter, p.image_HW) >= segmenter.threshold for p in own]
        out[source] = {
            "pictures": len(own),
            "photographs": len({splits.photograph(p.name) for p in own}),
            "masks": {f"x{scale}": told(masks, names, scale) for scale in SCALES},
            "predicted": {f"x{scale}": told(predicted, names, scale) for scale in SCALES[:2]},
        }
    return out


def surfaces(count: int, seed: int, name: str) -> dict:
    """How many drawn joints are recognised, and how well cracks are measured beside them."""
    _, stages = _cascade.opened(_cascade.Request(model="crack_blocks", segmenter=name))
    out: dict = {"megapixels": SIDE_PX**2 / 1e6, "segmenter": name, "least_px": joint.LEAST_PX, "seeds": {}}
    for one in range(seed, seed + count):
        made = synth.surface(SIDE_PX, SIDE_PX, one)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "surface.tif"
            synth.write_tiff(made, path)
            looker = Looker(stages, path, Settings())
            units = units_of(SIDE_PX, SIDE_PX, stages.geometry)
            found = merge([p for unit in units for p in looker.look(unit).pieces], (SIDE_PX, SIDE_PX), Settings())
            looker.source.close()
            write_geojson(Path(folder) / "d.geojson", found, Scale(None, ""), place_of(None))
            lines = lines_of(Path(folder) / "d.geojson")
        said = score_against_truth(made.cracks, lines, made.joints, (SIDE_PX, SIDE_PX))
        out["seeds"][one] = {key: value for key, value in said.items() if key != "missed"}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--part", choices=("test", "train"), default="test")
    parser.add_argument("--surfaces", type=int, default=0)
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument("--segmenter", default=DEFAULT_SEGMENTER, help="the second stage")
    parser.add_argument("--least", type=float, default=joint.LEAST_PX)
    args = parser.parse_args()
    if not args.data and not args.surfaces:
        parser.error("--data FOLDER or --surfaces N must be given")
    joint.LEAST_PX = args.least
    out = (
        real(args.data, args.part, args.segmenter) if args.data else surfaces(args.surfaces, args.seed, args.segmenter)
    )
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
