"""Crack or clean, block by block: DeepCrack, Crack500, brickwork and clean photographs, split by photograph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aoienet import cells, sums
from aoienet.data import splits
from aoienet.data.datasets import SUFFIXES, digest, folder, read_grey
from aoienet.data.masks import FOUND_SHARE, LEAST_CRACK_PX, skeleton
from aoienet.familiar import AROUND_PX, fit

NAME = "crack_blocks"
CLASSES = ("clean", "crack")
MASKED = ("deepcrack256", "crack500_256")
SAME_SCENE = {("deepcrack256", "11158")}  # train pictures that the README names as scenes of the test part
SIDE_PX = 256
CRACK_ABOVE = 127  # of a mask's 0 to 255
IGNORED, WEAK = -1, -2


@dataclass(frozen=True)
class Picture:
    """One picture: kind `masked` has a mask, `weak` a crack somewhere, `clean` none."""

    source: str
    name: str
    kind: str
    image_HW: np.ndarray
    mask_HW: np.ndarray | None = None


@dataclass(frozen=True)
class CrackBlocks:
    """The parts: train, val, test; and how the split came about."""

    train: tuple[Picture, ...]
    val: tuple[Picture, ...]
    test: tuple[Picture, ...]
    split: str
    data_hash: str


def block_counts(mask_HW: np.ndarray, block_px: int, stride_px: int) -> np.ndarray:
    """Crack pixels in each block of the grid."""
    h, w = mask_HW.shape
    total = np.zeros((h + 1, w + 1), np.int64)
    np.cumsum(np.cumsum(mask_HW, axis=0, dtype=np.int64), axis=1, out=total[1:, 1:])
    y, x = np.arange(0, h - block_px + 1, stride_px), np.arange(0, w - block_px + 1, stride_px)
    rows = total[y + block_px] - total[y]
    return rows[:, x + block_px] - rows[:, x]


def block_labels(
    picture: Picture, mask_HW: np.ndarray | None, block_px: int, stride_px: int, least_px: int = 32
) -> np.ndarray:
    """1 crack (least_px mask pixels or more), 0 clean (none), -1 between; all -2 for a weak label."""
    if picture.kind == "masked":
        assert mask_HW is not None
        counts = block_counts(mask_HW, block_px, stride_px)
        return np.where(counts >= least_px, 1, np.where(counts == 0, 0, IGNORED)).astype(np.int64)
    h, w = picture.image_HW.shape if mask_HW is None else mask_HW.shape
    shape = ((h - block_px) // stride_px + 1, (w - block_px) // stride_px + 1)
    return np.full(shape, WEAK if picture.kind == "weak" else 0, np.int64)


def masked_part(root: Path, source: str, part: str) -> list[Picture]:
    """The pictures with masks of `train` or `test` of one source. Raises ValueError: a mask that is not one of its picture."""
    pictures = []
    for path in sorted(p for p in folder(root, source, f"{part}_img").iterdir() if p.suffix.lower() in SUFFIXES):
        mask_path = Path(root) / source / f"{part}_lab" / f"{path.stem}.png"
        image, mask = read_grey(path), read_grey(mask_path)
        if mask.shape != image.shape:
            raise ValueError(
                f"a mask has the size of its picture; received {mask_path} of {mask.shape} (h, w) for {image.shape}: scale it with "
                "nearest neighbours"
            )
        if 0 < mask.max() <= CRACK_ABOVE:
            raise ValueError(
                f"a mask's pixel is crack above {CRACK_ABOVE} of 255; received {mask_path}, whose largest value is {mask.max()}: write "
                "cracks as 255"
            )
        pictures.append(Picture(source, path.stem, "masked", image, mask > CRACK_ABOVE))
    return pictures


def _without_leaks(train: list[Picture], test: list[Picture]) -> list[Picture]:
    """Drop from train what shares a photograph, a named scene or a near-identical picture with test."""
    photos = {(p.source, splits.photograph(p.name)) for p in test}
    near = splits.near_duplicates([p.image_HW for p in train], [p.image_HW for p in test])
    return [
        p
        for p, twin in zip(train, near, strict=True)
        if not twin and (p.source, splits.photograph(p.name)) not in photos and (p.source, p.name) not in SAME_SCENE
    ]


def _brick(root: Path, seed: int) -> tuple[list[Picture], list[Picture]]:
    """Train and test part of the brickwork, by runs of 25 file numbers; larger pictures mirrored to 256."""
    parts: tuple[list[Picture], list[Picture]] = ([], [])
    for label, kind in (("positive", "weak"), ("negative", "clean")):
        paths = sorted(folder(root, "brick_crack227", label).glob("*.jpg"))
        held = splits.by_number([int(p.stem) for p in paths], 25, 0.2, seed)
        for path, is_test in zip(paths, held, strict=True):
            image = to_side(read_grey(path))
            parts[int(is_test)].append(Picture("brick_crack227", f"{label}/{path.stem}", kind, image))
    return parts


def to_side(image_HW: np.ndarray) -> np.ndarray:
    """Centre crop of at most 256 px, mirrored at the lower right to 256x256."""
    h, w = image_HW.shape
    y, x = max(0, (h - SIDE_PX) // 2), max(0, (w - SIDE_PX) // 2)
    part = image_HW[y : y + SIDE_PX, x : x + SIDE_PX]
    need = [(0, SIDE_PX - n) for n in part.shape]
    return np.pad(part, need, mode="symmetric")


def _clean(root: Path) -> tuple[list[Picture], list[Picture]]:
    """Drone photograph and ImageNet folders: whole pictures for training, 256x256 crops for the test."""
    train = [Picture("drone", "DJI_0020", "clean", read_grey(folder(root, "large") / "DJI_0020.JPG"))]
    train += [
        Picture("imagenette224", p.stem, "clean", read_grey(p))
        for p in sorted(folder(root, "imagenette224", "train").glob("*/*.JPEG"))
    ]
    big = read_grey(Path(root) / "large" / "DJI_0027.JPG")
    test = [
        Picture("drone", f"DJI_0027_{y}_{x}", "clean", big[y : y + SIDE_PX, x : x + SIDE_PX])
        for y in range(0, big.shape[0] - SIDE_PX + 1, SIDE_PX)
        for x in range(0, big.shape[1] - SIDE_PX + 1, SIDE_PX)
    ]
    test += [
        Picture("imagenette224", p.stem, "clean", to_side(read_grey(p)))
        for p in sorted(folder(root, "imagenette224", "val").glob("*/*.JPEG"))
    ]
    return train, test


def load(root: Path, seed: int = 0, val_fraction: float = 0.1, train: bool = True) -> CrackBlocks:
    """All parts; train=False reads the test part only."""
    brick_train, brick_test = _brick(root, seed)
    clean_train, clean_test = _clean(root)
    masked_test = [p for s in MASKED for p in masked_part(root, s, "test")]
    test = tuple(masked_test + brick_test + clean_test)
    if not train:
        return CrackBlocks((), (), test, "test part only", digest(p.image_HW for p in test))
    found = [p for s in MASKED for p in masked_part(root, s, "train")]
    kept = _without_leaks(found, masked_test)
    photos = sorted({(p.source, splits.photograph(p.name)) for p in kept})
    held_mask = splits.grouped([MASKED.index(s) for s, _ in photos], photos, val_fraction, seed)
    held = {p for p, h in zip(photos, held_mask, strict=True) if h}
    val = [p for p in kept if (p.source, splits.photograph(p.name)) in held]
    rest = [p for p in kept if (p.source, splits.photograph(p.name)) not in held]
    masked = _without_leaks(rest, val)
    train_part = tuple(masked + brick_train + clean_train)
    text = (
        f"by photograph, seed {seed}: {len(found)} masked train pictures, {len(found) - len(kept)} dropped as "
        f"leaks of the test part, {len(rest) - len(masked)} as near duplicates of validation; {len(masked)} train, "
        f"{len(val)} validation, {len(masked_test)} test; brick {len(brick_train)}/{len(brick_test)} by runs of 25 "
        f"numbers; clean: DJI_0020 and {len(clean_train) - 1} photographs for training, {len(clean_test)} pictures "
        "(DJI_0027, imagenette val) for false alarms"
    )
    arrays = [a for p in (*train_part, *val, *test) for a in (p.image_HW, p.mask_HW) if a is not None]
    return CrackBlocks(train_part, tuple(val), test, text, digest(arrays))


def score_parts(
    pictures: Sequence[Picture], scores: Sequence[np.ndarray], threshold: float, block_px: int, stride_px: int
) -> dict:
    """Per source: AUC, share of clean blocks dropped, block recall, recall per crack picture."""
    from aoienet.data import metrics

    out: dict[str, dict] = {}
    for source in dict.fromkeys(p.source for p in pictures):
        rows = [(p, s) for p, s in zip(pictures, scores, strict=True) if p.source == source]
        labels = [block_labels(p, p.mask_HW, block_px, stride_px) for p, _ in rows]
        flat = np.concatenate([y.ravel() for y in labels])
        value = np.concatenate([s.ravel() for _, s in rows])
        kept = value >= threshold
        entry: dict = {"pictures": len(rows)}
        if (flat == 0).any():
            dropped = int((~kept & (flat == 0)).sum())
            entry["clean_dropped"] = metrics.share(dropped, int((flat == 0).sum()))
        if (flat == 1).any():
            entry["block_recall"] = metrics.share(int((kept & (flat == 1)).sum()), int((flat == 1).sum()))
            known = flat >= 0
            entry["auc"] = metrics.auc(value[known], flat[known] == 1)
        # a crack picture is found when a block with crack pixels in it (weak label: any block) is kept
        crack = [(y == 1) | (y == WEAK) for y in labels]
        hits = [bool(((s >= threshold) & c).any()) for (_, s), c in zip(rows, crack, strict=True)]
        cracked = [bool(c.any()) for c in crack]
        if any(cracked):
            found = sum(h and c for h, c in zip(hits, cracked, strict=True))
            entry["picture_recall"] = metrics.share(found, sum(cracked))
        out[source] = entry
    return out


def line_scores(mask_HW: np.ndarray, scores_HW: np.ndarray, block_px: int, stride_px: int) -> list[np.ndarray]:
    """Of each crack and every pixel of its centre line: the threshold up to which the pixel is passed on (aoienet.cells)."""
    passed = cells.linked(cells.fused(scores_HW, block_px, stride_px))
    return along_lines(mask_HW, passed, cells.side_px(block_px, stride_px))


def along_lines(mask_HW: np.ndarray, passed: np.ndarray, side: int) -> list[np.ndarray]:
    """Values of cells of `side` px along the centre line of each crack (8-connected, LEAST_CRACK_PX or more). Pixels beyond the last
    cell count with the one beside them."""
    from scipy import ndimage

    cracks, count = ndimage.label(mask_HW, np.ones((3, 3)))
    areas = np.bincount(cracks.ravel(), minlength=count + 1)
    y, x = np.nonzero(skeleton(mask_HW))
    value = passed[np.minimum(y // side, len(passed) - 1), np.minimum(x // side, passed.shape[1] - 1)]
    crack = cracks[y, x]
    return [value[crack == k] for k in range(1, count + 1) if areas[k] >= LEAST_CRACK_PX]


def threshold_rule(keep: float) -> str:
    """How passing_threshold chose, for cards."""
    return f"the largest that passes on {100 * keep:g} % of the length of the cracks in validation photographs"


def passing_threshold(
    pictures: Sequence[Picture], scores: Sequence[np.ndarray], block_px: int, stride_px: int, keep: float
) -> float:
    """The largest threshold at which the share `keep` of the length of the cracks is passed on. Raises ValueError: no crack."""
    from aoienet.data import metrics

    pairs = [(p.mask_HW, s) for p, s in zip(pictures, scores, strict=True) if p.mask_HW is not None]
    lines = [line for mask, s in pairs for line in line_scores(mask, s, block_px, stride_px)]
    if not lines:
        raise ValueError(
            f"a threshold is chosen on photographs with cracks; received {len(pairs)} with a mask and no crack"
        )
    return metrics.threshold_for_recall(np.concatenate(lines), keep)


@dataclass(frozen=True)
class Second:
    """A second stage as a certificate sees it. look: of a picture uint8 [H, W] and the cells that a first stage passes on, bool
    [Hc, Wc], all cells that are looked at in the end."""

    name: str
    sha256: str
    look: Callable[[np.ndarray, np.ndarray], np.ndarray]


def certificate(
    pictures: Sequence[Picture],
    scores: Sequence[np.ndarray],
    threshold: float,
    block_px: int,
    stride_px: int,
    second: Second | None = None,
) -> dict:
    """What a threshold that was chosen without these pictures misses in them, with one-sided 95 % bounds. A crack is found when
    FOUND_SHARE of its centre line is passed on; under `followed`, where a second stage goes on along what it finds, when so
    much of it is looked at.

    The unit is the photograph: cracks and pictures of one photograph are not independent.
    """
    known = [
        (p, cells.linked(cells.fused(s, block_px, stride_px)) >= threshold)
        for p, s in zip(pictures, scores, strict=True)
        if p.mask_HW is not None and p.kind == "masked"
    ]
    side = cells.side_px(block_px, stride_px)
    out = {
        "unit": "photograph",
        "confidence": 0.95,
        "threshold": float(threshold),
        "found_when": f"{100 * FOUND_SHARE:g} % of its centre line is passed on",
        **missed(known, side),
    }
    if second is not None:
        looked = [(p, second.look(p.image_HW, passed)) for p, passed in known]
        out["followed"] = {"second_stage": second.name, "sha256": second.sha256, **missed(looked, side)}
    return out


def missed(known: Sequence[tuple[Picture, np.ndarray]], side: int) -> dict:
    """Cracks and photographs of which too little lies in cells, of pictures with masks and those cells, bool [Hc, Wc], of `side` px;
    with one-sided 95 % bounds. Keys: as certificate."""
    from aoienet.data import metrics

    by_photo: dict[tuple[str, str], list[bool]] = {}
    passed, length = 0, 0
    for picture, cells_HW in known:
        assert picture.mask_HW is not None
        lines = along_lines(picture.mask_HW, cells_HW, side)
        photo = by_photo.setdefault((picture.source, splits.photograph(picture.name)), [])
        photo += [bool(line.mean() >= FOUND_SHARE) for line in lines]
        passed += sum(int(line.sum()) for line in lines)
        length += sum(len(line) for line in lines)
    photos = [np.array(hits) for hits in by_photo.values() if hits]
    some, none = sum(not hits.all() for hits in photos), sum(not hits.any() for hits in photos)
    return {
        "photographs": len(photos),
        "cracks": int(sum(len(hits) for hits in photos)),
        "cracks_missed": int(sum((~hits).sum() for hits in photos)),
        "length_passed_on": passed / max(1, length),
        "photographs_with_a_missed_crack": some,
        "photographs_with_a_missed_crack_at_most": metrics.miss_bound(some, len(photos)),
        "photographs_without_any_crack_found": none,
        "photographs_without_any_crack_found_at_most": metrics.miss_bound(none, len(photos)),
    }


def familiar(
    training: Sequence[Picture],
    validation: Sequence[Picture],
    block_px: int,
    stride_px: int,
    around_px: int = AROUND_PX,
) -> dict[str, Any]:
    """meta.familiar of a model file: what the blocks of training pictures look like, with around_px (rounded down to whole
    cells) on each side, and the limit from validation."""
    around = around_px - around_px % cells.side_px(block_px, stride_px)
    seen, held = (
        [sums.of_picture(p.image_HW, block_px, stride_px, around) for p in part] for part in (training, validation)
    )
    return fit(seen, held, around)


def known_blocks(
    pictures: Sequence[Picture], scores: Sequence[np.ndarray], block_px: int, stride_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and 0/1 truth of all blocks that have a certain label."""
    truth = [block_labels(p, p.mask_HW, block_px, stride_px).ravel() for p in pictures]
    flat, value = np.concatenate(truth), np.concatenate([s.ravel() for s in scores])
    return value[flat >= 0], flat[flat >= 0]
