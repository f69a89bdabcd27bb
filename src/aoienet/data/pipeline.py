"""Work in threads, in order and bounded: results come as they were asked for, and never more than `ahead` wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")
Indices = Sequence[int] | np.ndarray


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int) -> Iterator[Result]:
    """work(item) for every item, in the order of the items; the first error comes where its result would come.

    At most `ahead` items are begun and not yet handed over, whatever the speed of the two sides; the items are drawn one by one.
    """
    if threads < 1 or ahead < 1:
        raise ValueError(f"threads and ahead are at least 1; received {threads} and {ahead}.")
    source = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="decoder") as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(work, item) for item in islice(source, ahead))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(source, 1))
        finally:
            for future in waiting:
                future.cancel()


@dataclass(frozen=True)
class Slot:
    """The place of one picture: `out` is its part of the batch's memory."""

    index: int
    out: np.ndarray
    batch: np.ndarray
    last: bool  # of its batch


def slots(plan: Iterable[Indices], shape: tuple[int, ...], dtype: type) -> Iterator[Slot]:
    """A slot per picture of the plan; the memory of a batch is made when its first slot is drawn."""
    for chosen in plan:
        batch: np.ndarray = np.empty((len(chosen), *shape), dtype)
        for place, index in enumerate(chosen):
            yield Slot(int(index), batch[place], batch, place == len(chosen) - 1)


def batches(
    make: Callable[[int], np.ndarray | None],
    plan: Iterable[Indices],
    shape: tuple[int, ...],
    dtype: type,
    threads: int,
    ahead: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For every list of indices: the array of make(index) of each and the indices; None leaves a picture out of its batch.

    Pictures are made across the borders of batches. Memory: at most (ahead / batch + 2) batches of the pipeline's own,
    rounded up, and what `make` holds in each of the threads; then the batches that the caller still holds.
    """

    def fill(slot: Slot) -> tuple[Slot, bool]:
        value = make(slot.index)
        if value is not None:
            slot.out[...] = value
        return slot, value is not None

    kept: list[bool] = []
    indices: list[int] = []
    for slot, made in in_order(fill, slots(plan, shape, dtype), threads, ahead):
        kept.append(made)
        indices.append(slot.index)
        if slot.last:
            index = np.array(indices)
            yield (slot.batch, index) if all(kept) else (slot.batch[kept], index[kept])
            kept, indices = [], []
