"""How well a mask of cracks agrees with another: counts per picture, and the measures with bootstrap intervals.

All measures are of the pooled counts of the pictures (micro averages), so that a picture with little crack weighs little.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

LEAST_CRACK_PX = 20  # smaller components of the truth are specks of the annotation, not counted as cracks
FOUND_SHARE = 0.5  # of a crack's skeleton
TOLERANCE_PX = 2
MEASURES = ("f1", "precision", "recall", "iou", "f1_2px", "cldice", "crack_recall")


def skeleton(mask_HW: np.ndarray) -> np.ndarray:
    """One pixel wide lines of a bool mask."""
    from skimage.morphology import skeletonize

    return np.asarray(skeletonize(mask_HW), bool)


def grown(mask_HW: np.ndarray, radius_px: float) -> np.ndarray:
    """All pixels within radius_px of the mask."""
    from scipy.ndimage import distance_transform_edt

    if not mask_HW.any():
        return np.zeros(mask_HW.shape, bool)
    return np.asarray(distance_transform_edt(~mask_HW) <= radius_px)


def counts(truth_HW: np.ndarray, said_HW: np.ndarray) -> dict[str, int]:
    """Pixels, skeleton pixels and cracks of one picture.

    Shapes    bool [H, W] both
    hit, said, truth            pixels in both, in the answer, in the truth
    said_near, truth_near       pixels of one within TOLERANCE_PX of the other
    said_line, said_line_in     skeleton of the answer; of these inside of the truth (clDice, Shit 2021)
    truth_line, truth_line_in   skeleton of the truth; of these inside of the answer
    cracks, cracks_found        8-connected parts of the truth of LEAST_CRACK_PX or more; found when FOUND_SHARE of the skeleton
                                lies within TOLERANCE_PX of the answer
    """
    truth_line, said_line = skeleton(truth_HW), skeleton(said_HW)
    near_truth, near_said = grown(truth_HW, TOLERANCE_PX), grown(said_HW, TOLERANCE_PX)
    cracks, found = crack_counts(truth_HW, truth_line, near_said)
    out = {
        "pixels": truth_HW.size,
        "hit": (truth_HW & said_HW).sum(),
        "said": said_HW.sum(),
        "truth": truth_HW.sum(),
        "said_near": (said_HW & near_truth).sum(),
        "truth_near": (truth_HW & near_said).sum(),
        "said_line": said_line.sum(),
        "said_line_in": (said_line & truth_HW).sum(),
        "truth_line": truth_line.sum(),
        "truth_line_in": (truth_line & said_HW).sum(),
        "cracks": cracks,
        "cracks_found": found,
    }
    return {key: int(value) for key, value in out.items()}


def crack_counts(truth_HW: np.ndarray, truth_line_HW: np.ndarray, near_said_HW: np.ndarray) -> tuple[int, int]:
    """Cracks of the truth, and how many of them are found."""
    from scipy.ndimage import label

    parts, number = label(truth_HW, np.ones((3, 3)))
    area = np.bincount(parts.ravel(), minlength=number + 1)
    line = np.bincount(parts[truth_line_HW], minlength=number + 1)
    covered = np.bincount(parts[truth_line_HW & near_said_HW], minlength=number + 1)
    large = np.flatnonzero(area[1:] >= LEAST_CRACK_PX) + 1
    return len(large), int((covered[large] >= FOUND_SHARE * line[large]).sum())


def measures(total: Mapping[str, float]) -> dict[str, float]:
    """MEASURES of pooled counts; 0 where there is nothing to divide by."""

    def share(part: float, whole: float) -> float:
        return float(part) / float(whole) if whole else 0.0

    def mean(a: float, b: float) -> float:
        return share(2 * a * b, a + b)

    hit, said, truth = total["hit"], total["said"], total["truth"]
    near = mean(share(total["said_near"], said), share(total["truth_near"], truth))
    lines = mean(share(total["said_line_in"], total["said_line"]), share(total["truth_line_in"], total["truth_line"]))
    return {
        "f1": share(2 * hit, said + truth),
        "precision": share(hit, said),
        "recall": share(hit, truth),
        "iou": share(hit, said + truth - hit),
        "f1_2px": near,
        "cldice": lines,
        "crack_recall": share(total["cracks_found"], total["cracks"]),
    }


def pooled(rows: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The sums of the counts."""
    return {key: sum(row[key] for row in rows) for key in rows[0]}


def bootstrap(
    rows: Sequence[Mapping[str, int]], groups: Sequence[Hashable], draws: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of the measures; whole groups (photographs) are drawn with replacement."""
    names = list(dict.fromkeys(groups))
    keys = list(rows[0])
    table = np.zeros((len(names), len(keys)), np.int64)
    for row, group in zip(rows, groups, strict=True):
        table[names.index(group)] += [row[key] for key in keys]
    rng = np.random.default_rng(seed)
    values: dict[str, list[float]] = {name: [] for name in MEASURES}
    for _ in range(draws):
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        drawn = measures(dict(zip(keys, (times @ table).tolist(), strict=True)))
        for name in MEASURES:
            values[name].append(drawn[name])
    quantiles = {name: np.quantile(v, (0.025, 0.975)) for name, v in values.items()}
    return {name: (float(low), float(high)) for name, (low, high) in quantiles.items()}


def best_threshold(
    truth: Sequence[np.ndarray], probability: Sequence[np.ndarray], within: float = 0.0, steps: int = 200
) -> float:
    """The least threshold k/steps whose pooled pixel F1 is the highest, or less by no more than `within`."""
    bins = np.zeros((2, steps + 1), np.int64)
    for t, p in zip(truth, probability, strict=True):
        level = np.floor(np.clip(p, 0, 1) * steps).astype(np.int64)
        for value in (0, 1):
            bins[value] += np.bincount(level[t == value], minlength=steps + 1)
    above = bins[:, ::-1].cumsum(axis=1)[:, ::-1]  # pixels with p >= k / steps
    f1 = 2 * above[1] / np.maximum(1, above.sum(axis=0) + above[1, 0])
    return float(np.argmax(f1 >= f1.max() - within)) / steps
