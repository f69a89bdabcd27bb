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
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch

from aoienet import files
from aoienet.nn.conv import BinaryConv2d
from aoienet.train import networks, plots, ranks, report, runs, show, watch
from aoienet.train.distill import open_teacher
from aoienet.train.finish import reestimate
from aoienet.train.interrupts import interrupts_wait
from aoienet.train.recipes import Recipe, recipe_dict, to_toml
from aoienet.train.schedule import learning_rate, make_optimiser, phases
from aoienet.train.show import Bars
from aoienet.train.state import Run, Sums, begin_epoch, other_roundings, restore, save
from aoienet.train.synchronised import synchronise
from aoienet.train.tasks import Batch, norm_groups, open_task, still_jobs

DRAW_SECONDS = 60.0  # between two drawings of the curves; the last ones are drawn at the end
CHECKPOINT_SECONDS = 120.0  # at most this much work is lost, apart from the one after every epoch
# in validation nobody looks at that clock: before it begins, a checkpoint may be this old
VALIDATION_SECONDS = 10.0


# of a run folder; a run that has not reached a checkpoint has none of them, and begins again in the same folder
AFTER_A_CHECKPOINT = ("result.json", "report.html", "metrics.jsonl", "metrics.csv", *report.PICTURES)


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


def epoch_batches(run: Run) -> tuple[int, Iterator[Batch]]:
    """The number of steps of this epoch, and its batches that are not done."""
    task: Any = run.task
    if hasattr(task, "epoch_stream"):
        return task.epoch_stream(run.epoch, run.steps)
    jobs = task.epoch_jobs(run.epoch)
    return len(jobs), prefetch(jobs[run.steps :], run.recipe.data.workers)


def still_batches(run: Run, count: int) -> Iterator[Batch]:
    """Up to `count` batches of training pictures as validation sees them, where the task has them."""
    task: Any = run.task
    if hasattr(task, "still_stream"):
        return task.still_stream(count)
    return prefetch(still_jobs(task, run.recipe.epochs)[:count], run.recipe.data.workers)


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
    kept, where = "none yet", ""
    if run.saved:
        kept = f"epoch {run.saved[0] + 1}, step {run.saved[1]}, in {run.out / 'checkpoint.pt'}"
        where = " into another --out"
    raise FloatingPointError(
        f"{what} in epoch {run.epoch + 1}, step {run.steps + 1}; first output that is not finite: "
        f"{first_not_finite(run.net, x)}. Last good checkpoint: {kept}. "
        f"Train again{where} with a lower lr (now {r.optim.lr:g}) or clip_norm (now {r.optim.clip_norm:g})"
    )


def on_device(run: Run, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures, channels last, and labels of this process; a task may have them there already."""
    if not getattr(run.task, "shares", False):
        batch = ranks.part_of(batch)
    x, y = (torch.as_tensor(part).to(run.recipe.device, non_blocking=True) for part in batch)
    return x.float().contiguous(memory_format=torch.channels_last), y


def train_step(run: Run, batch: Batch, steps_per_epoch: int) -> None:
    """One batch; position and sums move with the weights."""
    net, optimiser, task, recipe, sums = run.net, run.optimiser, run.task, run.recipe, run.sums
    x, y = on_device(run, batch)
    lr = learning_rate(recipe, run.epoch * steps_per_epoch + run.steps, steps_per_epoch)
    for group in optimiser.param_groups:
        group["lr"] = lr
    ranks.seed(recipe.seed, run.epoch, run.steps)
    logits = networks.logits(recipe, x, run.forward)
    loss = task.loss(logits, y)
    if run.teacher is not None:
        loss = run.teacher.joined(x, logits, loss)
    (samples,) = ranks.total([len(x)])
    optimiser.zero_grad(set_to_none=True)
    (loss * ranks.weight(len(x), samples)).backward()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.optim.clip_norm)
    # read only now, when all of the step is under way: a GPU stands still while Python waits for a number
    whole, hits, seen = ranks.total([loss.item() * len(x), *task.correct(logits.detach(), y)])
    if not math.isfinite(whole):
        stop_not_finite(run, f"the loss is {whole / samples}", x)
    if not torch.isfinite(norm):  # the step would make the weights NaN, and the next checkpoint worthless
        stop_not_finite(run, f"the length of the gradient is {norm.item()}", x)
    optimiser.step()
    if run.average is not None:
        run.average.update(net)
    sums.loss, sums.samples, sums.lr = sums.loss + whole, sums.samples + int(samples), lr
    sums.right, sums.counted = sums.right + int(hits), sums.counted + int(seen)
    run.steps += 1


def train_epoch(run: Run, bars: Bars) -> dict:
    """The steps of this epoch that are not done yet; returns its row of the metrics."""
    steps, batches = epoch_batches(run)
    run.net.train()
    if not run.begun:
        with interrupts_wait():
            begin_epoch(run)
    bars.epoch(run, steps)
    for batch in batches:
        with interrupts_wait():
            train_step(run, batch, steps)
        bars.step(run)
        if time.monotonic() - run.saved_at >= CHECKPOINT_SECONDS:
            save(run)
    ranks.same_buffers(run.net)
    run.count_seconds()
    sums = run.sums
    row = {"epoch": run.epoch + 1, "lr": sums.lr, "loss": sums.loss / sums.samples}
    row["train_accuracy"] = sums.right / max(1, sums.counted)
    return row | watch.metrics(run.net, run.bits)


def train_epochs(run: Run, say: Callable[[str], None], watcher: Callable[[dict], None] | None) -> None:
    """Up to the last epoch, with a checkpoint after each one, and before Ctrl-C leaves."""
    run.saved_at = run.counted_to = time.monotonic()
    try:
        with show.bars(run) as bars:
            while run.epoch < run.recipe.epochs:
                row = train_epoch(run, bars)
                speed = show.speed(run)
                if time.monotonic() - run.saved_at >= VALIDATION_SECONDS:
                    save(run)
                row |= run.task.validate(run.net)
                run.count_seconds()
                row["seconds"] = round(run.sums.seconds, 3)
                with interrupts_wait():
                    run.history.append(row)
                    run.begun, run.steps, run.sums = False, 0, Sums()
                save(run)
                write_history(run)
                say(f"{show.line(row)}  {speed}")
                if (warning := watch.wasted_plane(row)) and not any(map(watch.wasted_plane, run.history[:-1])):
                    say(warning)  # once in a run
                if watcher is not None:
                    watcher(row)
    except KeyboardInterrupt:
        save(run)
        raise


def finish(run: Run) -> None:
    """What the recipe has for the end; the checkpoint then holds the network as it is handed out."""
    how = run.recipe.finish
    if run.finished or not how.bn_batches:
        return
    if run.average is not None:
        run.average.put_into(run.net)
    batches = (on_device(run, batch)[0] for batch in still_batches(run, how.bn_batches))
    reestimate(
        run.net, batches, lambda x: networks.logits(run.recipe, x, run.net)
    )  # not run.forward, which brings the first one's statistics
    ranks.mean_buffers(run.net)
    run.finished = True
    save(run)


def write_history(run: Run) -> None:
    """metrics.jsonl and metrics.csv of the whole epochs; now and then what is drawn of them."""
    runs.write_metrics(run.out, run.history)
    if time.monotonic() - run.drawn_at >= DRAW_SECONDS:
        draw(run, None)
        run.drawn_at = time.monotonic()


def draw(run: Run, result: dict | None) -> None:
    """curves.png, layers.png, confusion.png, report.html."""
    if not run.history or not ranks.first():
        return
    plots.curves(run.history, run.out / "curves.png")
    plots.layers(run.history, run.out / "layers.png")
    if result is not None and "confusion" in result:
        plots.confusion(result["confusion"], run.recipe.classes, run.out / "confusion.png")
    found = getattr(run.task, "data_report", None)
    report.write(run.out, run.recipe, run.history, run.about, result, found["summary"] if found is not None else ())


def check_device(device: str) -> None:
    """Raises ValueError: PyTorch cannot put anything there."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device} cannot be used by PyTorch here ({reason}); -o device=cpu always can"
        ) from error


def quantizers_learn(net: torch.nn.Module) -> bool:
    """Some weight quantizer has parameters, which real weights do not use."""
    return any(True for m in net.modules() if isinstance(m, BinaryConv2d) for _ in m.weight_q.parameters())


def prepare(recipe: Recipe, root: Path, out: Path, make_net: Callable[[Recipe], torch.nn.Module]) -> Run:
    """Data, network, optimiser; nothing is written."""
    check_device(recipe.device)
    if recipe.device.startswith("cuda"):
        # kernels that add in the same order each time, not those that were the fastest of this start
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    ranks.check_batch(recipe.batch)
    task = open_task(recipe, root)
    ranks.check_same("the hash of the data", task.data_hash)
    recipe = task.recipe  # with what the data decides
    seed_all(recipe.seed)
    net: Any = make_net(recipe)
    if recipe.sync_bn and ranks.world() > 1:
        synchronise(net)
    net = net.to(recipe.device).to(memory_format=torch.channels_last)
    optimiser = make_optimiser(net, recipe, phases(recipe)[0])
    joint = ranks.joint(net, recipe.real_weights.epochs > 0 and quantizers_learn(net))
    forward = torch.compile(joint) if recipe.compile else joint
    run = Run(recipe, task, net, optimiser, out, forward, open_teacher(recipe))
    check_single(run)
    return run


def single_valued(net: torch.nn.Module, x: torch.Tensor) -> str:
    """The first batch norm that sees one value per channel of a picture, as behind a mean over the map; "" where none does."""
    found: list[str] = []

    def look(name: str, seen: torch.Tensor) -> None:
        if seen.shape[2:].numel() == 1:
            found.append(name)

    norms = [(n, m) for n, m in net.named_modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    hooks = [m.register_forward_pre_hook(lambda m, args, name=n: look(name, args[0])) for n, m in norms]
    was_training = net.training
    try:
        with torch.no_grad():
            net.eval()(x)
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return found[0] if found else ""


def check_single(run: Run) -> None:
    """Raises ValueError where a batch norm would see a single value per channel, which has no spread: in the first batch, as `starts`
    lets none of the later ones be smaller than that of which all have two pictures."""
    r, parts = run.recipe, norm_groups(run.recipe)
    steps, batches = epoch_batches(run)
    if (r.batch >= 2 * parts and steps > 1) or (r.sync_bn and ranks.world() > 1):
        return
    x, _ = on_device(run, next(batches))
    layer = single_valued(run.net, x[:1]) if len(x) == 1 else ""
    if layer:
        few = r.batch < 2 * parts
        received = (
            f"batch={r.batch}" + (f" in {parts} processes" if parts > 1 else "") if few else "one training picture"
        )
        advice = f"-o batch={2 * parts} or more" if few else "more training pictures"
        raise ValueError(
            f"batch norm needs two values per channel, and {layer} of {r.model} sees one of each picture; received {received}; next: {advice}"
        )


def train(
    recipe: Recipe,
    root: Path,
    out: Path,
    *,
    resume: bool = False,
    command: str = "",
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
    make_net: Callable[[Recipe], torch.nn.Module] = networks.build,
    watcher: Callable[[dict], None] | None = None,
) -> dict:
    """Train a recipe; returns the result that is also written to out/result.json. `watcher` is called with the metrics of every
    epoch."""
    out = Path(out)
    saved = ranks.from_first(lambda: read_saved(out, resume))
    say = say if ranks.first() else lambda text: None
    run = prepare(recipe, Path(root), out, make_net)
    if saved is not None:
        restore(run, saved)
    run.about = about(run, command)
    if ranks.first():
        files.open_folder(out, overwrite=True)
    report_data(run, say)
    runs.write_json(out / "recipe.json", run.about)
    runs.write_atomic(out / "recipe.toml", to_toml(run.recipe).encode())
    each = f" in each of {ranks.world()} processes" if ranks.world() > 1 else ""
    where = f"{torch.get_num_threads()} threads{each}"
    say(f"{recipe.name}: {run.task.split}; {run.about['weights']:,} parameters, {where}")
    for line in other_roundings(saved, run.about["environment"]) if saved is not None else []:
        say(line)
    if run.history:
        write_history(run)  # a kill may have come between the checkpoint and these files
    train_epochs(run, say, watcher)
    finish(run)
    return write_result(run)


def read_saved(out: Path, resume: bool) -> dict | None:
    """The checkpoint to go on from; None for a new run. Raises FileExistsError where a new run would write over another's files."""
    if resume:
        try:
            return runs.read_checkpoint(out)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"--resume: {error}, or train without --resume") from None
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"the run folder must be a folder; received the file {out}; give another --out")
    if (out / "checkpoint.pt").exists():
        raise FileExistsError(f"{out} holds a run; use --resume or another --out")
    held = [name for name in AFTER_A_CHECKPOINT if (out / name).exists()]
    if held:
        raise FileExistsError(f"{out} holds {', '.join(held)} of another run and no checkpoint; give another --out")
    return None


def about(run: Run, command: str) -> dict:
    """What is stored beside the result: enough to make it again, and to see that it is the same."""
    return {
        "recipe": recipe_dict(run.recipe),
        "split": run.task.split,
        "data_hash": run.task.data_hash,
        "teacher": run.teacher.digest if run.teacher is not None else None,
        "environment": runs.environment(),
        "command": command,
        "weights": sum(p.numel() for p in run.net.parameters()),
    }


def report_data(run: Run, say: Callable[[str], None]) -> None:
    """What the task found out about the data: data_report.json, and its summary in words."""
    report = getattr(run.task, "data_report", None)
    if report is not None:
        runs.write_json(run.out / "data_report.json", report)
        for line in report["summary"]:
            say(line)


def write_result(run: Run) -> dict:
    """Test scores: result.json, and what is drawn."""
    result = run.task.result(run.net)
    result |= run.about | {"epochs_done": run.epoch, "last_epoch": run.history[-1] if run.history else {}}
    if run.finished:
        result["finished"] = run.task.validate(run.net)
    result["seconds"] = sum(row["seconds"] for row in run.history)
    result["peak_memory_mib"] = show.peak_memory_mib(run)
    runs.write_json(run.out / "result.json", result)
    draw(run, result)
    return runs.finite(result)
