"""The same training with several seeds, some at a time, each in a process and a run folder of its own.

Small networks leave most of a GPU idle: several trainings share it, and each of them ends as it would alone. Nothing here imports
PyTorch.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from aoienet.train.recipes import Recipe, recipe_from, same_recipe

LOOK_S = 0.2  # between two looks at the processes


@dataclass
class Launcher:
    """words: what follows `python -m aoienet train`, without seed and run folder. The folders are OUT/seed-N, the logs beside."""

    words: Sequence[str]
    out: Path
    at_once: int
    say: Callable[[str], None]
    program: Sequence[str] = (sys.executable, "-m", "aoienet", "train")
    running: dict[int, tuple[subprocess.Popen, IO[bytes]]] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)

    def folder(self, seed: int) -> Path:
        return self.out / f"seed-{seed}"

    def log(self, seed: int) -> Path:
        return self.out / f"seed-{seed}.log"

    def run(self, seeds: Sequence[int]) -> None:
        """Until all are done or failed. Finished ones are left as they are, begun ones go on. Ctrl-C is passed on and waited for."""
        self.out.mkdir(parents=True, exist_ok=True)
        waiting = [s for s in seeds if not (self.folder(s) / "result.json").is_file()]
        try:
            while waiting or self.running:
                while waiting and len(self.running) < self.at_once:
                    self.start(waiting.pop(0))
                time.sleep(LOOK_S)
                self.look()
        except KeyboardInterrupt:
            self.stop()
            raise

    def start(self, seed: int) -> None:
        command = [*self.program, *self.words, "--seed", str(seed), "--out", str(self.folder(seed))]
        if (self.folder(seed) / "checkpoint.pt").is_file():
            command.append("--resume")
        log = self.log(seed).open("ab")
        # a session of its own, so that Ctrl-C reaches it once, from `stop`
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self.running[seed] = process, log
        self.say(f"seed {seed}: {'goes on' if command[-1] == '--resume' else 'begins'}, log {self.log(seed)}")

    def look(self) -> None:
        """Take away those that have ended."""
        for seed, (process, log) in list(self.running.items()):
            if process.poll() is None:
                continue
            del self.running[seed]
            log.close()
            if process.returncode:
                self.failed[seed] = self.last_words(seed, process.returncode)
            self.say(f"seed {seed}: {self.failed.get(seed, 'done')}")

    def last_words(self, seed: int, code: int) -> str:
        lines = self.log(seed).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        errors = [line for line in lines if line.startswith("error:")]
        said = (errors or lines or ["it said nothing"])[-1]
        return f"failed with exit code {code}: {said}"

    def stop(self) -> None:
        """Each saves and leaves. SIGTERM: what a script's background job starts ignores Ctrl-C."""
        for process, _ in self.running.values():
            process.terminate()
        for process, log in self.running.values():
            process.wait()
            log.close()


def stored_run(recipe: Recipe, out: Path) -> dict | None:
    """What a run of this recipe says of itself: result.json when it is finished, recipe.json when it has a checkpoint to go on from;
    None when there is neither. Raises ValueError: the run is another one."""
    path = out / "result.json"
    if not path.is_file():
        path = out / "recipe.json"
        if not path.is_file() or not (out / "checkpoint.pt").is_file():
            return None
    said = json.loads(path.read_text(encoding="utf-8"))
    stored = recipe_from(said["recipe"])
    try:
        same_recipe(stored, recipe if recipe.classes else replace(recipe, classes=stored.classes))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return dict(said)


def stored_result(recipe: Recipe, out: Path) -> dict | None:
    """The result of a finished run of this recipe; None when it is not finished. Raises as stored_run."""
    return stored_run(recipe, out) if (out / "result.json").is_file() else None


def values(out: Path, seeds: Sequence[int], measure: str) -> dict[int, float]:
    """That number of each finished run's result.json; its key may be dotted. Raises ValueError: no such number."""
    found = {}
    for seed in seeds:
        path = out / f"seed-{seed}" / "result.json"
        if not path.is_file():
            continue
        value = json.loads(path.read_text(encoding="utf-8"))
        for key in measure.split("."):
            if not isinstance(value, dict) or key not in value:
                raise ValueError(
                    f"{path} has no {measure!r}; --measure names a number of it, such as accuracy or top5.value"
                )
            value = value[key]
        found[seed] = float(value)
    return found


def summary(found: dict[int, float]) -> dict:
    """n, mean, standard deviation of the sample (None for one run), least, most."""
    numbers = list(found.values())
    if not numbers:
        return {"n": 0, "mean": None, "sd": None, "least": None, "most": None}
    sd = statistics.stdev(numbers) if len(numbers) > 1 else None
    return {"n": len(numbers), "mean": statistics.fmean(numbers), "sd": sd, "least": min(numbers), "most": max(numbers)}
