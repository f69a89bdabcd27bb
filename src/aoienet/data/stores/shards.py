"""Numbered tars of pictures, as webdataset writes them: NAME.jpg and NAME.cls (the number of the class) for every picture.

A shard is a plain tar, so that a picture is read by its offset. Beside SHARD.tar may lie SHARD.index (written with the shard):
then the tar is not walked through. `classes.txt` beside the shards names the classes, one a line; without it they are numbers.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from aoienet.data.stores import SUFFIXES, Store, check_classes

CLASSES_FILE = "classes.txt"
INDEX_WORD = "aoienet-shard-index-1"
BLOCK = 512  # bytes of a tar's header


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a picture lies in its shard: offset and length in bytes."""

    key: str
    label: int
    offset: int
    size: int


def expand(pattern: str) -> list[str]:
    """train-{0008..0010}.tar -> train-0008.tar, train-0009.tar, train-0010.tar; a name without braces is itself."""
    found = re.fullmatch(r"([^{}]*)\{(\d+)\.\.(\d+)\}([^{}]*)", pattern)
    if found is None:
        if "{" in pattern or "}" in pattern:
            raise ValueError(f"a pattern of shards has one range of numbers, name-{{0000..0009}}.tar; got {pattern!r}")
        return [pattern]
    before, first, last, after = found.groups()
    if int(last) < int(first):
        raise ValueError(f"the range of a pattern rises; got {first}..{last} in {pattern!r}")
    return [f"{before}{i:0{len(first)}d}{after}" for i in range(int(first), int(last) + 1)]


def open_shards(base: Path, names: Sequence[str], broken_shards: bool = False) -> Store:
    """All pictures of the shards, in the order of the shards and within them. Raises as stores.open_store."""
    base = Path(base)
    keys: list[str] = []
    columns: list[np.ndarray] = []  # of a million pictures: three numbers each, no objects
    broken: dict[str, str] = {}
    for name in names:
        path = base / name
        entries, wrong = read_index(path)
        if wrong and not broken_shards:
            raise ValueError(
                f"{wrong}; next: fetch or write the shard again, or use what is whole with -o data.most_broken=N."
            )
        if wrong:
            broken[name] = wrong
        keys += [f"{path.name}/{entry.key}" for entry in entries]
        columns.append(np.array([(e.label, e.offset, e.size) for e in entries], np.int64).reshape(-1, 3))
    label_N, offset_N, size_N = np.concatenate(columns).T
    counts = tuple(map(len, columns))
    shard_N = np.repeat(np.arange(len(counts)), counts)
    classes = _classes((base / names[0]).parent, label_N)
    check_classes(base, classes, label_N)

    def read(i: int) -> bytes:
        with (base / names[shard_N[i]]).open("rb") as file:
            file.seek(offset_N[i])
            content = file.read(size_N[i])
        if len(content) != size_N[i]:
            raise ValueError(f"{size_N[i]:,} bytes at {offset_N[i]:,} were expected, {len(content):,} are there")
        return content

    return Store(base, classes, keys, label_N, size_N, read, counts, broken)


def _classes(folder: Path, label_N: np.ndarray) -> tuple[str, ...]:
    if not len(label_N):
        raise ValueError(f"the shards in {folder} hold no picture; next: write them again.")
    path = folder / CLASSES_FILE
    if not path.is_file():
        return tuple(str(i) for i in range(int(label_N.max()) + 1))
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    classes = tuple(line for line in lines if line)
    if label_N.max() >= len(classes):
        raise ValueError(f"{path} names {len(classes)} classes; a shard has the class {label_N.max()}.")
    return classes


def read_index(path: Path) -> tuple[list[Entry], str]:
    """The pictures of a shard, and "" or how it is cut short: the index file where it fits the tar, the tar itself otherwise."""
    if not path.is_file():
        raise FileNotFoundError(f"the shard {path} is missing; the pattern or the folder names shards that all exist.")
    index = path.with_suffix(".index")
    if index.is_file():
        first, *lines = index.read_text(encoding="utf-8").splitlines()
        if first != f"{INDEX_WORD} {path.stat().st_size}":
            raise ValueError(
                f"{index} is not the index of {path.name} ({path.stat().st_size:,} bytes); its first line is {first!r}; "
                "next: remove the index or fetch the tar again."
            )
        return [_entry(line) for line in lines], ""
    return walk(path)


def _entry(line: str) -> Entry:
    offset, size, label, key = line.split(" ", 3)
    return Entry(key, int(label), int(offset), int(size))


def write_index(path: Path, entries: Sequence[Entry], tar_bytes: int) -> None:
    """SHARD.index: its first line holds the length of the tar that it belongs to."""
    lines = [f"{INDEX_WORD} {tar_bytes}"] + [f"{e.offset} {e.size} {e.label} {e.key}" for e in entries]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def walk(path: Path) -> tuple[list[Entry], str]:
    """The whole pictures of a tar, and "" or how it is cut short. Raises ValueError: no plain tar, a picture without a class."""
    pictures: dict[str, tuple[int, int]] = {}
    labels: dict[str, int] = {}
    length = path.stat().st_size
    with path.open("rb") as file:
        members = _members(path, file)
        wrong = ""
        for name, offset, size in members:
            if offset + size > length:
                wrong = f"{path} is cut short: {name} ends at byte {offset + size:,}, the file at {length:,}"
                break
            key, dot, suffix = _split(name)
            if dot + suffix in SUFFIXES:
                if key in pictures:
                    raise ValueError(f"{path}: the picture {key} is there twice; one of them needs another name.")
                pictures[key] = offset, size
            elif suffix == "cls":
                labels[key] = _label(path, name, file, offset, size)
        else:
            wrong = _end(path, file)
    if not wrong:
        _check_pairs(path, pictures, labels)
    return [Entry(key, labels[key], *place) for key, place in pictures.items() if key in labels], wrong


def _members(path: Path, file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """(name, offset, length) of the plain files; afterwards `file` stands where the next header would be."""
    try:
        tar = tarfile.open(fileobj=file, mode="r:")  # it holds nothing but `file`
    except tarfile.ReadError as error:
        raise ValueError(f"a shard is a tar without compression; {path} is not: {error}.") from error
    try:
        while (member := tar.next()) is not None:
            if member.isreg():
                yield member.name, member.offset_data, member.size
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep a million of them
        file.seek(tar.offset)
    except tarfile.ReadError:  # within the padding of a file or the headers of a long name
        file.seek(0, os.SEEK_END)


def _end(path: Path, file: BinaryIO) -> str:
    """A whole tar ends with zeros, a block or more; what comes after them would be passed over in silence."""
    at = file.tell()
    block = file.read(BLOCK)
    if block == bytes(BLOCK):
        while rest := file.read(1 << 20):
            if rest.count(0) < len(rest):
                return f"{path} is damaged: there is data behind the end mark at byte {at:,}"
        return "" if at else f"{path} is damaged: {file.tell():,} bytes of zeros and no picture"
    return (
        f"{path} is cut short: no end mark at byte {at:,}"
        if len(block) < BLOCK
        else f"{path} is damaged at byte {at:,}"
    )


def _split(name: str) -> tuple[str, str, str]:
    """A member's key is all before the first dot of its last word, as webdataset has it."""
    folder, slash, word = name.removeprefix("./").rpartition("/")
    key, dot, suffix = word.partition(".")
    return (folder + slash + key if key else ""), dot, suffix.lower()


def _label(path: Path, name: str, file: BinaryIO, offset: int, size: int) -> int:
    at = file.tell()
    file.seek(offset)
    content = file.read(min(size, 32))
    file.seek(at)
    text = content.decode("ascii", "replace").strip()
    if not text.isdecimal():
        raise ValueError(f"{path}: a .cls holds the number of a class, 0 or more; {name} holds {text!r}.")
    return int(text)


def _check_pairs(path: Path, pictures: dict, labels: dict) -> None:
    alone = [f"{key} has no .cls" for key in pictures if key not in labels]
    alone += [f"{key} has no picture ({', '.join(SUFFIXES)})" for key in labels if key not in pictures]
    if alone:
        more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
        raise ValueError(f"{path}: a sample is NAME.jpg and NAME.cls; {'; '.join(alone[:3])}{more}.")
