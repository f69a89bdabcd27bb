"""The training loop: epochs, checkpoints, resume bit by bit, result at the end. The last epoch is the result."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from aoienet.train import plots, runs
from aoienet.train.recipes import Recipe
from aoienet.train.tasks import Batch, Task, open_task


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
def progress(total: int, text: str) -> Iterator[Callable[[], None]]:
    """A bar on stderr when it is a terminal; otherwise nothing."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda: bar.advance(task)


def seed_all(seed: int) -> None:
    """Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def train_epoch(net: torch.nn.Module, optimiser: torch.optim.Optimizer, task: Task, recipe: Recipe, epoch: int) -> dict:
    """One pass; epoch counts from 0."""
    jobs = task.epoch_jobs(epoch)
    net.train()
    getattr(net, "set_progress", lambda fraction: None)(epoch / max(1, recipe.epochs - 1))
    loss_sum, samples, right, counted, lr = 0.0, 0, 0, 0, 0.0
    with progress(len(jobs), f"epoch {epoch + 1}/{recipe.epochs}") as advance:
        for k, (x_NCHW, labels) in enumerate(prefetch(jobs, recipe.workers)):
            x = torch.from_numpy(x_NCHW).to(recipe.device).contiguous(memory_format=torch.channels_last)
            y = torch.from_numpy(labels).to(recipe.device)
            lr = learning_rate(recipe, epoch * len(jobs) + k, len(jobs))
            for group in optimiser.param_groups:
                group["lr"] = lr
            logits = net(x)
            loss = task.loss(logits, y)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} in epoch {epoch + 1}, step {k + 1}: lower lr")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.clip_norm)
            optimiser.step()
            hits, seen = task.correct(logits.detach(), y)
            loss_sum, samples = loss_sum + loss.item() * len(x), samples + len(x)
            right, counted = right + hits, counted + seen
            advance()
    row = {"epoch": epoch + 1, "lr": lr, "loss": loss_sum / samples, "train_accuracy": right / max(1, counted)}
    measure = getattr(net, "plane_distance", dict)
    distances = list(measure().values())
    return row | ({"plane_distance": float(np.mean(distances))} if distances else {})


def _line(row: dict) -> str:
    words = [f"epoch {row['epoch']:3d}"]
    words += [f"{k} {v:.4g}" for k, v in row.items() if k != "epoch"]
    return "  ".join(words)


def _resume(
    out: Path, recipe: Recipe, net: torch.nn.Module, optimiser: torch.optim.Optimizer, task: Task
) -> list[dict]:
    """Put everything back as it was after the last finished epoch; returns the history."""
    saved = runs.read_checkpoint(out)
    before, now = saved["recipe"], runs.recipe_dict(recipe)
    changed = [k for k in now if before.get(k) != now[k]]
    if changed:
        raise ValueError(f"--resume with another recipe ({', '.join(changed)} differ): the run would not be the same")
    if saved["data_hash"] != task.data_hash:
        raise ValueError("--resume with other data: the hash of the pictures or the split differs")
    net.load_state_dict(saved["state"])
    optimiser.load_state_dict(saved["optimiser"])
    runs.restore_random(saved["random"])
    return list(saved["history"])


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
    if make_net is None:
        from aoienet.models import create_model

        make_net = create_model
    out = Path(out)
    if not resume and (out / "checkpoint.pt").exists():
        raise FileExistsError(f"{out} holds a run; use --resume or another --out")
    if resume:
        runs.read_checkpoint(out)
    out.mkdir(parents=True, exist_ok=True)
    seed_all(recipe.seed)
    model_kwargs = {"num_classes": len(recipe.classes), "in_channels": recipe.in_channels}
    net = make_net(recipe.model, **model_kwargs)
    net = net.to(recipe.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = make_optimiser(net, recipe)
    task = open_task(recipe, Path(root))
    history = _resume(out, recipe, net, optimiser, task) if resume else []
    about = {
        "recipe": runs.recipe_dict(recipe),
        "split": task.split,
        "data_hash": task.data_hash,
        "environment": runs.environment(),
        "command": command,
        "weights": sum(p.numel() for p in net.parameters()),
    }
    runs.write_json(out / "recipe.json", about)
    say(f"{recipe.name}: {task.split}; {about['weights']:,} parameters, {torch.get_num_threads()} threads")
    for epoch in range(len(history), recipe.epochs):
        start = time.perf_counter()
        row = train_epoch(net, optimiser, task, recipe, epoch) | task.validate(net)
        row["seconds"] = round(time.perf_counter() - start, 3)
        history.append(row)
        runs.save_checkpoint(
            out,
            {
                "recipe": about["recipe"],
                "model_name": recipe.model,
                "model_kwargs": model_kwargs,
                "state": net.state_dict(),
                "epoch": epoch + 1,
                "optimiser": optimiser.state_dict(),
                "random": runs.random_states(),
                "history": history,
                "data_hash": task.data_hash,
            },
        )
        runs.write_metrics(out, history)
        plots.curves(history, out / "curves.png")
        say(_line(row))
    result = task.result(net)
    result |= about | {"epochs_done": len(history), "last_epoch": history[-1] if history else {}}
    result["seconds"] = sum(row["seconds"] for row in history)
    if "confusion" in result:
        plots.confusion(result["confusion"], recipe.classes, out / "confusion.png")
    runs.write_json(out / "result.json", result)
    return runs.finite(result)
