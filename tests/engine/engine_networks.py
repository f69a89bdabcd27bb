"""Small random networks that use every op, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from aoienet import bits

SLOPES = ("pos", "pos_shift", "neg", "neg_shift")


class Builder:
    """Collects a graph and its random tensors, value by value."""

    def __init__(self, seed: int, transform: dict[str, Any], channels: int = 1, planes: int = 2) -> None:
        self.rng = np.random.default_rng(seed)
        self.planes = planes
        self.graph: list[dict[str, Any]] = []
        self.tensors: dict[str, np.ndarray] = {}
        self.width = {0: channels}
        self.input = {"channels": channels, "height": 64, "width": 64, "fixed": False, "transform": transform}

    def tensor(self, values: np.ndarray) -> str:
        name = f"t{len(self.tensors)}"
        self.tensors[name] = np.ascontiguousarray(values)
        return name

    def floats(self, *shape: int, scale: float = 1.0) -> str:
        return self.tensor((self.rng.standard_normal(shape) * scale).astype(np.float32))

    def op(self, op: str, inputs: list[int], outputs: int, **keys: Any) -> int:
        out = len(self.graph) + 1
        self.graph.append({"op": op, "in": inputs, "out": out, **keys})
        self.width[out] = outputs
        return out

    def conv_int(self, o: int, k: int, s: int) -> int:
        i = self.width[0]
        weight = self.tensor(self.rng.integers(-900, 900, (o, k, k, i)).astype(np.int16))
        scale, bias = self.floats(o, scale=1e-4), self.floats(o)
        return self.op("conv_int", [0], o, k=k, s=s, p=k // 2, weight=weight, scale=scale, bias=bias)

    def binarize(self, x: int) -> int:
        c = self.width[x]
        flip = self.tensor(self.rng.integers(0, 2, (self.planes, c)).astype(np.uint8))
        return self.op("binarize", [x], c, threshold=self.floats(self.planes, c, scale=0.3), flip=flip)

    def conv_bits(self, x: int, o: int, k: int, s: int, planes: int | None = None) -> int:
        c = self.width[x]
        weight = bits.pack(self.rng.integers(0, 2, (o, k, k, c)).astype(np.bool_))
        names = {
            "weight": self.tensor(weight),
            "plane_scale": self.floats(planes or self.planes),
            "e": self.floats(o, scale=0.05),
            "f": self.floats(o, scale=0.05),
            "h": self.floats(16 if k == 3 else 1, o),
        }
        return self.op("conv_bits", [x], o, k=k, s=s, p=k // 2, channels=c, **names)

    def slopes(self, x: int) -> int:
        c = self.width[x]
        return self.op("slopes", [x], c, **{key: self.floats(c) for key in SLOPES})

    def dense(self, op: str, x: int, o: int) -> int:
        weight = self.floats(o, self.width[x], scale=0.2)
        return self.op(op, [x], o, weight=weight, bias=self.floats(o))

    def header(self, classes: int, scan: dict[str, Any] | None = None) -> dict[str, Any]:
        names = [f"class{i}" for i in range(classes)]
        head = {"format": "aoie", "name": "random", "planes": self.planes, "classes": names, "input": self.input}
        return {**head, "graph": self.graph, **({"scan": scan} if scan else {}), "meta": {}}


STANDARDIZE = {"kind": "standardize", "window_px": 9, "eps_levels": 2.0, "scale": 32.0}


def scanner(seed: int = 0, c: int = 24) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A block scanner, total stride 4, block 16, block stride 8; every op but thermometer and maxpool3."""
    net = Builder(seed, STANDARDIZE)
    stem = net.slopes(net.conv_int(c, 7, 2))
    x = net.op("add", [stem, net.conv_bits(net.binarize(stem), c, 3, 1)], c)
    low = net.op("avgpool2", [x], c)
    y = net.conv_bits(net.binarize(x), c, 3, 2)
    y = net.slopes(net.op("add", [y, low], c))
    wide = net.op("concat", [y, y], 2 * c)
    z = net.op("add", [wide, net.conv_bits(net.binarize(y), 2 * c, 1, 1)], 2 * c)
    z = net.dense("conv_f32", z, 19)
    net.dense("linear", net.op("pool", [z], 19, window=4, stride=2), 2)
    scan = {"block_px": 16, "block_stride_px": 8, "halo_px": 40, "total_stride": 4, "defect": 1, "threshold": 0.0}
    return net.header(2, {**scan, "temperature": 1.0}), net.tensors


def peaks() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A block scanner whose decision is the peak over 3 x 3 means: total stride 4, block 16, block stride 8."""
    net = Builder(7, STANDARDIZE)
    x = net.slopes(net.conv_int(20, 7, 4))
    x = net.conv_bits(net.binarize(x), 21, 3, 1)
    x = net.op("peak", [net.op("pool", [x], 21, window=2, stride=1)], 21, window=3, stride=2)
    net.dense("linear", x, 2)
    scan = {"block_px": 16, "block_stride_px": 8, "halo_px": 16, "total_stride": 4, "defect": 1, "threshold": 0.0}
    return net.header(2, {**scan, "temperature": 1.0}), net.tensors


def classifier(seed: int, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A whole-picture classifier: maxpool3, one plane, odd channel counts; kind: center, window 0, or colour."""
    transform = {"kind": "center"} if kind != "whole" else {**STANDARDIZE, "window_px": 0}
    net = Builder(seed, transform, channels=3 if kind == "colour" else 1, planes=1)
    x = net.op("maxpool3", [net.conv_int(17, 5, 3)], 17)
    for o, k, s in ((65, 3, 1), (33, 1, 1), (70, 3, 2)):
        x = net.conv_bits(net.binarize(x), o, k, s)
        x = net.slopes(x)
    net.dense("linear", net.op("pool", [x], 70, window=0, stride=1), 6)
    return net.header(6), net.tensors


def thermometer(seed: int, channels: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Raw pixels to thermometer planes."""
    net = Builder(seed, {"kind": "raw"}, channels=channels, planes=1)
    x = net.op("thermometer", [0], 32 * channels)
    x = net.op("avgpool2", [net.conv_bits(x, 40, 3, 1)], 40)
    x = net.op("maxpool3", [x], 40)
    net.dense("linear", net.op("pool", [x], 40, window=0), 3)
    return net.header(3), net.tensors


def everything() -> Iterator[tuple[str, tuple[dict[str, Any], dict[str, np.ndarray]]]]:
    yield "scanner", scanner()
    yield "scanner_wide", scanner(1, 80)
    yield "scanner_peak", peaks()
    for kind in ("center", "whole", "colour"):
        yield f"classifier_{kind}", classifier(2, kind)
    yield "thermometer_grey", thermometer(3, 1)
    yield "thermometer_colour", thermometer(4, 3)
