"""Pictures of your own, one folder per class: found, read as 8-bit grey, checked for duplicates, split, reported.

ROOT/<class>/<pictures>, split here by whole groups of near duplicates; or ROOT/train/<class>, ROOT/val/<class>,
ROOT/test/<class> as the user has split. Classes are the names of the folders, sorted. Pictures lie at any depth below
their class; names that begin with "." are passed over. The pictures and their licence are the user's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aoienet.data import duplicates, splits
from aoienet.data.datasets import GUIDE, SUFFIXES, digest, neu_cls
from aoienet.data.transform import to_grey

NAME = "folders"
CLASSES = ()  # the folders decide
PARTS = ("train", "val", "test")
LEAST_PX = 8  # on both sides
READERS = 4  # threads; Pillow decodes outside of Python's lock


@dataclass(frozen=True)
class File:
    """One picture on disk; `part` is 0 train, 1 validation, 2 test, or -1 where the split is made here."""

    name: str
    path: Path
    label: int
    part: int


@dataclass(frozen=True)
class Found:
    """What the folder tree says before a picture is opened."""

    classes: tuple[str, ...]
    files: tuple[File, ...]
    given_parts: tuple[str, ...]
    other_files: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """One picture read: u8 at the network's size, and what is compared: hash of its own pixels, signature [480]."""

    image_HW: np.ndarray
    size_hw: tuple[int, int]
    mode: str
    pixel_hash: str
    signature: np.ndarray


@dataclass(frozen=True)
class Folders(neu_cls.NeuCls):
    """The fields of a whole-picture set (names, images_NHW, labels_N, part_N, split, data_hash), classes and the report."""

    classes: tuple[str, ...]
    report: dict


@dataclass(frozen=True)
class Options:
    """How a folder is split and checked. Fractions are of all pictures; `correlation` above 1 compares exactly only;
    `most_broken` pictures may be left out because they cannot be read."""

    val_fraction: float = 0.1
    test_fraction: float = 0.2
    correlation: float = duplicates.CORRELATION
    class_weights: bool = True
    most_broken: int = 0

    def __post_init__(self) -> None:
        val, test = self.val_fraction, self.test_fraction
        if val < 0 or test <= 0 or val + test >= 1:
            raise ValueError(
                "val_fraction is at least 0, test_fraction more than 0, and both together less than 1; "
                f"received val_fraction={val}, test_fraction={test}."
            )
        if self.correlation < 0.5:
            raise ValueError(f"duplicate_correlation is at least 0.5; received {self.correlation}.")


def load(root: Path, seed: int = 0, size_hw: tuple[int, int] = (200, 200), options: Options | None = None) -> Folders:
    """Everything at once; pictures that cannot be read and are left out stand in the report.

    Args      size_hw: pixels (h, w) that every picture is resized to, bilinearly, after it became grey.
    Raises    FileNotFoundError: no such folder. ValueError: no class folders, one class, a class without pictures,
              a class that lost all its pictures, more pictures that cannot be read than may be left out, no picture for the
              test part.
    """
    options = Options() if options is None else options
    found = find(root)
    read = read_all(found.files, size_hw)
    kept = [i for i, r in enumerate(read) if isinstance(r, Picture)]
    unreadable = {f.name: r for f, r in zip(found.files, read, strict=True) if isinstance(r, str)}
    _check_left(found, kept, unreadable)
    _check_broken(Path(root), unreadable, options.most_broken)
    files, pictures = [found.files[i] for i in kept], [r for r in read if isinstance(r, Picture)]
    group_N = duplicates.groups([p.pixel_hash for p in pictures], [p.signature for p in pictures], options.correlation)
    label_N, part_N = np.array([f.label for f in files]), np.array([f.part for f in files])
    if not found.given_parts:
        part_N = split_parts(label_N, group_N, seed, options)
    _check_test(part_N, len(set(group_N.tolist())))
    images = np.stack([p.image_HW for p in pictures])
    text = _split_text(found, part_N, seed, options)
    report = _report(Path(root), found, files, pictures, (label_N, part_N, group_N), unreadable, options)
    report["summary"] = summary(report, text, size_hw)
    hashed = digest([images, label_N, part_N, np.frombuffer("/".join(found.classes).encode(), np.uint8)])
    return Folders(tuple(f.name for f in files), images, label_N, part_N, text, hashed, found.classes, report)


# --- the folder tree --------------------------------------------------------------------------------------------------


def find(root: Path) -> Found:
    """The classes and their pictures, in the order of the names. Raises as `load`."""
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"--data names a folder of class folders; {root} is not a folder; next: {GUIDE}")
    given = tuple(p for p in PARTS if (root / p).is_dir() and _folders(root / p))
    bases = {part: root / part for part in given} if given else {"": root}
    if given:
        _check_parts(root, given)
    classes = tuple(f.name for f in _folders(bases["train"] if given else root))
    _check_classes(root, classes)
    files: list[File] = []
    others: list[str] = []
    for part, base in bases.items():
        unknown = [f.name for f in _folders(base) if f.name not in classes]
        if unknown:
            raise ValueError(f"{base} has class folders that train/ has not: {', '.join(unknown)}.")
        for path in visible_files(base):
            name, inside = path.relative_to(root).as_posix(), path.relative_to(base).parts
            if path.suffix.lower() in SUFFIXES and len(inside) > 1:
                number = PARTS.index(part) if part else -1
                files.append(File(name, path, classes.index(inside[0]), number))
            else:
                others.append(name)
    _check_filled(root, classes, files)
    return Found(classes, tuple(files), given, tuple(others))


def _folders(base: Path) -> list[Path]:
    return sorted(p for p in base.iterdir() if p.is_dir() and not p.name.startswith((".", "__MACOSX")))


def visible_files(base: Path) -> list[Path]:
    """Files directly in `base` and at any depth below its folders."""
    found = [p for p in base.iterdir() if p.is_file()]
    found += [p for folder in _folders(base) for p in folder.glob("**/*") if p.is_file()]
    return sorted(p for p in found if not any(word.startswith(".") for word in p.relative_to(base).parts))


def _check_parts(root: Path, given: Sequence[str]) -> None:
    others = [f.name for f in _folders(root) if f.name not in PARTS]
    if "train" not in given or "test" not in given or others:
        raise ValueError(
            "a folder that is split already holds train/ and test/, val/ if wanted, and no other folder; "
            f"{root} has {', '.join(f.name + '/' for f in _folders(root))}; next: rename or move the folders."
        )


def _check_classes(root: Path, classes: Sequence[str]) -> None:
    if not classes:
        parent = root.resolve().parent
        above = [f.name for f in _folders(parent)]
        pictures = any(f.suffix.lower() in SUFFIXES for f in visible_files(root))
        next_step = f"put the pictures of each class into {root}/<name of the class>/."
        if pictures and len(above) > 1:
            next_step += f" If {root.name} is a class itself, beside {next(n for n in above if n != root.name)}: --data {parent}."
        raise ValueError(f"{root} has no class folders; next: {next_step}")
    if len(classes) < 2:
        only = root / classes[0]  # not there where the folder has parts
        inner = [f.name for f in _folders(only)] if only.is_dir() else []
        next_step = f"add {root}/<name of another class>/."
        if len(inner) > 1:
            next_step = f"--data {only} if {', '.join(inner[:3])} are the classes."
        raise ValueError(f"two classes or more are needed; {root} has one, {classes[0]!r}; next: {next_step}")


def _check_filled(root: Path, classes: Sequence[str], files: Sequence[File]) -> None:
    filled = {f.label for f in files if f.part <= 0}
    empty = [name for label, name in enumerate(classes) if label not in filled]
    if empty:
        raise ValueError(
            f"every class folder holds pictures ({', '.join(SUFFIXES)}); without one in {root}: "
            f"{', '.join(map(repr, empty))}; next: fill or remove the folder."
        )


def _check_left(found: Found, kept: Sequence[int], unreadable: dict[str, str]) -> None:
    left = {found.files[i].label for i in kept if found.files[i].part <= 0}
    for label, name in enumerate(found.classes):
        if label not in left:
            lost = next(f.name for f in found.files if f.label == label and f.part <= 0)
            raise ValueError(f"class {name!r} lost all its pictures, the first is {lost}: {unreadable[lost]}")


def _check_broken(root: Path, unreadable: dict[str, str], most: int) -> None:
    if len(unreadable) > most:
        name, reason = next(iter(unreadable.items()))
        raise ValueError(
            f"{root / name} cannot be read ({reason}); {len(unreadable)} such pictures, and data.most_broken={most} may be left "
            f"out; next: remove or mend them, or -o data.most_broken={len(unreadable)} to go on without them"
        )


def _check_test(part_N: np.ndarray, distinct: int) -> None:
    if not (part_N == 2).any():
        raise ValueError(
            f"the test part is empty; {len(part_N)} readable pictures, {distinct} of them distinct, are too few; "
            "next: add pictures (five distinct ones per class or more), or split into train/ and test/ yourself."
        )


# --- pictures ---------------------------------------------------------------------------------------------------------


def read_picture(path: Path, channels: int = 1) -> tuple[np.ndarray, str]:
    """8 bits as `aoienet classify` sees them (upright, alpha dropped, 16 bit by its white level), and the stored mode.

    Returns   grey [H, W] of one channel, RGB [H, W, 3] of three.

    Raises    ValueError: samples that are no unsigned integers of up to 16 bits, a side below LEAST_PX; Pillow's errors.
    """
    from PIL import Image, ImageOps

    with Image.open(path) as picture:
        tags, mode, kind = getattr(picture, "tag_v2", {}), picture.mode, picture.format
        upright = ImageOps.exif_transpose(picture)
    if mode.startswith("I;16") or (mode == "I" and kind == "PNG"):
        pixels = _eight_bit(np.asarray(upright), tags)
    elif mode in ("I", "F"):
        raise ValueError(f"samples are unsigned integers of 1 to 16 bits; received Pillow mode {mode}; save it so.")
    elif mode in ("1", "L", "LA"):
        pixels = np.array(upright.convert("L"))
    else:  # by way of RGBA, as a palette may hold transparency
        pixels = np.asarray(upright.convert("RGBA" if mode in ("P", "PA") else "RGB").convert("RGB"))
    if min(pixels.shape[:2]) < LEAST_PX:
        raise ValueError(
            f"a picture has {LEAST_PX} px or more on both sides; received {pixels.shape[1]}x{pixels.shape[0]}."
        )
    if channels == 3:
        return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2), mode
    return to_grey(pixels), mode


def _eight_bit(values_HW: np.ndarray, tags: dict) -> np.ndarray:
    """Up to 16 bit -> 8 bit: (v * 255 + white // 2) // white; a TIFF may name its white level (tag 281)."""
    white = (1 << int(np.max(tags.get(258, 16)))) - 1
    white = max(1, int(np.max(tags.get(281, white))))
    grey = np.minimum((values_HW.astype(np.int64) * 255 + white // 2) // white, 255).astype(np.uint8)
    return 255 - grey if tags.get(262) == 0 else grey  # 0: white is zero


def read_all(files: Sequence[File], size_hw: tuple[int, int]) -> list[Picture | str]:
    """A Picture per file, or the reason why it cannot be read; in the order of the files."""
    from PIL import Image

    def read(file: File) -> Picture | str:
        try:
            grey, mode = read_picture(file.path)
        except Exception as error:  # Pillow raises many kinds on a broken file; one picture must not end the run
            return f"{type(error).__name__}: {error}"
        small = np.asarray(Image.fromarray(grey).resize(size_hw[::-1], Image.Resampling.BILINEAR))
        return Picture(small, (grey.shape[0], grey.shape[1]), mode, digest([grey]), duplicates.signature(grey))

    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(read, files))


# --- duplicates and the split -----------------------------------------------------------------------------------------


def split_parts(label_N: np.ndarray, group_N: np.ndarray, seed: int, options: Options) -> np.ndarray:
    """0 train, 1 validation, 2 test: whole groups, close to the fractions in each class; every class keeps training pictures."""
    labels, members = [int(i) for i in label_N], [int(i) for i in group_N]
    part_N = np.where(splits.grouped(labels, members, options.test_fraction, seed), 2, 0)
    rest = np.flatnonzero(part_N == 0)
    share = options.val_fraction / (1 - options.test_fraction)
    held = splits.grouped([labels[i] for i in rest], [members[i] for i in rest], share, seed)
    part_N[rest[held]] = 1
    for label in range(max(labels) + 1):  # a class of one or two pictures at large fractions
        mine = np.flatnonzero(label_N == label)
        if not (part_N[mine] == 0).any():
            part_N[group_N == group_N[mine[0]]] = 0
    return part_N


def balanced_weights(counts: Sequence[int]) -> list[float]:
    """Weights inverse to the counts, with a mean of 1 over the pictures; balanced_weights([30, 10]) is [2/3, 2]."""
    total = sum(counts)
    return [total / (len(counts) * max(1, n)) for n in counts]


# --- the report -------------------------------------------------------------------------------------------------------


def _split_text(found: Found, part_N: np.ndarray, seed: int, options: Options) -> str:
    how = "as given by the folders"
    if not found.given_parts:
        val, test = round(100 * options.val_fraction), round(100 * options.test_fraction)
        how = f"whole groups of near duplicates, stratified {100 - val - test}/{val}/{test}, seed {seed}"
    train, val, test = np.bincount(part_N, minlength=3)
    return f"{how}: {train} train, {val} validation, {test} test"


def _report(root: Path, found: Found, files: Sequence[File], pictures: Sequence[Picture],
            columns: tuple[np.ndarray, np.ndarray, np.ndarray], unreadable: dict[str, str], options: Options) -> dict:  # fmt: skip
    label_N, part_N, group_N = columns
    k = len(found.classes)
    count = {part: np.bincount(label_N[part_N == p], minlength=k).tolist() for p, part in enumerate(PARTS)}
    weights = balanced_weights(count["train"]) if options.class_weights else [1.0] * k
    sizes = sorted((p.size_hw for p in pictures), key=lambda hw: (hw[0] * hw[1], hw))
    return {
        "data": str(root),
        "layout": "parts" if found.given_parts else "classes",
        "classes": list(found.classes),
        "counts": {part: dict(zip(found.classes, row, strict=True)) for part, row in count.items()},
        "class_weights": dict(zip(found.classes, weights, strict=True)),
        "smallest_hw": list(sizes[0]),
        "largest_hw": list(sizes[-1]),
        "modes": dict(sorted(Counter(p.mode for p in pictures).items())),
        "unreadable": [{"file": name, "reason": reason} for name, reason in unreadable.items()],
        "other_files": list(found.other_files),
        "duplicates": _duplicates(found.classes, files, pictures, (part_N, group_N), options.correlation),
    }


def _duplicates(classes: Sequence[str], files: Sequence[File], pictures: Sequence[Picture],
                columns: tuple[np.ndarray, np.ndarray], correlation: float) -> dict:  # fmt: skip
    part_N, group_N = columns
    members: dict[int, list[int]] = {}
    for i, g in enumerate(group_N.tolist()):
        members.setdefault(g, []).append(i)
    rows: list[dict] = []
    for items in sorted(m for m in members.values() if len(m) > 1):
        rows.append({
            "exact": len({pictures[i].pixel_hash for i in items}) == 1,
            "parts": [PARTS[p] for p in sorted({int(part_N[i]) for i in items})],
            "classes": [classes[c] for c in sorted({files[i].label for i in items})],
            "files": [{"file": files[i].name, "part": PARTS[int(part_N[i])]} for i in items],
        })  # fmt: skip
    return {
        "rule": f"equal grey pixels, or steps between 16x16 block means that correlate at {correlation} or more, in chains",
        "exact_groups": sum(r["exact"] for r in rows),
        "near_groups": sum(not r["exact"] for r in rows),
        "groups_in_two_parts": sum(len(r["parts"]) > 1 for r in rows),
        "groups_in_two_classes": sum(len(r["classes"]) > 1 for r in rows),
        "largest_group": max((len(r["files"]) for r in rows), default=0),
        "groups": rows,
    }


def summary(report: dict, split: str, size_hw: tuple[int, int]) -> list[str]:
    """A few lines for a person: counts, what is wrong, what to do."""
    small, large = (f"{hw[1]}x{hw[0]}" for hw in (report["smallest_hw"], report["largest_hw"]))
    lines = [f"data: {split}; {small} to {large} px, resized to {size_hw[1]}x{size_hw[0]} grey"]
    for name in report["classes"]:
        counts = ", ".join(f"{report['counts'][part][name]} {part}" for part in PARTS)
        lines.append(f"  {name}: {counts}, weight {report['class_weights'][name]:.3g}")
    tests: list[Callable[[dict], list[str]]] = [_file_lines, _part_lines, _duplicate_lines]
    return lines + [f"warning: {line}" for test in tests for line in test(report)]


def _file_lines(report: dict) -> list[str]:
    bad, lines = report["unreadable"], []
    if bad:
        lines = [f"{len(bad)} unreadable pictures left out, the first is {bad[0]['file']}: {bad[0]['reason']}"]
    if report["other_files"]:
        first = report["other_files"][0]
        lines.append(
            f"{len(report['other_files'])} files are no pictures of a class and were passed over, such as {first}"
        )
    return lines


def _part_lines(report: dict) -> list[str]:
    lines = []
    for part, use in (("val", "no figures during training"), ("test", "its recall is not measured")):
        none = [name for name, n in report["counts"][part].items() if not n]
        if len(none) == len(report["classes"]):
            lines.append(f"no picture in {part}: {use}")
        elif none:
            lines.append(f"no picture in {part} of {', '.join(none)}" + (f": {use}" if part == "test" else ""))
    return lines


def _duplicate_lines(report: dict) -> list[str]:
    d, lines = report["duplicates"], []
    count = sum(sum(row.values()) for row in report["counts"].values())
    if d["groups"]:
        kind = f"{d['exact_groups']} groups of equal pictures, {d['near_groups']} of near duplicates"
        lines.append(f"{kind}; data_report.json lists them")
    if d["groups_in_two_parts"]:
        lines.append(f"{d['groups_in_two_parts']} of these groups lie in two parts: the test figures are too good")
    if d["groups_in_two_classes"]:
        lines.append(f"{d['groups_in_two_classes']} of these groups lie in two classes: look which label is right")
    if d["largest_group"] > max(10, count // 10):
        lines.append(
            f"one group holds {d['largest_group']} of {count} pictures: if they only look alike (same fixture), raise "
            "the limit with -o data.duplicate_correlation=0.99"
        )
    return lines
