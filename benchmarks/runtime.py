"""Packed runtime against its goals: ratios of calls that take turns in one process on one core, medians.

    make bench                                       everything that needs no data and no training
    python benchmarks/runtime.py --rounds 15 --parts kernels networks first_stage engines --json
    python benchmarks/runtime.py --parts rivals --data FOLDER --rival runs/float_16_2:16:2 --rival runs/float_8_2:8:2

kernels      conv_bits against the naive peak: build/runtime/bench_limits (make runtime), AVX-512 and AVX2
networks     forms at 224x224 against the same topology in real numbers (ONNX Runtime float and int8, OpenVINO int8) and
             against OpenVINO's binary convolution; planes; the packed file against its raw bits; two threads
first_stage  megapixels per second of the shipped scan networks, decoding apart
engines      instruction sets and float engines on four networks
stems        whole networks with a thermometer code and a packed convolution, and with the same convolution on 8-bit pixels
rivals       small float-born networks trained for crack_blocks (benchmarks/rival.py), int8, against the shipped ones
neu_rivals   the same for neu_cls (rival.py --recipe neu_best)

CPU time of the process: shared machines. Rivals get the transformed picture and the packed times include the transform, but
in `rivals`: there standardising costs as much as a small network, and both sides do it, by the packed runtime.
"""

import argparse
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime
import rival
import torch
import twins

from aoienet.data import transform
from aoienet.data.datasets import crack_blocks, neu_cls
from aoienet.deploy import export, format, onnx, pictures
from aoienet.engine import Model, isas
from aoienet.models import create_model, spec_of
from aoienet.models.net import BinaryNet
from aoienet.models.spec import Conv, Head, NetSpec, Stem
from aoienet.nn.multi.dual_bn import DualBN
from aoienet.train import networks as train_networks
from aoienet.train import recipes, runs
from aoienet.weights import locate

WITH_DATA = ("rivals", "neu_rivals")
PARTS = ("kernels", "networks", "first_stage", "engines", "stems", *WITH_DATA)
NETWORKS = ("aoienet_scan", "aoienet_compact", "aoienet_cifar", "aoienet_resnet18")
SHIPPED = ("crack_blocks", "crack_blocks_fast")
SIDE_PX = 1024
Calls = dict[str, Callable[[], object]]


def prepared(name: str, folder: Path, **changes: Any) -> tuple[BinaryNet, Path]:
    """Random weights (speed does not depend on them) with the running statistics of a real forward; the packed file.

    Planes of `dual_bn` get unequal half-distances, as training gives them.
    """
    net = settled(create_model(name, **changes))
    return net, packed(net, folder / f"{name}{'_'.join(map(str, changes.values()))}.aoie")


def settled(net: BinaryNet) -> BinaryNet:
    for module in net.modules():
        if type(module) is DualBN:
            module.act[1].alpha.data.fill_(0.7)
    shape = (2, net.spec.in_channels, *net.spec.input_hw)
    with torch.no_grad():
        net.train()(torch.randint(-127, 128, shape).float())
    return net.eval()


def packed(net: BinaryNet, path: Path) -> Path:
    """The network's file, with blocks of 64 px where its head has windows."""
    window = 65 if net.spec.head.window else 0
    transform: dict = {"kind": net.spec.pixels}
    if net.spec.in_channels == 1:
        transform = {"kind": "standardize", "window_px": window, "eps_levels": 2.0, "scale": 32.0}
    scan = {"block_px": 64, "block_stride_px": 32, "total_stride": 8, "defect": 1, "threshold": 0.0, "temperature": 1.0}
    name, classes = net.spec.name, [f"class_{i}" for i in range(net.spec.num_classes)]
    info = {"classes": classes, "transform": transform, "scan": scan if window else None}
    format.write(path, *export.pack(net, info | {"model_name": name, "recipe": {}, "result": {}}, name))
    return path


def opened(path: Path, isa: str) -> Model:
    os.environ["AOIENET_ISA"] = isa
    model = Model.open(path)
    os.environ.pop("AOIENET_ISA")
    return model


def packed_call(path: Path, isa: str = "") -> Callable[[], object]:
    model = opened(path, isa if isa else isas()[-1])
    image = next(pictures.pictures(model.header, 1))
    return lambda: model.run(image)


def measure(calls: Calls, rounds: int, clock: Callable[[], int] = time.process_time_ns) -> dict[str, list[float]]:
    """Milliseconds of each call, taking turns round by round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = clock()
            call()
            times[name].append((clock() - start) / 1e6)
    return times


def compared(calls: Calls, rounds: int, base: str) -> dict[str, dict[str, Any]]:
    """Median and range of each call, and the median and quartiles of its ratio to `base` in the same round."""
    times = measure(calls, rounds)
    rows = {}
    for who, sample in times.items():
        ratios = [t / b for t, b in zip(sample, times[base], strict=True)]
        rows[who] = {
            "median_ms": statistics.median(sample),
            "range_ms": [min(sample), max(sample)],
            "ratio": statistics.median(ratios),
            "quartiles": [float(q) for q in np.quantile(ratios, (0.25, 0.75))],
        }
    return rows


def kernels(rounds: int, args: argparse.Namespace) -> dict[str, Any]:
    program = Path(__file__).parent.parent / "build" / "runtime" / "bench_limits"
    if not program.exists():
        raise SystemExit("the part `kernels` needs build/runtime/bench_limits; make it with: make runtime")
    found = {}
    for isa in ("avx2", "avx512"):
        if isa in isas():
            found[isa] = json.loads(subprocess.run([program, str(rounds), isa], check=True, capture_output=True).stdout)
    return found


def noise(shape: tuple[int, ...], count: int) -> Iterator[np.ndarray]:
    return (np.random.default_rng(i).normal(size=shape).astype(np.float32) for i in range(count))


def rivals_of(net: BinaryNet, folder: Path) -> Calls:
    """The twin of a network in three engines."""
    shape = (1, net.spec.in_channels, *net.spec.input_hw)
    x = next(noise(shape, 1))
    path = twins.write_onnx(twins.Twin(net.spec), x, folder / f"{net.spec.name}_twin.onnx")
    int8 = twins.quantize(path, noise(shape, 8))
    calls = {
        "onnxruntime float32": twins.onnxruntime_call(path, x),
        "onnxruntime int8": twins.onnxruntime_call(int8, x),
    }
    try:
        calls["openvino int8"] = twins.openvino_call(int8, x)
        calls["openvino binary"] = twins.openvino_call(twins.openvino_binary(net.spec), x)
    except ModuleNotFoundError:
        print('no openvino: rows left out; pip install -e ".[bench]"', file=sys.stderr)
    return calls


def raw_bits_bytes(net: BinaryNet) -> float:
    """Bits of the binary weights, and 4 bytes for every other parameter that the forward pass needs."""
    binary = {name for name, p in net.named_parameters() if p.ndim == 4 and p.shape[1] > 3}
    return sum(p.numel() / 8 if name in binary else p.numel() * 4 for name, p in net.named_parameters())


def two_threads(path: Path, rounds: int) -> dict[str, float]:
    """Wall-clock ratios of one thread to two: one picture shared, and two pictures at a time."""
    model = opened(path, isas()[-1])
    image = next(pictures.pictures(model.header, 1))
    with ThreadPoolExecutor(2) as pool:
        calls: Calls = {
            "one": lambda: model.run(image),
            "shared": lambda: model.run(image, threads=2),
            "two pictures": lambda: list(pool.map(lambda _: model.run(image), range(2))),
        }
        times = measure(calls, rounds, time.perf_counter_ns)
    one, shared, both = (np.array(times[name]) for name in calls)
    return {"latency": float(np.median(one / shared)), "throughput": float(np.median(2 * one / both))}


def networks(rounds: int, args: argparse.Namespace) -> dict[str, Any]:
    document: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        forms = {planes: prepared("aoienet_mobilenet", folder, multi=multi) for planes, multi in
                 (("one plane", "collapsed"), ("two planes, tied", "dual_bn_tied"), ("two planes", "dual_bn"))}  # fmt: skip
        calls = {f"packed, {planes}": packed_call(path) for planes, (_, path) in forms.items()}
        one, one_path = forms["one plane"]
        document["aoienet_mobilenet"] = compared(calls | rivals_of(one, folder), rounds, "packed, one plane")
        document["file_to_raw_bits"] = {"aoienet_mobilenet": one_path.stat().st_size / raw_bits_bytes(one)}
        document["two_threads"] = {"aoienet_mobilenet": two_threads(one_path, rounds)}
        net, path = prepared("aoienet_resnet18", folder)
        tied, tied_path = prepared("aoienet_resnet18", folder, multi="dual_bn_tied")
        calls = {"packed, two planes": packed_call(path), "packed, two planes, tied": packed_call(tied_path)}
        document["aoienet_resnet18"] = compared(calls | rivals_of(net, folder), rounds, "packed, two planes")
        document["two_threads"]["aoienet_resnet18"] = two_threads(path, rounds)
    return document


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIDE_PX, SIDE_PX), dtype=np.uint8)


def first_stage(rounds: int, args: argparse.Namespace) -> dict[str, Any]:
    image = picture()
    models = {name: Model.open(locate(name)) for name in SHIPPED}
    times = measure({name: lambda m=m: m.run(image) for name, m in models.items()}, rounds)
    rates = {name: [image.size / 1e3 / t for t in sample] for name, sample in times.items()}
    return {
        name: {
            "megapixels_per_s": statistics.median(rate),
            "range": [min(rate), max(rate)],
            "two_threads": two_threads(locate(name), rounds),
        }
        for name, rate in rates.items()
    }


def engines(rounds: int, args: argparse.Namespace) -> dict[str, Any]:
    document = {}
    for name in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            net, path = prepared(name, Path(folder))
            calls = {f"packed {isa}": packed_call(path, isa) for isa in isas()}
            model = Model.open(path)
            first = model.trace(next(pictures.pictures(model.header, 1)))[0]
            first = first[..., None] if first.ndim == 2 else first
            x = np.ascontiguousarray(first.transpose(2, 0, 1)[None].astype(np.float32))
            onnx.export(net, Path(folder) / "float.onnx")
            calls["onnxruntime float32"] = twins.onnxruntime_call(Path(folder) / "float.onnx", x)
            calls["torch float32"] = torch.no_grad()(lambda net=net, x=x: net(torch.from_numpy(x)))
            document[name] = compared(calls, rounds, f"packed {isas()[-1]}")
    return document


def stems(rounds: int, args: argparse.Namespace) -> dict[str, Any]:
    """Whole networks of colour pictures with either stem."""
    document = {}
    for name in ("aoienet_cifar", "aoienet_mobilenet"):
        with tempfile.TemporaryDirectory() as folder:
            spec, calls = spec_of(name), {}
            for kind in ("thermometer", "conv"):
                net = settled(BinaryNet(replace(spec, stem=train_networks.stem(kind, spec.stem))))
                calls[kind] = packed_call(packed(net, Path(folder) / f"{kind}.aoie"))
            document[name] = compared(calls, rounds, "thermometer")
    return document


@dataclass
class Rival:
    """A network of benchmarks/rival.py, quantized; path: its ONNX file for pictures of the calibration's size."""

    net: rival.FloatNet
    label: str
    path: Path

    def said(self, inputs: Iterable[np.ndarray]) -> list[np.ndarray]:
        session = onnxruntime.InferenceSession(str(self.path), providers=["CPUExecutionProvider"])
        return [session.run(None, {"image": x})[0][0] for x in inputs]

    def calls(self, path: Path, x: np.ndarray) -> Calls:
        engines = (("onnxruntime", twins.onnxruntime_call), ("openvino", twins.openvino_call))
        return {f"{name} int8 {self.label}": call(path, x) for name, call in engines}


def quantized(words: list[str], calibration: Callable[[], Iterator[np.ndarray]], folder: Path) -> Iterator[Rival]:
    """words: RUN:WIDTH:DEPTH. calibration gives the inputs anew, the first of them for the size."""
    for run, width, depth in (word.split(":") for word in words):
        net = rival.load(Path(run), int(width), int(depth))
        path = twins.write_onnx(net, next(calibration()), folder / f"float_{width}_{depth}.onnx")
        label = f"float_{width}_{depth}, {net.macs_per_px():.0f} MACs per pixel"
        yield Rival(net, label, twins.quantize(path, calibration()))


def with_accuracy(calls: Calls, accuracy: dict[str, float], rounds: int, base: str) -> dict[str, Any]:
    rows = compared(calls, rounds, base)
    return {who: row | ({"accuracy": accuracy[who]} if who in accuracy else {}) for who, row in rows.items()}


# One look at a pixel in 64 behind the standardisation of the blocks: what that costs alone.
STANDARDIZE = NetSpec(
    "standardize",
    Stem("conv", (Conv(1, 1, 8),)),
    (),
    head=Head(window=8, stride=4),
    in_channels=1,
    input_hw=(256, 256),
    num_classes=2,
)


def rivals(rounds: int, args: argparse.Namespace) -> dict[str, Any]:
    """Accuracy on the test photographs, and time for one picture, of the shipped networks and of the int8 rivals."""
    recipe, image = recipes.get("blocks"), picture()

    def transformed(u8: np.ndarray) -> np.ndarray:
        x = transform.standardize(u8, recipe.input.window_px, recipe.input.eps_levels, recipe.input.scale)
        return x[None, None].astype(np.float32)

    calls: Calls = {}
    accuracy: dict[str, float] = {}
    for name in SHIPPED:
        model = Model.open(locate(name))
        calls[f"packed {name}"] = lambda model=model: model.run(image)
        accuracy[f"packed {name}"] = model.header["meta"]["result"]["accuracy"]
    parts = crack_blocks.load(args.data, recipe.data.split_seed, recipe.data.val_fraction)
    masked = [p for p in parts.train if p.source in crack_blocks.MASKED]
    test = [p for p in parts.test if p.source in crack_blocks.MASKED]
    x = transformed(image)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare = Model.open(packed(BinaryNet(STANDARDIZE).eval(), folder / "standardize.aoie"))
        calls["standardisation alone"] = lambda: prepare.run(image)
        for one in quantized(args.rival, lambda: (transformed(p.image_HW) for p in masked[::8]), folder):
            logits = one.said(transformed(p.image_HW) for p in test)
            score, truth = crack_blocks.known_blocks(
                test, [y[1] - y[0] for y in logits], recipe.blocks.px, recipe.blocks.stride_px
            )
            large = twins.write_onnx(one.net, x, one.path.with_suffix(".large.onnx"))
            own = one.calls(twins.quantize(large, iter([x])), x)  # the same operations at this size
            calls |= {who: lambda call=call: (prepare.run(image), call()) for who, call in own.items()}
            accuracy |= dict.fromkeys(own, float(((score >= 0) == truth).mean()))
        return with_accuracy(calls, accuracy, rounds, f"packed {SHIPPED[-1]}")


def neu_rivals(rounds: int, args: argparse.Namespace) -> dict[str, Any]:
    """The same for neu_cls: time for one picture of 200 x 200; accuracy on the test part of grouped draw 0. A rival's is that of
    the draw that it was trained on (-o data.split_seed=D), and of all of them where several RUNs have one width and depth."""

    def transformed(u8: np.ndarray) -> np.ndarray:
        return transform.apply(u8, {"kind": "center"})[None, None].astype(np.float32)

    @functools.cache
    def parts(draw: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Training pictures, test pictures, labels of these."""
        data = neu_cls.load(args.data, neu_cls.Split("grouped", draw, 0.0))
        test = data.indices("test")
        return data.images_NHW[data.indices("train")], data.images_NHW[test], data.labels_N[test]

    model, image = Model.open(locate("neu_cls")), parts(0)[1][0]
    calls: Calls = {"packed neu_cls": lambda: model.run(image)}
    accuracy = {"packed neu_cls": model.header["meta"]["result"]["accuracy"]}
    right: dict[str, list[bool]] = {}
    with tempfile.TemporaryDirectory() as name:
        for word in args.rival:
            draw = recipes.recipe_from(runs.read_checkpoint(Path(word.split(":")[0]))["recipe"]).data.split_seed
            train, test, truth = parts(draw)
            (one,) = quantized([word], lambda train=train: map(transformed, train[::8]), Path(name))
            said = [y.argmax() for y in one.said(map(transformed, test))]
            right.setdefault(one.label, []).extend(np.array(said) == truth)
            own = one.calls(one.path, transformed(image))
            calls |= own
            accuracy |= dict.fromkeys(own, float(np.mean(right[one.label])))
        return with_accuracy(calls, accuracy, rounds, "packed neu_cls")


def show(part: str, found: dict[str, Any]) -> None:
    """Tables of calls as lines; what is nested otherwise as JSON."""
    print(f"\n== {part}")
    tables = {part: found} if part in WITH_DATA else found
    for title, rows in tables.items():
        if not all(isinstance(row, dict) and "median_ms" in row for row in rows.values()):
            print(title, json.dumps(rows, indent=1))
            continue
        print(title)
        for who, row in rows.items():
            (low, high), (first, third) = row["range_ms"], row["quartiles"]
            accuracy = f"  accuracy {row['accuracy']:.4f}" if "accuracy" in row else ""
            print(f"  {who:44} {row['median_ms']:9.3f} ms ({low:.3f} to {high:.3f})"
                  f"   x {row['ratio']:.2f} ({first:.2f} to {third:.2f}){accuracy}")  # fmt: skip


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    found["onnxruntime"] = onnxruntime.__version__
    try:
        import openvino

        found["openvino"] = openvino.__version__
    except ModuleNotFoundError:
        found["openvino"] = "none"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[part for part in PARTS if part not in WITH_DATA])
    parser.add_argument("--data", type=Path, help="Folder of the data sets, for the parts with rivals.")
    parser.add_argument("--rival", action="append", default=[], help="RUN:WIDTH:DEPTH of benchmarks/rival.py.")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    document: dict[str, Any] = {"machine": platform.machine(), "versions": versions(), "rounds": args.rounds}
    makers = {f.__name__: f for f in (kernels, networks, first_stage, engines, stems, rivals, neu_rivals)}
    for part in args.parts:
        document[part] = makers[part](args.rounds, args)
        if not args.json:
            show(part, document[part])
    if args.json:
        json.dump(document, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
