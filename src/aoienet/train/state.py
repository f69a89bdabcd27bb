"""A training and its position: what a checkpoint holds, and how it returns bit by bit."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from aoienet.train import runs
from aoienet.train.recipes import Recipe
from aoienet.train.tasks import Task


@dataclass
class Sums:
    """What a row of the metrics is made of, summed over the steps of an epoch."""

    loss: float = 0.0
    samples: int = 0
    right: int = 0
    counted: int = 0
    lr: float = 0.0
    seconds: float = 0.0


@dataclass
class Run:
    """A training and its position: `steps` are done in the epoch after `history`.

    about         what recipe.json states
    model_kwargs  with them the network is built again
    begun         the network knows the progress of this epoch and has renewed its state for it (set_progress)
    saved         epoch and steps of the last checkpoint, None before the first
    saved_at      when that was; counted_to: up to when sums.seconds is counted; both time.monotonic()
    """

    recipe: Recipe
    task: Task
    net: torch.nn.Module
    optimiser: torch.optim.Optimizer
    out: Path
    model_kwargs: dict
    about: dict = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)
    begun: bool = False
    steps: int = 0
    sums: Sums = field(default_factory=Sums)
    saved: tuple[int, int] | None = None
    saved_at: float = field(default_factory=time.monotonic)
    counted_to: float = field(default_factory=time.monotonic)

    @property
    def epoch(self) -> int:
        """From 0; the number of whole epochs."""
        return len(self.history)

    def count_seconds(self) -> None:
        """Bring sums.seconds up to now."""
        now = time.monotonic()
        self.sums.seconds, self.counted_to = self.sums.seconds + now - self.counted_to, now


def save(run: Run) -> None:
    """A checkpoint of this position; draws no random numbers."""
    run.count_seconds()
    document = {
        "recipe": run.about["recipe"],
        "model_name": run.recipe.model,
        "model_kwargs": run.model_kwargs,
        "state": run.net.state_dict(),
        "epoch": run.epoch,
        "begun": run.begun,
        "steps": run.steps,
        "sums": asdict(run.sums),
        "optimiser": run.optimiser.state_dict(),
        "random": runs.random_states(),
        "history": run.history,
        "data_hash": run.task.data_hash,
        "environment": run.about["environment"],
    }
    runs.save_checkpoint(run.out, document)
    run.saved, run.saved_at = (run.epoch, run.steps), time.monotonic()


def restore(run: Run, saved: dict) -> None:
    """Put everything back as it was at the checkpoint. Raises ValueError: another recipe, other data, another network."""
    missing = [key for key in ("optimiser", "history", "data_hash") if key not in saved]
    if missing:
        raise ValueError(
            f"--resume: {run.out / 'checkpoint.pt'} lacks {', '.join(missing)}; train again into another --out"
        )
    before, now = (runs.recipe_dict(r) for r in (runs.recipe_from(saved["recipe"]), run.recipe))
    changed = [k for k in now if before[k] != now[k]]
    if changed:
        how = "; ".join(f"{k}: {before[k]} before, {now[k]} now" for k in changed)
        advice = "the run would not be the same; give the same recipe or another --out"
        raise ValueError(f"--resume with another recipe: {', '.join(changed)} differ ({how}): {advice}")
    if saved["data_hash"] != run.task.data_hash:
        raise ValueError("--resume with other data: the hash of the pictures or the split differs; use another --out")
    run.history, run.steps, run.begun = list(saved["history"]), saved.get("steps", 0), saved.get("begun", False)
    run.sums = Sums(**saved.get("sums", {}))
    if run.begun:
        tell_progress(run)  # before the state: what it renews is restored as it was, not renewed twice
    runs.load_weights(run.net, saved["state"], run.out / "checkpoint.pt")
    run.optimiser.load_state_dict(saved["optimiser"])
    runs.restore_random(saved["random"])
    run.saved = (run.epoch, run.steps)


def other_roundings(saved: dict, now: dict) -> list[str]:
    """What differs from the machine of the checkpoint and may change last bits; empty where the sums are the same."""
    before = saved.get("environment", now)
    keys = ("torch", "machine", "threads")
    return [f"{k} was {before[k]} and is {now[k]}: last bits may differ" for k in keys if before[k] != now[k]]


def tell_progress(run: Run) -> None:
    """Annealed surrogates, and the state that a quantizer renews before every epoch."""
    set_progress = getattr(run.net, "set_progress", lambda fraction: None)
    set_progress(run.epoch / max(1, run.recipe.epochs - 1))


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block: what changes together is saved together."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt
