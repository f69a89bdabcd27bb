"""One folder per class, as ImageNet is unpacked: PART/<wnid>/*.JPEG. Classes are the names of the folders, sorted."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from aoienet.data.stores import SUFFIXES, Store, check_classes


def open_folders(base: Path) -> Store:
    """The pictures in the order of their names; what begins with "." is passed over, and so are other files."""
    if not base.is_dir():
        raise FileNotFoundError(f"{base} is not a folder; one with a folder of pictures per class is wanted.")
    classes = tuple(sorted(f.name for f in os.scandir(base) if f.is_dir() and not f.name.startswith(".")))
    if not classes:
        raise ValueError(_no_classes(base))
    names: list[str] = []
    labels: list[int] = []
    sizes: list[int] = []
    for label, name in enumerate(classes):
        for path, size in _pictures(base / name):
            names.append(f"{name}/{path}")
            labels.append(label)
            sizes.append(size)
    label_N = np.array(labels, np.int64)
    check_classes(base, classes, label_N)

    def read(i: int) -> bytes:
        return (base / names[i]).read_bytes()

    return Store(base, classes, names, label_N, np.array(sizes, np.int64), read, (len(names),), {})


def _pictures(folder: Path) -> list[tuple[str, int]]:
    """(name, bytes) of the pictures directly in a folder, sorted."""
    files = (f for f in os.scandir(folder) if f.name.lower().endswith(SUFFIXES) and not f.name.startswith("."))
    return sorted((f.name, f.stat().st_size) for f in files if f.is_file())


def _no_classes(base: Path) -> str:
    flat = next((f.name for f in os.scandir(base) if f.name.lower().endswith(SUFFIXES)), None)
    if flat is None:
        return f"{base} has neither class folders nor shards (*.tar); next: put the pictures into {base}/<class>/."
    return (
        f"{base} holds pictures ({flat}, ...) and no class folders; the validation pictures of ImageNet come so: "
        f"next: move each into {base}/<wnid>/, by the list of its labels."
    )
