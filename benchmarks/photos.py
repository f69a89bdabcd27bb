"""Pictures per second and memory of the ImageNet reader, for class folders and for tar shards, by the number of threads.

    python benchmarks/photos.py DATA --side 224 --threads 1 2 4

DATA holds train/ with class folders; shards are made of it in a temporary folder. Every line is a process of its own: it reads,
crops, mirrors and lights `--pictures` pictures in batches, as train/tasks/imagenet.py does, and throws them away. Memory is what
the process adds to its resident size from the first batch on, and the bound that the docstring of `_batches` states: 4 batches, and
per thread a decoded picture and its copy; the allocator keeps some of what was freed on top. Rates are of the clock, `cpu ms` is what a picture costs all threads together; the files are
in the system's cache after the first line.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from aoienet.data import photos, pipeline
from aoienet.data.stores import open_store, shard_writer
from aoienet.data.stores.class_folders import open_folders

KIB_PER_MIB = 1024
BATCHES = 4


def view(store, side: int, i: int) -> np.ndarray:
    return photos.random_view(np.random.default_rng([0, 0, i]), store.read(i), side)


def measure(root: Path, part: str, side: int, batch: int, pictures: int, threads: int) -> dict:
    """In a fresh process."""
    store = open_store(root, part)
    order = np.resize(store.order(0, 0), pictures)
    plan = [order[i : i + batch] for i in range(0, pictures, batch)]
    view(store, side, 0)  # codecs are loaded
    before, began, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter(), time.process_time()
    source = pipeline.batches(
        partial(view, store, side), plan, (side, side, 3), np.uint8, threads, max(batch, 2 * threads)
    )
    seen = sum(len(images) for images, _ in source)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / KIB_PER_MIB
    return {"per_second": seen / seconds, "cpu_ms": 1e3 * cpu / seen, "added_mib": added}


def bound_mib(root: Path, side: int, batch: int, threads: int) -> float:
    """Four batches, and in every thread the largest picture twice."""
    store = open_store(root, "train")
    sizes = (photos.open_picture(store.read(i)).size for i in range(min(len(store), 2000)))
    largest = max(w * h for w, h in sizes)
    return 3 * (BATCHES * batch * side * side + 2 * threads * largest) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3, help="the median of the rates, the largest memory")
    parser.add_argument("--json", action="store_true", help="one object per line")
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        shard_writer.write(open_folders(args.data / "train"), Path(folder) / "train", "train", 100)
        if not args.json:
            print(
                f"{'store':8} {'threads':>7} {'pictures/s':>10} {'least':>7} {'most':>7} {'cpu ms':>7} {'added MiB':>10} {'bound MiB':>10}"
            )
        for threads in args.threads:
            for name, root in (("folders", args.data), ("shards", Path(folder))):
                words = (root, "train", args.side, args.batch, args.pictures, threads)
                rows = []
                for _ in range(args.rounds):
                    with context.Pool(1) as pool:
                        rows.append(pool.apply(measure, words))
                show(name, threads, rows, bound_mib(args.data, args.side, args.batch, threads), args.json)


def show(name: str, threads: int, rows: list[dict], bound: float, as_json: bool) -> None:
    rates = sorted(row["per_second"] for row in rows)
    added = max(row["added_mib"] for row in rows)
    cpu = sorted(row["cpu_ms"] for row in rows)[len(rows) // 2]
    if as_json:
        print(
            json.dumps(
                {
                    "store": name,
                    "threads": threads,
                    "rates": rates,
                    "cpu_ms": cpu,
                    "added_mib": added,
                    "bound_mib": bound,
                }
            )
        )
        return
    middle = rates[len(rates) // 2]
    print(
        f"{name:8} {threads:7d} {middle:10.0f} {rates[0]:7.0f} {rates[-1]:7.0f} {cpu:7.2f} {added:10.1f} {bound:10.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
