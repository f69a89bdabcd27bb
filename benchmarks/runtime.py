"""Packed runtime against float engines on the same network: one thread, interleaved in one process, medians, ratios.

    make bench            (or: python benchmarks/runtime.py --rounds 15 --json)

Rivals run the training form in float32 (what a user gets without a binary runtime): PyTorch eager, ONNX Runtime. All get the transformed
image; the packed runtime also computes the transform, which is inside of its time.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime
import torch

from aoienet.deploy import export, format, onnx, pictures
from aoienet.engine import Model, isas
from aoienet.models import create_model
from aoienet.models.net import BinaryNet

NETWORKS = ("aoienet_scan", "aoienet_compact", "aoienet_cifar", "aoienet_resnet18")


def prepared(name: str, folder: Path) -> tuple[BinaryNet, Path]:
    """Random weights (speed does not depend on them) with the running statistics of a real forward; the packed file."""
    torch.manual_seed(0)
    net = create_model(name)
    shape = (2, net.spec.in_channels, *net.spec.input_hw)
    with torch.no_grad():
        net.train()(torch.randint(-127, 128, shape).float())
    net.eval()
    window = 65 if net.spec.head.window else 0
    kinds = {"thermometer": {"kind": "raw"}, "conv": {"kind": "center"}}
    transform = kinds[net.spec.stem.kind]
    if net.spec.in_channels == 1:
        transform = {"kind": "standardize", "window_px": window, "eps_levels": 2.0, "scale": 32.0}
    scan = {"block_px": 64, "block_stride_px": 32, "total_stride": 8, "defect": 1, "threshold": 0.0, "temperature": 1.0}
    info = {
        "classes": [f"class_{i}" for i in range(net.spec.num_classes)],
        "transform": transform,
        "scan": scan if window else None,
        "model_name": name,
        "recipe": {},
        "result": {},
    }
    path = folder / f"{name}.aoie"
    format.write(path, *export.pack(net, info, name))
    return net, path


def contenders(net: BinaryNet, path: Path, folder: Path) -> dict[str, Callable[[], object]]:
    calls: dict[str, Callable[[], object]] = {}
    for isa in isas():
        os.environ["AOIENET_ISA"] = isa
        model = Model.open(path)
        image = next(pictures.pictures(model.header, 1))
        calls[f"packed {isa}"] = lambda model=model, image=image: model.run(image)
    os.environ.pop("AOIENET_ISA")
    first = model.trace(image)[0]
    x = np.ascontiguousarray(
        (first[..., None] if first.ndim == 2 else first).transpose(2, 0, 1)[None].astype(np.float32)
    )
    onnx.export(net, folder / "float.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "float.onnx"), options, providers=["CPUExecutionProvider"])
    calls["onnxruntime float32"] = lambda: session.run(None, {"image": x})
    tensor = torch.from_numpy(x)

    @torch.no_grad()
    def eager() -> object:
        return net(tensor)

    calls["torch float32"] = eager
    return calls


def measure(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """CPU milliseconds of each call, interleaved round by round (CPU time: shared machines)."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.thread_time_ns()
            call()
            times[name].append((time.thread_time_ns() - start) / 1e6)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    document: dict[str, object] = {
        "machine": platform.processor() or platform.machine(),
        "versions": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
        "rounds": args.rounds,
        "networks": {},
    }
    for name in args.networks:
        with tempfile.TemporaryDirectory() as folder:
            net, path = prepared(name, Path(folder))
            times = measure(contenders(net, path, Path(folder)), args.rounds)
        best = f"packed {isas()[-1]}"
        rows = {}
        for who, sample in times.items():
            ratios = [t / b for t, b in zip(sample, times[best], strict=True)]
            rows[who] = {
                "median_ms": statistics.median(sample),
                "spread_ms": [min(sample), max(sample)],
                f"ratio_to_{best}": statistics.median(ratios),
            }
        document["networks"][name] = rows  # type: ignore[index]
        if not args.json:
            print(f"\n{name} {net.spec.input_hw[0]}x{net.spec.input_hw[1]}, one thread, {args.rounds} rounds")
            for who, row in rows.items():
                low, high = row["spread_ms"]
                print(
                    f"  {who:22} {row['median_ms']:9.3f} ms ({low:.3f} to {high:.3f})   x {row[f'ratio_to_{best}']:.2f}"
                )
    if args.json:
        json.dump(document, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
