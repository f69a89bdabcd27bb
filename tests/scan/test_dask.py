"""A Dask cluster does the units: one of its workers is killed in mid-run, the bytes are those of a local run."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.scan import toy_cascade as toy

pytest.importorskip("distributed", reason='Dask is missing: pip install ".[dask]"')
ROOT = Path(__file__).resolve().parents[2]


class Cluster:
    """A scheduler and two workers of one thread, each a process of its own."""

    def __init__(self, folder: Path):
        self._folder, self.processes = folder, []
        log = self._start(
            "scheduler", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"
        )
        self.address = self._wait_for(log, r"Scheduler at:\s+(tcp://\S+)")
        for k in (1, 2):
            words = (
                self.address,
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--local-directory",
                str(folder / f"w{k}"),
            )
            log = self._start(f"worker{k}", "distributed.cli.dask_worker", *words)
            self._wait_for(log, r"Registered to:\s+(\S+)")

    def _start(self, name: str, module: str, *words: str) -> Path:
        log = self._folder / f"{name}.log"
        with open(log, "w") as out:
            command = [sys.executable, "-m", module, *words]
            self.processes.append(subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT))
        return log

    def _wait_for(self, log: Path, pattern: str) -> str:
        for _ in range(1200):
            found = re.search(pattern, log.read_text())
            if found:
                return found[1]
            assert self.processes[-1].poll() is None, log.read_text()
            time.sleep(0.1)
        raise AssertionError(f"nothing like {pattern} in\n{log.read_text()}")

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
def test_a_killed_worker_s_units_run_again_and_the_bytes_are_those_of_a_local_run(cluster, tmp_path):
    paths = [toy.write(tmp_path / f"{name}.tif", 2600, 400, seed=k) for k, name in enumerate("ab")]
    toy.run(tmp_path / "here", paths)
    seen = []

    def watch(batch, task, outcome):
        seen.append(task.unit)
        if len(seen) == 2:
            cluster.processes[1].send_signal(signal.SIGKILL)

    results = toy.run(tmp_path / "there", paths, dask=cluster.address, watch=watch)
    assert cluster.processes[1].wait() == -signal.SIGKILL and all(r["cracks"] > 1 for r in results)
    assert len(seen) == 12 and toy.tree(tmp_path / "there") == toy.tree(tmp_path / "here")


def test_no_scheduler_is_one_clear_error(tmp_path):
    from aoienet.scan.run.dask import ClusterError

    with pytest.raises(ClusterError, match="dask scheduler"):
        toy.run(tmp_path / "o", [toy.write(tmp_path / "a.tif", 200, 200)], dask="tcp://127.0.0.1:9")
