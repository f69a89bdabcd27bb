"""Several processes that train one network: who is who, sums over all, the first one's word.

Started by torchrun (or by anything else that sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT). A process that
was started alone is the first of one, and all functions return at once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

WAIT = timedelta(minutes=30)  # for the slowest process; a large folder on a slow disk takes minutes to list
Result = TypeVar("Result")


class StoppedElsewhereError(RuntimeError):
    """Another process says what is wrong."""


@contextmanager
def joined(device: str) -> Iterator[None]:
    """The processes know each other within. With device "cuda" each sees one GPU, that of its local rank.

    Collectives of CPU tensors go through gloo, those of CUDA tensors through nccl.
    Raises    ValueError: more processes on this machine than it has GPUs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if device.startswith("cuda"):
        os.environ["CUDA_VISIBLE_DEVICES"] = own_gpu(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo", timeout=WAIT)
    before = signal.getsignal(signal.SIGINT)
    if number() > 0:  # Ctrl-C reaches all of them: the first ends its step, saves and leaves; that ends the others
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        distributed.destroy_process_group()


def own_gpu(local: int) -> str:
    """The GPU of this process among those that it may see: its only one, or that of its number on this machine."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    seen = [str(i) for i in range(torch.cuda.device_count())] if given is None else [g for g in given.split(",") if g]
    if len(seen) == 1:
        return seen[0]
    if local >= len(seen):
        raise ValueError(
            f"every process has a GPU of its own; process {local} of this machine (from 0) finds {len(seen)}; "
            "next: torchrun --nproc-per-node with the number of GPUs, or -o device=cpu"
        )
    return seen[local]


def world() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def number() -> int:
    """This one's, from 0."""
    return distributed.get_rank() if world() > 1 else 0


def first() -> bool:
    """The one that writes and speaks."""
    return number() == 0


def total(values: Sequence[float]) -> list[float]:
    """The sum over all processes of each value, in double precision."""
    if world() == 1:
        return list(values)
    sums = torch.tensor(values, dtype=torch.float64)
    distributed.all_reduce(sums)
    return sums.tolist()


def gather(value: Any) -> list[Any]:
    """The values of all processes, by number; any value that pickle takes."""
    if world() == 1:
        return [value]
    values: list[Any] = [None] * world()
    distributed.all_gather_object(values, value)
    return values


def from_first(work: Callable[[], Result]) -> Result:
    """What the first process returns, done there only. Where it raises, the others raise StoppedElsewhereError."""
    if world() == 1:
        return work()
    said: list[Any] = [None, ""]
    failure: BaseException | None = None
    if first():
        try:
            said = [work(), ""]
        except Exception as error:
            said, failure = [None, f"{type(error).__name__}: {error}"], error
    distributed.broadcast_object_list(said, src=0)
    if failure is not None:
        raise failure
    if said[1]:
        raise StoppedElsewhereError(said[1])
    return said[0]


def share(count: int) -> slice:
    """This process's part of a joint batch of `count`: parts follow each other and differ by one at most. A batch of fewer
    than there are processes is everybody's: the mean over it stays what it is."""
    n, k = world(), number()
    return slice(count * k // n, count * (k + 1) // n) if count >= n else slice(0, count)


def part_of(batch: tuple[Any, Any]) -> tuple[Any, Any]:
    """This process's part of pictures and labels."""
    if world() == 1:
        return batch
    own = share(len(batch[0]))
    return batch[0][own], batch[1][own]


def weight(own: int, all_of_them: float) -> float:
    """Of this process's mean loss, so that the mean over the processes, which DistributedDataParallel takes of the gradients, is
    that over the pictures."""
    return own * world() / all_of_them


def joint(net: torch.nn.Module, unused: bool) -> torch.nn.Module:
    """The network with gradients that are joined in the backward. unused: some parameters have none at times."""
    if world() == 1:
        return net
    return DistributedDataParallel(net, find_unused_parameters=unused)


def seed(*numbers: int) -> None:
    """Random numbers of its own for every process, from these numbers alone, so that no state of them need be kept."""
    if world() > 1:
        torch.manual_seed(int(np.random.SeedSequence([*numbers, number()]).generate_state(1)[0]))


def same_buffers(net: torch.nn.Module) -> None:
    """The first one's batch norm statistics, for all."""
    if world() > 1:
        for buffer in net.buffers():
            distributed.broadcast(buffer, src=0)


def mean_buffers(net: torch.nn.Module) -> None:
    """The mean of the batch norm statistics that every process counted."""
    if world() > 1:
        for buffer in net.buffers():
            if buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer.div_(world())


def check_same(what: str, value: str) -> None:
    """Raises ValueError where the processes differ."""
    values = gather(value)
    if len(set(values)) > 1:
        other = next(i for i, v in enumerate(values) if v != values[0])
        raise ValueError(
            f"{what} is the same in all processes; it is {values[0]} in the first and {values[other]} in process {other}; "
            "next: bring the same files to every machine"
        )


def check_batch(batch: int) -> None:
    """Raises ValueError where the joint batch does not divide by the processes."""
    if batch % world():
        n = world()
        raise ValueError(
            f"batch is the joint batch of all processes and divides by their number; received batch={batch}, {n} processes; "
            f"next: -o batch={max(1, round(batch / n)) * n} changes the training, another number of processes does not"
        )
