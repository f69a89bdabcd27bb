"""NEU-CLS: six classes of hot-rolled steel, 200x200 grey, split by groups of overlapping crops.

The pictures are Northeastern University's (Song 2013), for research. Which of them show one surface stands in neu_groups.csv: connected
components of the pairs that share a region of identical pixels; a groups.csv beside the pictures takes its place.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aoienet.data import splits
from aoienet.data.datasets import GUIDE, digest, read_grey

NAME = "neu_cls"
CLASSES = ("crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches")
SUFFIXES = (".png", ".bmp")  # lossless ones
GROUPS = Path(__file__).with_name("neu_groups.csv")
DROPPED = ("Pa_105",)  # the exact copy of Pa_101


@dataclass(frozen=True)
class NeuCls:
    """All pictures with one split; `part` is 0 train, 1 validation, 2 test, 3 none."""

    names: tuple[str, ...]
    images_NHW: np.ndarray
    labels_N: np.ndarray
    part_N: np.ndarray
    split: str
    data_hash: str

    def indices(self, part: str) -> np.ndarray:
        """The pictures of `train`, `val`, `test` or `all`."""
        if part == "all":
            return np.arange(len(self.names))
        return np.flatnonzero(self.part_N == ("train", "val", "test").index(part))


@dataclass(frozen=True)
class Split:
    """How the pictures are parted.

    kind        grouped: pictures that share pixels stay together; random: as papers do it, and it leaks
    per_class   > 0: that many training pictures of every class, and all that shares no group with them is the test part
    leave_out   a class: all of its pictures are in the test part, which no training knows
    """

    kind: str = "grouped"
    seed: int = 0
    val_fraction: float = 0.05
    test_fraction: float = 0.2
    per_class: int = 0
    leave_out: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("grouped", "random"):
            raise ValueError(f"unknown split {self.kind!r}; known: grouped, random")
        if self.per_class and (self.kind != "grouped" or self.val_fraction):
            raise ValueError(
                "a split with so many pictures per class is grouped and has no validation part; "
                f"received {self.kind!r}, val_fraction={self.val_fraction}"
            )

        if self.leave_out and (self.leave_out not in CLASSES or self.per_class):
            raise ValueError(
                f"a class that is left out is one of {', '.join(CLASSES)}, of a split without per_class; "
                f"received {self.leave_out!r}, per_class={self.per_class}"
            )


def part(labels: list[int], groups: list[str], split: Split) -> np.ndarray:
    """0 train, 1 validation, 2 test, 3 left out, of every picture."""
    if split.per_class:
        return few(np.array(labels), np.array(groups), split.per_class, split.seed)
    own = groups if split.kind == "grouped" else [str(i) for i in range(len(groups))]
    test = splits.grouped(labels, own, split.test_fraction, split.seed)
    out = np.where(test, 2, 0)
    rest = np.flatnonzero(~test)
    if split.val_fraction > 0:
        rest_labels, rest_groups = [labels[i] for i in rest], [own[i] for i in rest]
        out[rest[splits.grouped(rest_labels, rest_groups, split.val_fraction, split.seed)]] = 1
    if split.leave_out:
        out[np.array(labels) == CLASSES.index(split.leave_out)] = 2
    return out


def few(labels_N: np.ndarray, groups_N: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """Training pictures drawn one by one; their partners of the same surface are in no part."""
    rng = np.random.default_rng(seed)
    train = np.concatenate([rng.permutation(np.flatnonzero(labels_N == c))[:per_class] for c in np.unique(labels_N)])
    out = np.where(np.isin(groups_N, groups_N[train]), 3, 2)
    out[train] = 0
    return out


def load(root: Path, split: Split = Split()) -> NeuCls:
    """The set under root/neu_cls (or root itself). Raises FileNotFoundError: a picture; ValueError: a broken one, another table."""
    base = folder_of(Path(root))
    own = base / "groups.csv"
    rows = read_rows(own if own.is_file() else GROUPS)
    paths = find(base, [r["image"] for r in rows])
    labels = [CLASSES.index(r["class"]) for r in rows]
    parts = part(labels, [r["group"] for r in rows], split)
    pictures = [read_grey(path) for path in paths]
    other = [f"{r['image']} {p.shape}" for r, p in zip(rows, pictures, strict=True) if p.shape != pictures[0].shape]
    if other:
        raise ValueError(
            f"all pictures of {base} have one size, {pictures[0].shape}; received {other[0]}; fetch it again"
        )
    images = np.stack(pictures)
    counts = [int((parts == p).sum()) for p in range(4)]
    how = f"{split.per_class} per class" if split.per_class else f"{split.kind} stratified {shares(split)}"
    text = (
        f"{how}, seed {split.seed}, {', '.join(DROPPED)} dropped: "
        f"{counts[0]} train, {counts[1]} validation, {counts[2]} test"
    )
    text += f", {counts[3]} left out that overlap training pictures" if split.per_class else ""
    text += f", {split.leave_out} in none but test" if split.leave_out else ""
    names = tuple(r["image"] for r in rows)
    hashed = digest([images, np.array(labels), parts])
    return NeuCls(names, images, np.array(labels), parts, text, hashed)


def folder_of(root: Path) -> Path:
    """root/neu_cls, or `root` where the set lies there itself."""
    return root if (root / "groups.csv").is_file() or not (root / NAME).is_dir() else root / NAME


def find(base: Path, names: list[str]) -> list[Path]:
    """The file of each picture, at any depth below `base`. Raises FileNotFoundError; ValueError: two of one name."""
    wanted, files = set(names), dict[str, Path]()
    for path in sorted(base.rglob("*")):
        if path.stem not in wanted or path.suffix.lower() not in SUFFIXES:
            continue
        if path.stem in files:
            raise ValueError(
                f"a picture of NEU-CLS stands once below {base}; received {files[path.stem]} and {path}; next: {GUIDE}"
            )
        files[path.stem] = path
    missing = [name for name in names if name not in files]
    if missing:
        raise FileNotFoundError(
            f"{base} lacks {len(missing)} of {len(names)} pictures of NEU-CLS ({' or '.join(SUFFIXES)}), the first is {missing[0]}; "
            f"--data must name the folder that holds {NAME}/, or the pictures; next: {GUIDE}"
        )
    return [files[name] for name in names]


def read_rows(path: Path) -> list[dict[str, str]]:
    """image, class and group of every picture but the dropped ones. Raises ValueError: another table."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r.get("image") not in DROPPED]
    wrong = [r for r in rows if None in (r.get("image"), r.get("group")) or r.get("class") not in CLASSES]
    if wrong or not rows:
        raise ValueError(
            f"{path} has the columns image, class ({', '.join(CLASSES)}) and group; received {wrong[0] if wrong else 'no row'}"
        )
    return rows


def shares(split: Split) -> str:
    """ "80/20"."""
    test = round(100 * split.test_fraction)
    return f"{100 - test}/{test}"
