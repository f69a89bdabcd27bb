"""Tasks done on this machine: in this process, or in `processes` others that share nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from aoienet.scan.batch import Batch
from aoienet.scan.cascade import Stages
from aoienet.scan.work import Outcome, Plan, Task, Worker

POLL_S = 0.1


class LostWorkerError(RuntimeError):
    """A worker process ended by itself."""


def run_here(batch: Batch, stages: Stages, threads: int = 1) -> None:
    """Do all tasks in this process."""
    worker = Worker(batch.plan, threads, stages)
    last: Task | None = None
    try:
        while True:
            task = batch.next(last)
            if task is not None:
                batch.done(task, worker.do(task))
                last = task
            elif batch.ended:
                return
            else:
                time.sleep(POLL_S)
    finally:
        worker.close()


def run_processes(batch: Batch, processes: int, threads: int = 1) -> None:
    """Do all tasks in other processes, each one at a time; one process walks down a picture as long as it can.

    Raises   LostWorkerError: a process ended by itself, usually for lack of memory.
    """
    context = multiprocessing.get_context("spawn")
    pools = [
        ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(batch.plan, threads))
        for _ in range(processes)
    ]
    last: list[Task | None] = [None] * processes
    busy: dict[Future[Outcome], tuple[int, Task]] = {}
    try:
        while True:
            idle = set(range(processes)) - {k for k, _ in busy.values()}
            for k in sorted(idle):
                task = batch.next(last[k])
                if task is None:
                    break
                busy[pools[k].submit(_do, task)] = k, task
                last[k] = task
            if not busy:
                if batch.ended:
                    return
                time.sleep(POLL_S)
            for future in wait(busy, POLL_S, FIRST_COMPLETED).done:
                _, task = busy.pop(future)
                batch.done(task, future.result())
    except BrokenProcessPool:
        raise LostWorkerError(
            "a worker process ended by itself, usually for lack of memory: use fewer --jobs"
        ) from None
    finally:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list((getattr(pool, "_processes", None) or {}).values()):
                process.terminate()
        for pool in pools:
            pool.shutdown(wait=True)


_worker: Worker


def _begin(plan: Plan, threads: int) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that hands out the tasks decides what Ctrl-C means
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _worker = Worker(plan, threads)


def _end_with_the_parent() -> None:
    """A worker whose parent was killed would wait for a task without end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(task: Task) -> Outcome:
    return _worker.do(task)
