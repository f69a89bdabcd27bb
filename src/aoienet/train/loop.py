"""The training loop: epochs, checkpoints, resume bit by bit, result at the end. The last epoch is the result.

A run may be killed at any moment. A checkpoint holds everything that the next step depends on, in the middle of an epoch too;
batches depend on (seed, epoch, index) alone, so the steps that are done are skipped and not run again.
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch

from aoienet.train import plots, runs
from aoienet.train.recipes import Recipe
from aoienet.train.state import Run, Sums, interrupts_wait, other_roundings, restore, save, tell_progress
from aoienet.train.tasks import Batch, open_task

CHECKPOINT_SECONDS = 120.0  # at most this much work is lost, apart from the one after every epoch


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Linear warm-up, then cosine or linear to lr_last."""
    warmup = recipe.warmup_epochs * steps_per_epoch
    total = recipe.epochs * steps_per_epoch
    if step < warmup:
        return recipe.lr * (step + 1) / max(1.0, warmup)
    done = (step - warmup) / max(1.0, total - warmup)
    left = 0.5 * (1 + math.cos(math.pi * done)) if recipe.schedule == "cosine" else 1 - done
    return recipe.lr_last + (recipe.lr - recipe.lr_last) * left


def make_optimiser(net: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; weight decay on convolution weights only, never on alpha, beta, BN, slopes, biases."""

    def is_kernel(p: torch.Tensor) -> bool:  # OIHW; 1C11 is a constant per channel
        return p.ndim == 4 and p.shape[0] > 1 and p[0].numel() > 1

    kernels = [p for p in net.parameters() if is_kernel(p)]
    others = [p for p in net.parameters() if not is_kernel(p)]
    groups = [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=recipe.lr)


def prefetch(jobs: Sequence[Callable[[], Batch]], workers: int) -> Iterator[Batch]:
    """Run the jobs in threads, a few ahead; the order is that of the list."""
    with ThreadPoolExecutor(workers) as pool:
        ahead = 2 * workers + 1
        waiting = [pool.submit(job) for job in jobs[:ahead]]
        try:
            for i in range(len(jobs)):
                batch = waiting.pop(0).result()
                if i + ahead < len(jobs):
                    waiting.append(pool.submit(jobs[i + ahead]))
                yield batch
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def progress(total: int, done: int, text: str) -> Iterator[Callable[[], None]]:
    """A bar on stderr when it is a terminal; otherwise nothing."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total, completed=done)
        yield lambda: bar.advance(task)


def seed_all(seed: int) -> None:
    """Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def first_not_finite(net: torch.nn.Module, x: torch.Tensor) -> str:
    """The first layer whose output is not finite, from one more forward of the batch."""
    if not torch.isfinite(x).all():
        return "the batch itself, before the first layer"
    found: list[str] = []

    def look(name: str, output: Any) -> None:
        tensors = [t for t in (output if isinstance(output, (tuple, list)) else [output]) if torch.is_tensor(t)]
        if not found and not all(bool(torch.isfinite(t).all()) for t in tensors):
            found.append(name)

    hooks = []
    for name, module in net.named_modules():
        label = f"{name if name else 'the network'} ({type(module).__name__})"
        hooks.append(module.register_forward_hook(lambda m, args, output, label=label: look(label, output)))
    try:
        with torch.no_grad():
            net(x)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else "none of the layers, only what follows from their outputs"


def stop_not_finite(run: Run, what: str, x: torch.Tensor) -> NoReturn:
    """Raise FloatingPointError: where, which layer, what is kept, what to do."""
    r = run.recipe
    kept = f"epoch {run.saved[0] + 1}, step {run.saved[1]}" if run.saved else "none yet"
    raise FloatingPointError(
        f"{what} in epoch {run.epoch + 1}, step {run.steps + 1}; first output that is not finite: "
        f"{first_not_finite(run.net, x)}. Last good checkpoint: {kept}. "
        f"Train again into another --out with a lower lr (now {r.lr:g}) or clip_norm (now {r.clip_norm:g})"
    )


def train_step(run: Run, batch: Batch, steps_per_epoch: int) -> None:
    """One batch; position and sums move with the weights."""
    net, optimiser, task, recipe, sums = run.net, run.optimiser, run.task, run.recipe, run.sums
    x = torch.from_numpy(batch[0]).to(recipe.device).contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(batch[1]).to(recipe.device)
    lr = learning_rate(recipe, run.epoch * steps_per_epoch + run.steps, steps_per_epoch)
    for group in optimiser.param_groups:
        group["lr"] = lr
    logits = net(x)
    loss = task.loss(logits, y)
    if not torch.isfinite(loss):
        stop_not_finite(run, f"the loss is {loss.item()}", x)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.clip_norm)
    if not torch.isfinite(norm):  # the step would make the weights NaN, and the next checkpoint worthless
        stop_not_finite(run, f"the length of the gradient is {norm.item()}", x)
    optimiser.step()
    hits, seen = task.correct(logits.detach(), y)
    sums.loss, sums.samples, sums.lr = sums.loss + loss.item() * len(x), sums.samples + len(x), lr
    sums.right, sums.counted = sums.right + hits, sums.counted + seen
    run.steps += 1


def train_epoch(run: Run) -> dict:
    """The steps of this epoch that are not done yet; returns its row of the metrics."""
    jobs = run.task.epoch_jobs(run.epoch)
    run.net.train()
    if not run.begun:
        with interrupts_wait():
            tell_progress(run)
            run.begun = True
    with progress(len(jobs), run.steps, f"epoch {run.epoch + 1}/{run.recipe.epochs}") as advance:
        for batch in prefetch(jobs[run.steps :], run.recipe.workers):
            with interrupts_wait():
                train_step(run, batch, len(jobs))
            advance()
            if time.monotonic() - run.saved_at >= CHECKPOINT_SECONDS:
                save(run)
    sums = run.sums
    row = {"epoch": run.epoch + 1, "lr": sums.lr, "loss": sums.loss / sums.samples}
    row["train_accuracy"] = sums.right / max(1, sums.counted)
    distances = list(getattr(run.net, "plane_distance", dict)().values())
    return row | ({"plane_distance": float(np.mean(distances))} if distances else {})


def train_epochs(run: Run, say: Callable[[str], None]) -> None:
    """Up to the last epoch, with a checkpoint after each one, and before Ctrl-C leaves."""
    run.saved_at = run.counted_to = time.monotonic()
    try:
        while run.epoch < run.recipe.epochs:
            row = train_epoch(run) | run.task.validate(run.net)
            run.count_seconds()
            row["seconds"] = round(run.sums.seconds, 3)
            with interrupts_wait():
                run.history.append(row)
                run.begun, run.steps, run.sums = False, 0, Sums()
            save(run)
            write_history(run)
            say(_line(row))
    except KeyboardInterrupt:
        save(run)
        raise


def write_history(run: Run) -> None:
    """metrics.jsonl, metrics.csv and curves.png of the whole epochs."""
    runs.write_metrics(run.out, run.history)
    plots.curves(run.history, run.out / "curves.png")


def _line(row: dict) -> str:
    words = [f"epoch {row['epoch']:3d}"]
    words += [f"{k} {v:.4g}" for k, v in row.items() if k != "epoch"]
    return "  ".join(words)


def prepare(recipe: Recipe, root: Path, out: Path, make_net: Callable[..., torch.nn.Module] | None) -> Run:
    """Data, network, optimiser; nothing is written."""
    if make_net is None:
        from aoienet.models import create_model

        make_net = create_model
    task = open_task(recipe, root)
    recipe = task.recipe  # with what the data decides
    seed_all(recipe.seed)
    model_kwargs = {"num_classes": len(recipe.classes), "in_channels": recipe.in_channels}
    net = make_net(recipe.model, **model_kwargs)
    net = net.to(recipe.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Run(recipe, task, net, make_optimiser(net, recipe), out, model_kwargs)


def train(
    recipe: Recipe,
    root: Path,
    out: Path,
    *,
    resume: bool = False,
    command: str = "",
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
    make_net: Callable[..., torch.nn.Module] | None = None,
) -> dict:
    """Train a recipe; returns the result that is also written to out/result.json."""
    out = Path(out)
    if not resume and (out / "checkpoint.pt").exists():
        raise FileExistsError(f"{out} holds a run; use --resume or another --out")
    saved = runs.read_checkpoint(out) if resume else None
    run = prepare(recipe, Path(root), out, make_net)
    if saved is not None:
        restore(run, saved)
    run.about = {
        "recipe": runs.recipe_dict(run.recipe),
        "split": run.task.split,
        "data_hash": run.task.data_hash,
        "environment": runs.environment(),
        "command": command,
        "weights": sum(p.numel() for p in run.net.parameters()),
    }
    out.mkdir(parents=True, exist_ok=True)
    report_data(run, say)
    runs.write_json(out / "recipe.json", run.about)
    say(f"{recipe.name}: {run.task.split}; {run.about['weights']:,} parameters, {torch.get_num_threads()} threads")
    for line in other_roundings(saved, run.about["environment"]) if saved is not None else []:
        say(line)
    if run.history:
        write_history(run)  # a kill may have come between the checkpoint and these files
    train_epochs(run, say)
    return write_result(run)


def report_data(run: Run, say: Callable[[str], None]) -> None:
    """What the task found out about the data: data_report.json, and its summary in words."""
    report = getattr(run.task, "data_report", None)
    if report is not None:
        runs.write_json(run.out / "data_report.json", report)
        for line in report["summary"]:
            say(line)


def write_result(run: Run) -> dict:
    """Test scores, result.json and confusion.png."""
    result = run.task.result(run.net)
    result |= run.about | {"epochs_done": run.epoch, "last_epoch": run.history[-1] if run.history else {}}
    result["seconds"] = sum(row["seconds"] for row in run.history)
    if "confusion" in result:
        plots.confusion(result["confusion"], run.recipe.classes, run.out / "confusion.png")
    runs.write_json(run.out / "result.json", result)
    return runs.finite(result)
