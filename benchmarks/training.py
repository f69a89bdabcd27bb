"""What a training step costs: milliseconds, against the float ResNet-20 in the same rounds, and memory.

    python benchmarks/training.py --threads 2 --rounds 15
    python benchmarks/training.py --threads 2 --bf16
    python benchmarks/training.py --device cuda
    python benchmarks/training.py --compile --no-memory --only aoienet_cifar     (torch.compile on a CPU; minutes to compile)

Every round runs one step of every network, one after another in one process, so that what else the machine does meets all of them alike.
A step is forward, loss, backward, gradient clipping and AdamW, as train/loop.py does it; the batch is synthetic, of the network's own
input. Memory is that of one step in a fresh process: what it adds to the resident size, or CUDA's own peak.
"""

import argparse
import gc
import json
import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from aoienet.models import create_model

BASE = "resnet20"
PICTURES = 50_000  # of an epoch of CIFAR-10
KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Row:
    name: str
    batch: int


ROWS = (
    Row(BASE, 128),
    Row("aoienet_cifar", 128),
    Row("aoienet_cifar_collapsed", 128),
    Row("aoienet_cifar_aba_io", 128),
    Row("adabin_resnet20", 128),
    Row("aoienet_compact", 32),
    Row("aoienet_scan", 16),
)


def make_step(row: Row, device: str, compiled: bool, bf16: bool) -> Callable[[], None]:
    torch.manual_seed(0)
    net = create_model(row.name).to(device).to(memory_format=torch.channels_last).train()
    spec = net.spec
    x = torch.randint(0, 256, (row.batch, spec.in_channels, *spec.input_hw), device=device).float()
    x = (x if spec.pixels == "raw" else x - 128).contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3)
    run = torch.compile(net) if compiled else net

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            logits = run(x)
        scores = logits.float().flatten(2).mean(2) if logits.ndim == 4 else logits.float()
        loss = torch.nn.functional.cross_entropy(scores, labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        if device == "cuda":
            torch.cuda.synchronize()

    labels = torch.randint(0, spec.num_classes, (row.batch,), device=device)
    return step


def peak_mib(row: Row, device: str, compiled: bool, bf16: bool, threads: int) -> float:
    """What the third step holds at most, beyond the network, its optimiser and the batch. In a process of its own."""
    torch.set_num_threads(threads)
    step = make_step(row, device, compiled, bf16)
    if device == "cuda":
        for _ in range(2):
            step()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / KIB_PER_MIB


def memory(rows: list[Row], device: str, compiled: bool, bf16: bool, threads: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    found = {}
    for row in rows:
        with context.Pool(1) as pool:
            found[row.name] = pool.apply(peak_mib, (row, device, compiled, bf16, threads))
    return found


def timings(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """(seconds of the clock, seconds of the processor) of every step in every round."""
    for step in steps.values():
        for _ in range(2):
            step()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            clock, processor = time.perf_counter(), time.process_time()
            step()
            found[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return found


def quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def summary(rows: list[Row], found: dict[str, list[tuple[float, float]]], peaks: dict[str, float]) -> list[dict]:
    """Medians over the rounds; ratios are taken within a round, then their median and quartiles."""
    table = []
    base = [cpu for _, cpu in found[BASE]]
    for row in rows:
        clock, cpu = ([pair[i] for pair in found[row.name]] for i in (0, 1))
        low, ratio, high = quartiles([a / b for a, b in zip(cpu, base, strict=True)])
        table.append(
            {
                "name": row.name,
                "batch": row.batch,
                "clock_ms": 1e3 * statistics.median(clock),
                "clock_least_ms": 1e3 * min(clock),
                "cpu_ms": 1e3 * statistics.median(cpu),
                "cpu_quartiles_ms": [1e3 * q for q in quartiles(cpu)[::2]],
                "cpu_least_ms": 1e3 * min(cpu),
                "ratio": ratio,
                "ratio_quartiles": [low, high],
                "epoch_clock_s": statistics.median(clock) * PICTURES / row.batch
                if row.batch == ROWS[0].batch
                else None,
                "memory_mib": peaks.get(row.name),
            }
        )
    return table


def show(table: list[dict]) -> None:
    print(f"{'network':24} {'batch':>5} {'clock ms':>9} {'cpu ms':>8} {'quartiles':>13} {'least':>7}", end=" ")
    print(f"{'x ' + BASE:>11} {'quartiles':>11} {'s/epoch':>8} {'MiB':>6}")
    for r in table:
        epoch = "" if r["epoch_clock_s"] is None else f"{r['epoch_clock_s']:.0f}"
        ratio = "" if r["epoch_clock_s"] is None else f"{r['ratio']:.2f}"
        spread = "" if r["epoch_clock_s"] is None else "{:.2f}-{:.2f}".format(*r["ratio_quartiles"])
        peak = "" if r["memory_mib"] is None else f"{r['memory_mib']:.0f}"
        cpu = "{:.0f}-{:.0f}".format(*r["cpu_quartiles_ms"])
        print(f"{r['name']:24} {r['batch']:5d} {r['clock_ms']:9.1f} {r['cpu_ms']:8.1f} {cpu:>13}", end=" ")
        print(f"{r['cpu_least_ms']:7.0f} {ratio:>11} {spread:>11} {epoch:>8} {peak:>6}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", nargs="+", choices=[r.name for r in ROWS], help=f"{BASE} is always measured")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--compile", action="store_true", help="with torch.compile too, as always on a GPU")
    parser.add_argument("--bf16", action="store_true", help="BF16 autocast, as always on a GPU")
    parser.add_argument("--json", action="store_true", help="one object per network and line")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: this machine or this build of PyTorch has no CUDA device; take --device cpu")
    if args.rounds < 1 or args.threads < 1:
        parser.error(f"--rounds and --threads are at least 1; received {args.rounds} and {args.threads}")
    torch.set_num_threads(args.threads)
    rows = [r for r in ROWS if not args.only or r.name == BASE or r.name in args.only]
    device = torch.cuda.get_device_name() if args.device == "cuda" else f"{platform.processor() or platform.machine()}"
    bf16 = args.bf16 or args.device == "cuda"
    for compiled in (False, True) if args.compile or args.device == "cuda" else (False,):
        peaks = {} if args.no_memory else memory(rows, args.device, compiled, bf16, args.threads)
        found = timings({r.name: make_step(r, args.device, compiled, bf16) for r in rows}, args.rounds)
        if args.device == "cuda":
            found = {name: [(clock, clock) for clock, _ in pairs] for name, pairs in found.items()}
        table = summary(rows, found, peaks)
        if args.json:
            for line in table:
                print(json.dumps({"compiled": compiled, "bf16": bf16, **line}))
            continue
        how = f"{'BF16 autocast' if bf16 else 'float32'}, torch.compile {'on' if compiled else 'off'}"
        print(f"{device}, {args.threads} threads, torch {torch.__version__}, {how}, channels_last, n={args.rounds}")
        show(table)


if __name__ == "__main__":
    main()
