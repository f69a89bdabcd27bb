"""A training and its position: what a checkpoint holds, and how it returns bit by bit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from aoienet.nn.conv import BinaryConv2d
from aoienet.train import ranks, runs, watch
from aoienet.train.distill import Teacher
from aoienet.train.finish import Average
from aoienet.train.recipes import Recipe, recipe_from, same_recipe
from aoienet.train.schedule import make_optimiser, phase_at
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

    forward       the network, compiled or not
    about         what recipe.json states
    average       of the parameters, from the first step with binary weights on
    bits          signs of the binary weights at the beginning of this epoch (watch.weight_bits)
    begun         the network knows the progress of this epoch and has renewed its state for it (begin_epoch)
    finished      what the recipe has for the end is done
    saved         epoch and steps of the last checkpoint, None before the first
    saved_at      when that was; counted_to: up to when sums.seconds is counted; drawn_at: when the curves were drawn last; all
                  time.monotonic()
    """

    recipe: Recipe
    task: Task
    net: torch.nn.Module
    optimiser: torch.optim.Optimizer
    out: Path
    forward: Callable[[torch.Tensor], torch.Tensor]
    teacher: Teacher | None = None
    about: dict = field(default_factory=dict)
    average: Average | None = None
    bits: torch.Tensor | None = None
    finished: bool = False
    history: list[dict] = field(default_factory=list)
    begun: bool = False
    steps: int = 0
    sums: Sums = field(default_factory=Sums)
    saved: tuple[int, int] | None = None
    saved_at: float = field(default_factory=time.monotonic)
    counted_to: float = field(default_factory=time.monotonic)
    drawn_at: float = field(default_factory=time.monotonic)

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
        "state": run.net.state_dict(),
        "epoch": run.epoch,
        "begun": run.begun,
        "steps": run.steps,
        "sums": asdict(run.sums),
        "optimiser": run.optimiser.state_dict(),
        "average": run.average.state() if run.average is not None else None,
        "bits": run.bits,
        "finished": run.finished,
        "teacher": run.about["teacher"],
        "random": runs.random_states(),
        "history": run.history,
        "broken": getattr(run.task, "broken", {}),
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
    same_recipe(recipe_from(saved["recipe"]), run.recipe)
    if saved["data_hash"] != run.task.data_hash:
        raise ValueError("--resume with other data: the hash of the pictures or the split differs; use another --out")
    if saved.get("teacher") != (run.teacher.digest if run.teacher is not None else None):
        raise ValueError("--resume with another teacher: the hash of its weights differs; use another --out")
    same_norms(run.recipe, saved.get("environment", {}).get("processes", 1))
    getattr(run.task, "broken", {}).update(saved.get("broken", {}))
    run.history, run.steps, run.begun = list(saved["history"]), saved.get("steps", 0), saved.get("begun", False)
    run.sums, run.finished = Sums(**saved.get("sums", {})), saved.get("finished", False)
    run.optimiser = make_optimiser(run.net, run.recipe, phase_at(run.recipe, run.epoch))
    if run.begun:
        tell_progress(run)  # before the state: what it renews is restored as it was, not renewed twice
    runs.load_weights(run.net, saved["state"], run.out / "checkpoint.pt")
    run.optimiser.load_state_dict(saved["optimiser"])
    if saved.get("average") is not None:
        run.average = Average(run.net, run.recipe.finish.ema)
        run.average.load(saved["average"])
    run.bits = saved["bits"] if saved.get("bits") is not None else watch.weight_bits(run.net)
    runs.restore_random(saved["random"])
    run.saved = (run.epoch, run.steps)


def same_norms(recipe: Recipe, before: int) -> None:
    """Raises ValueError where batch norms would see another batch than they saw."""
    now = ranks.world()
    if before == now or recipe.sync_bn:
        return
    raise ValueError(
        f"--resume with another number of processes: batch norms saw {recipe.batch // before} pictures ({before} processes of "
        f"the joint batch {recipe.batch}) and would see {recipe.batch // now} ({now}); start {before} processes again; only with "
        "-o sync_bn=on from the start on may their number change"
    )


def other_roundings(saved: dict, now: dict) -> list[str]:
    """What differs from the machine of the checkpoint and may change last bits; empty where the sums are the same."""
    before = {"processes": 1} | saved.get("environment", now)
    keys = ["torch", "pillow", "machine", "cpu", "threads", "processes"]
    keys += ["gpu"] if str(saved.get("recipe", {}).get("device")).startswith("cuda") else []
    pairs = [(key, before[key], now[key]) for key in keys if key in before]  # older runs say less
    return [f"{key} was {old} and is {new}: last bits may differ" for key, old, new in pairs if old != new]


def begin_epoch(run: Run) -> None:
    """A new optimiser where a new step of the training begins; averages; what the network and the metrics must know."""
    phase = phase_at(run.recipe, run.epoch)
    if run.epoch == phase.first > 0:
        run.optimiser = make_optimiser(run.net, run.recipe, phase)
    if run.recipe.finish.ema and run.average is None and not phase.real_weights:
        run.average = Average(run.net, run.recipe.finish.ema)
    tell_progress(run)
    run.bits = watch.weight_bits(run.net)
    run.begun = True


def tell_progress(run: Run) -> None:
    """Binary or real weights, annealed surrogates, and the state that a quantizer renews before every epoch."""
    phase = phase_at(run.recipe, run.epoch)
    for module in run.net.modules():
        if isinstance(module, BinaryConv2d):
            module.real = phase.real_weights
    set_progress = getattr(run.net, "set_progress", lambda fraction: None)
    set_progress((run.epoch - phase.first) / max(1, phase.epochs - 1))
