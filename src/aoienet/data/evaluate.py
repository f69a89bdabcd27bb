"""Evaluate any callable that turns an 8-bit picture into logits Hb x Wb x K: class folders, NEU-CLS, CIFAR-10, block sets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aoienet.data import metrics
from aoienet.data.datasets import SUFFIXES, cifar10, crack_blocks, folders, neu_cls
from aoienet.familiar import AROUND_PX

Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Subject:
    """The model as evaluation sees it.

    run    takes pictures of the model's size, where it has a fixed one
    fit    brings a grey picture to that size
    read   reads a picture file of class folders at that size, with the model's colours, as its training did
    second the second stage that a certificate counts with, too
    """

    run: Run
    classes: tuple[str, ...]
    scan: dict | None = None
    fit: Run = lambda image: image
    read: Callable[[Path], np.ndarray] = lambda path: folders.read_picture(path)[0]
    second: crack_blocks.Second | None = None


def layout(root: Path, classes: Sequence[str]) -> str:
    """neu_cls, cifar10, crack_blocks (all its folders), blocks (one set with masks) or folders (one per class)."""
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder")
    if (root / "groups.csv").is_file():
        return "neu_cls"
    if (root / "test_img").is_dir():
        return "blocks"
    if any((root / name).is_dir() for name in classes):
        return "folders"
    if tuple(classes) == neu_cls.CLASSES and ((root / "neu_cls").is_dir() or any(root.glob("Cr_1.*"))):
        return "neu_cls"
    if tuple(classes) == cifar10.CLASSES and cifar10.found(root) is not None:
        return "cifar10"
    if tuple(classes) == crack_blocks.CLASSES and (root / crack_blocks.MASKED[0]).is_dir():
        return "crack_blocks"
    raise ValueError(
        f"{root} is none of: class folders ({', '.join(classes)}), NEU-CLS (neu_cls/, groups.csv or Cr_1.bmp), "
        "CIFAR-10 (*_batch*.bin or train_labels.u8), a block set (test_img/ and test_lab/), the folder that holds deepcrack256/"
    )


def evaluate(
    subject: Subject, root: Path, split: str = "", seed: int = 0, tick: Callable[[int, int], None] | None = None
) -> dict:
    """The report; `split` is one of the layout's parts, by default its test part."""
    kind = layout(root, subject.classes)
    work = {
        **{"neu_cls": _neu_cls, "cifar10": _cifar10, "folders": _folders},
        **{"crack_blocks": _all_blocks, "blocks": _one_block_set},
    }
    report = work[kind](subject, Path(root), split, seed, tick or (lambda done, total: None))
    return {"layout": kind, **report}


def familiar(subject: Subject, root: Path, seed: int = 0) -> dict | None:
    """meta.familiar of a scanning model where the folder holds the pictures that it was trained on; else None."""
    if subject.scan is None or layout(root, subject.classes) != "crack_blocks":
        return None
    parts = crack_blocks.load(Path(root), seed)
    block, stride = _grid(subject)
    around = min(AROUND_PX, int(subject.scan["halo_px"]))
    return crack_blocks.familiar(parts.train, parts.val, block, stride, around)


def _class(subject: Subject, logits: np.ndarray) -> int:
    """The class of a whole picture; a scanning model answers `defect` when any block is kept."""
    if subject.scan is None:
        return int(logits.reshape(-1, logits.shape[-1]).mean(axis=0).argmax())
    scan = subject.scan
    score = metrics.log_odds(logits, scan["defect"]) / scan["temperature"]
    return int(scan["defect"]) if (score >= scan["threshold"]).any() else 1 - int(scan["defect"])


def _pick(split: str, known: Sequence[str]) -> str:
    if split and split not in known:
        raise ValueError(f"unknown split {split!r}; known: {', '.join(known)}")
    return split or known[0]


def _neu_cls(subject: Subject, root: Path, split: str, seed: int, tick: Callable[[int, int], None]) -> dict:
    split = _pick(split, ("grouped", "random", "all"))
    data = neu_cls.load(root, neu_cls.Split("grouped" if split == "all" else split, seed, 0.0))
    index = data.indices("all" if split == "all" else "test")
    if subject.classes != neu_cls.CLASSES:
        raise ValueError(f"the model's classes ({', '.join(subject.classes)}) are not those of NEU-CLS")
    predicted = []
    for i in index:
        predicted.append(_class(subject, subject.run(subject.fit(data.images_NHW[i]))))
        tick(len(predicted), len(index))
    truth = data.labels_N[index]
    report = metrics.classification_report(truth, np.array(predicted, np.int64), subject.classes)
    wrong = np.flatnonzero(truth != np.array(predicted))
    report["errors"] = [{"image": data.names[index[i]], "predicted": subject.classes[predicted[i]]} for i in wrong]
    report["split"] = data.split if split != "all" else f"all {len(index)} pictures (training pictures among them)"
    return report


def _cifar10(subject: Subject, root: Path, split: str, seed: int, tick: Callable[[int, int], None]) -> dict:
    split = _pick(split, ("test", "train"))
    images, labels = cifar10.read_part(root, split)
    predicted = []
    for image in images:
        predicted.append(_class(subject, subject.run(image)))
        tick(len(predicted), len(images))
    report = metrics.classification_report(labels, np.array(predicted), subject.classes)
    return {**report, "split": f"official {split} part"}


def choose_threshold(
    subject: Subject, root: Path, keep: float, seed: int = 0, tick: Callable[[int, int], None] | None = None
) -> float:
    """The largest threshold that passes on the share `keep` of the length of the cracks in photographs with masks: the validation
    part of the folder that holds all block sets, or the test part of one set. Raises ValueError: other data, no crack in it."""
    pictures = _choosing(subject, root, seed)
    block, stride = _grid(subject)
    scores = _scores(subject, pictures, tick or (lambda done, total: None))
    return crack_blocks.passing_threshold(pictures, scores, block, stride, keep)


def check_apart(subject: Subject, choose_on: Path, data: Path, seed: int = 0) -> None:
    """Raises ValueError: pictures that choose a threshold are also among those that test it, so that a certificate would say
    too little."""
    kind = layout(data, subject.classes)
    tested = crack_blocks.load(data, seed, train=False).test if kind == "crack_blocks" else _of_set(data, "test")
    seen = {hashlib.sha256(picture.image_HW.tobytes()).digest() for picture in tested}
    both = [p for p in _choosing(subject, choose_on, seed) if hashlib.sha256(p.image_HW.tobytes()).digest() in seen]
    if both:
        raise ValueError(
            f"photographs that choose the threshold must not test it; {len(both)} pictures of {choose_on} are also in {data}: keep some "
            "photographs apart, in a folder of their own"
        )


def _choosing(subject: Subject, root: Path, seed: int) -> Sequence[crack_blocks.Picture]:
    """The pictures that a threshold is chosen on."""
    kind = layout(root, subject.classes)
    if kind not in ("crack_blocks", "blocks"):
        raise ValueError(f"a threshold is chosen on photographs with masks; {root} is {kind}")
    return crack_blocks.load(root, seed).val if kind == "crack_blocks" else _of_set(root, "test")


def _of_set(root: Path, part: str) -> Sequence[crack_blocks.Picture]:
    root = Path(root).resolve()
    return crack_blocks.masked_part(root.parent, root.name, part)


def _grid(subject: Subject) -> tuple[int, int]:
    if subject.scan is None or subject.classes != crack_blocks.CLASSES:
        raise ValueError("a block set needs a scanning model with the classes clean and crack")
    return int(subject.scan["block_px"]), int(subject.scan["block_stride_px"])


def _scores(
    subject: Subject, pictures: Sequence[crack_blocks.Picture], tick: Callable[[int, int], None]
) -> list[np.ndarray]:
    """Log-odds [Hb, Wb] of the whole blocks of each picture."""
    scan, (block, stride) = subject.scan or {}, _grid(subject)
    scores = []
    for picture in pictures:
        logits = subject.run(np.ascontiguousarray(picture.image_HW))
        score = metrics.log_odds(logits, scan["defect"]) / scan["temperature"]
        h, w = crack_blocks.block_labels(picture, picture.mask_HW, block, stride).shape
        scores.append(score[:h, :w])
        tick(len(scores), len(pictures))
    return scores


def _blocks(
    subject: Subject, pictures: Sequence[crack_blocks.Picture], text: str, tick: Callable[[int, int], None]
) -> dict:
    block, stride = _grid(subject)
    if not pictures:
        raise ValueError("the block set holds no picture")
    scan = subject.scan or {}
    scores = _scores(subject, pictures, tick)
    masked = [i for i, p in enumerate(pictures) if p.kind == "masked"]
    known = [pictures[i] for i in masked], [scores[i] for i in masked]
    value, truth = crack_blocks.known_blocks(*known, block, stride)
    report = metrics.classification_report(truth, (value >= 0).astype(np.int64), subject.classes)
    report["decision"] = "blocks of the pictures with masks, crack when score >= 0"
    report["auc"] = metrics.auc(value, truth)
    kept = (value >= scan["threshold"]).astype(np.int64)
    report["at_threshold"] = metrics.classification_report(truth, kept, subject.classes)
    report |= {"threshold": scan["threshold"], "temperature": scan["temperature"], "split": text}
    report["sources"] = crack_blocks.score_parts(pictures, scores, scan["threshold"], block, stride)
    report["certificate"] = crack_blocks.certificate(*known, scan["threshold"], block, stride, subject.second)
    return report


def _all_blocks(subject: Subject, root: Path, split: str, seed: int, tick: Callable[[int, int], None]) -> dict:
    _pick(split, ("test",))
    data = crack_blocks.load(root, seed, train=False)
    return _blocks(subject, data.test, "test parts, by photograph", tick)


def _one_block_set(subject: Subject, root: Path, split: str, seed: int, tick: Callable[[int, int], None]) -> dict:
    part = _pick(split, ("test", "train"))
    return _blocks(subject, _of_set(root, part), f"{part} part of {Path(root).resolve().name}", tick)


def _class_files(root: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    """The pictures that `aoienet train` would find in these class folders, and their labels."""
    found = [
        (path, k)
        for k, name in enumerate(classes)
        if (root / name).is_dir()
        for path in folders.visible_files(root / name)
    ]
    return [(path, label) for path, label in found if path.suffix.lower() in SUFFIXES]


def _folders(subject: Subject, root: Path, split: str, seed: int, tick: Callable[[int, int], None]) -> dict:
    """Pictures that cannot be read are left out and stand under `unreadable`."""
    _pick(split, ("all",))
    files = _class_files(root, subject.classes)
    if not files:
        raise ValueError(f"no picture ({', '.join(SUFFIXES)}) in the class folders of {root}")
    truth: list[int] = []
    predicted: list[int] = []
    unreadable: dict[str, str] = {}
    for count, (path, label) in enumerate(files, 1):
        try:
            image = subject.read(path)
        except Exception as error:  # Pillow raises many kinds on a broken file; one picture must not end the work
            unreadable[path.relative_to(root).as_posix()] = f"{type(error).__name__}: {error}"
        else:
            predicted.append(_class(subject, subject.run(image)))
            truth.append(label)
        tick(count, len(files))
    if not truth:
        raise ValueError(f"no picture in {root} can be read, the first is {next(iter(unreadable.items()))}")
    report = metrics.classification_report(np.array(truth), np.array(predicted), subject.classes)
    report["split"] = f"all {len(truth)} pictures of the class folders"
    others = [
        f.name for f in sorted(root.iterdir()) if f.is_dir() and f.name not in subject.classes and f.name[0] != "."
    ]
    report["other_folders"] = others
    return report | {"unreadable": unreadable}
