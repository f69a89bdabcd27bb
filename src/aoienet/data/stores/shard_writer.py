"""Make shards of class folders: numbered tars with an index each, in random order, every picture decoded once as a check."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from aoienet import files
from aoienet.data import photos
from aoienet.data.pipeline import in_order
from aoienet.data.stores import Store
from aoienet.data.stores.shards import CLASSES_FILE, Entry, write_index


@dataclass
class Written:
    """What was written; `broken` are the pictures that cannot be decoded and were left out, with the reason."""

    shards: int = 0
    pictures: int = 0
    bytes: int = 0
    broken: dict[str, str] = field(default_factory=dict)


def write(
    store: Store,
    out: Path,
    name: str,
    per_shard: int,
    seed: int = 0,
    threads: int = 1,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """OUT/NAME-0000.tar with its .index, and so on, and OUT/classes.txt. A shard appears when it is whole.

    Raises    ValueError: per_shard below 1; FileExistsError: there are shards of this name.
    """
    if per_shard < 1:
        raise ValueError(f"a shard holds at least 1 picture; received {per_shard}.")
    out.mkdir(parents=True, exist_ok=True)
    there = sorted(out.glob(f"{name}-*.tar"))
    if there:
        raise FileExistsError(f"{there[0]} exists; next: remove the old shards or take another --out or --name.")
    with files.atomic(out / CLASSES_FILE) as part:
        part.write_text("\n".join(store.classes) + "\n", encoding="utf-8")
    done = Written()
    samples = _samples(store, seed, threads, done, tick)
    digits = max(4, len(str(len(store) // per_shard)))
    while chosen := _take(samples, per_shard):
        path = out / f"{name}-{done.shards:0{digits}d}.tar"
        done.bytes += _write_shard(path, chosen)
        done.shards, done.pictures = done.shards + 1, done.pictures + len(chosen)
    return done


@dataclass(frozen=True)
class Sample:
    key: str
    suffix: str
    label: int
    content: bytes


def _take(samples: Iterator[Sample], count: int) -> list[Sample]:
    return [sample for _, sample in zip(range(count), samples, strict=False)]


def _samples(
    store: Store, seed: int, threads: int, done: Written, tick: Callable[[int, int], None]
) -> Iterator[Sample]:
    """The readable pictures in random order."""

    def read(i: int) -> bytes | str:
        try:
            content = store.read(i)
            photos.to_rgb(photos.open_picture(content))
        except Exception as error:  # Pillow raises many kinds on a broken file; one picture must not end the work
            return f"{type(error).__name__}: {error}"
        return content

    order = [int(i) for i in np.random.default_rng(seed).permutation(len(store))]
    keys: set[str] = set()
    contents = in_order(read, order, threads, 4 * threads)
    for count, (i, content) in enumerate(zip(order, contents, strict=True), 1):
        tick(count, len(order))
        if isinstance(content, str):
            done.broken[store.names[i]] = content
            continue
        stem, suffix = os.path.splitext(store.names[i])
        key = stem.replace(".", "_")  # a key ends at its first dot
        key = key if key not in keys else f"{key}_{i}"
        keys.add(key)
        yield Sample(key, suffix.lower(), int(store.label_N[i]), content)


def _write_shard(path: Path, samples: list[Sample]) -> int:
    """The tar, then its index; the number of its bytes. Equal samples give equal bytes."""
    entries = []
    with files.atomic(path) as part:
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
            for sample in samples:
                start = _add(tar, sample.key + sample.suffix, sample.content)
                _add(tar, sample.key + ".cls", str(sample.label).encode())
                entries.append(Entry(sample.key, sample.label, start, len(sample.content)))
        with files.atomic(path.with_suffix(".index")) as index:
            write_index(index, entries, part.stat().st_size)
    return path.stat().st_size


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Where its bytes begin."""
    member = tarfile.TarInfo(name)  # no date, no owner
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
    return tar.offset - -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
