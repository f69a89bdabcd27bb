"""Tasks done by the workers of a Dask cluster. They open the pictures themselves, so these must lie under the same path
on every machine; what travels is the plan, the task and the small result of a unit. What a lost worker was doing is done
again by another one. The outputs are written by this process."""

from __future__ import annotations

import pickle
import threading
from typing import Any

from aoienet.extras import install
from aoienet.scan.batch import Batch
from aoienet.scan.cascade import Stages
from aoienet.scan.work import Outcome, Plan, Task, Worker

PER_THREAD = 2  # tasks on their way for each thread of the cluster
POLL_S = 0.5


class ClusterError(ValueError):
    """A cluster that cannot be reached or used."""


def run_on_cluster(batch: Batch, stages: Stages, address: str) -> None:
    """Do all units on the cluster and finish the pictures here.

    Raises   ClusterError: no Dask, no scheduler at the address, no worker.
    """
    client = _client(address)
    here = Worker(batch.plan, 1, stages)
    plan = pickle.dumps(batch.plan)
    flight: dict[Any, Task] = {}
    try:
        while True:
            room = PER_THREAD * max(1, sum(client.nthreads().values())) - len(flight)
            while room > 0 and (task := batch.next(None)) is not None:
                if task.unit is None:
                    batch.done(task, here.do(task))
                else:
                    flight[client.submit(_do, plan, task, pure=False, retries=2)] = task
                    room -= 1
            if not flight and batch.ended:
                return
            for future in _some_done(flight):
                batch.done(flight.pop(future), _outcome(future))
                future.release()
    finally:
        client.cancel(list(flight))
        client.close()


def _outcome(future: Any) -> Outcome:
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        raise ClusterError(f"a unit ended every worker that tried it, usually for lack of memory: {error}") from None


def _some_done(flight: dict[Any, Task]) -> list[Any]:
    from distributed import TimeoutError, wait

    if not flight:
        return []
    try:
        return list(wait(list(flight), timeout=POLL_S, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        return []


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(f"--dask needs Dask, which is not installed; {install('dask')}") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise ClusterError(f"no Dask scheduler answers at {address}: {error}; start one with: dask scheduler") from None
    if not client.nthreads():
        client.close()
        raise ClusterError(f"the Dask scheduler at {address} has no worker; start some with: dask worker {address}")
    return client


_held: dict[tuple[bytes, int], Worker] = {}  # by plan and thread
_lock = threading.Lock()  # threads of a worker process begin at the same moment


def _do(plan: bytes, task: Task) -> Outcome:
    """On the worker: the models stay open as long as the plan is the same. A thread has a Worker of its own."""
    mine = plan, threading.get_ident()
    with _lock:
        for old in [key for key in _held if key[0] != plan]:
            del _held[old]
        if mine not in _held:
            made: Plan = pickle.loads(plan)
            _held[mine] = Worker(made, 1)
        worker = _held[mine]
    return worker.do(task)
