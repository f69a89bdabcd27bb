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

    def bit_weight(self, o: int, k: int, kw: int, c: int) -> str:
        return self.tensor(bits.pack(self.rng.integers(0, 2, (o, k, kw, c)).astype(np.bool_)))

    def conv_bits(self, x: int, o: int, k: int, s: int, kw: int | None = None, weight: str | None = None) -> int:
        c, taps_w = self.width[x], k if kw is None else kw
        names = {
            "weight": self.bit_weight(o, k, taps_w, c) if weight is None else weight,
            "plane_scale": self.floats(self.planes),
            "e": self.floats(o, scale=0.05),
            "f": self.floats(o, scale=0.05),
            "h": self.floats(16 if max(k, taps_w) == 3 else 1, o),
        } | ({} if kw is None else {"kw": kw})
        return self.op("conv_bits", [x], o, k=k, s=s, p=k // 2, channels=c, **names)

    def slopes(self, x: int, knee: bool = False) -> int:
        c = self.width[x]
        return self.op("slopes", [x], c, **{key: self.floats(c) for key in (*SLOPES, *(["knee"] if knee else []))})

    def maxpool(self, x: int, k: int, s: int, p: int) -> int:
        return self.op("maxpool", [x], self.width[x], k=k, s=s, p=p)

    def gate(self, a: int, b: int) -> int:
        c = self.width[a]
        return self.op("gate", [a, b], c, **{key: self.floats(c) for key in ("threshold", "scale", "shift")})

    def linear(self, x: int, o: int) -> int:
        return self.op("linear", [x], o, weight=self.floats(o, self.width[x], scale=0.2), bias=self.floats(o))

    def conv_f32(self, x: int, o: int, k: int, s: int, groups: int = 1, p: int | None = None) -> int:
        inputs = self.width[x] // groups
        weight = self.floats(o, k, k, inputs, scale=1 / (k * inputs**0.5))
        keys = {"k": k, "s": s, "p": k // 2 if p is None else p, "groups": groups}
        return self.op("conv_f32", [x], o, **keys, weight=weight, bias=self.floats(o))

    def squeeze_and_excite(self, x: int, hidden: int) -> int:
        c = self.width[x]
        inner = self.slopes(self.linear(self.op("pool", [x], c, window=0), hidden))
        return self.op("mul", [x, self.op("sigmoid", [self.linear(inner, c)], c)], c)

    def header(self, classes: int, scan: dict[str, Any] | None = None) -> dict[str, Any]:
        names = [f"class{i}" for i in range(classes)]
        head = {"format": "aoie", "name": "random", "planes": self.planes, "classes": names, "input": self.input}
        return {**head, "graph": self.graph, **({"scan": scan} if scan else {}), "meta": {}}


STANDARDIZE = {"kind": "standardize", "window_px": 9, "eps_levels": 2.0, "scale": 32.0}


def scanner(seed: int = 0, c: int = 24) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A block scanner, total stride 4, block 16, block stride 8; the ops of the crack scanner and conv_f32."""
    net = Builder(seed, STANDARDIZE)
    stem = net.slopes(net.conv_int(c, 7, 2))
    x = net.op("add", [stem, net.conv_bits(net.binarize(stem), c, 3, 1)], c)
    low = net.op("avgpool2", [x], c)
    y = net.conv_bits(net.binarize(x), c, 3, 2)
    y = net.slopes(net.op("add", [y, low], c))
    wide = net.op("concat", [y, y], 2 * c)
    z = net.op("add", [wide, net.conv_bits(net.binarize(y), 2 * c, 1, 1)], 2 * c)
    z = net.conv_f32(z, 19, 1, 1)
    net.linear(net.op("pool", [z], 19, window=4, stride=2), 2)
    scan = {"block_px": 16, "block_stride_px": 8, "halo_px": 40, "total_stride": 4, "defect": 1, "threshold": 0.0}
    return net.header(2, {**scan, "temperature": 1.0}), net.tensors


def peaks() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A block scanner whose decision is the peak over 3 x 3 means, max pooling behind its stem: total stride 4, block 16,
    block stride 8."""
    net = Builder(7, STANDARDIZE)
    x = net.maxpool(net.slopes(net.conv_int(40, 7, 2)), 3, 2, 1)
    x = net.conv_bits(net.binarize(x), 21, 3, 1)
    x = net.op("peak", [net.op("pool", [x], 21, window=2, stride=1)], 21, window=3, stride=2)
    net.linear(x, 2)
    scan = {"block_px": 16, "block_stride_px": 8, "halo_px": 16, "total_stride": 4, "defect": 1, "threshold": 0.0}
    return net.header(2, {**scan, "temperature": 1.0}), net.tensors


def classifier(seed: int, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A whole-picture classifier: maxpool, one plane, odd channel counts; kind: center, window 0, or colour."""
    transform = {"kind": "center"} if kind != "whole" else {**STANDARDIZE, "window_px": 0}
    net = Builder(seed, transform, channels=3 if kind == "colour" else 1, planes=1)
    x = net.maxpool(net.conv_int(17, 5, 3), 3, 2, 1)
    for o, k, s in ((65, 3, 1), (33, 1, 1), (70, 3, 2)):
        x = net.conv_bits(net.binarize(x), o, k, s)
        x = net.slopes(x)
    classes = 53 if kind == "colour" else 6  # tasks share out 16 at a time
    net.linear(net.op("pool", [x], 70, window=0, stride=1), classes)
    return net.header(classes), net.tensors


def thermometer(seed: int, channels: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Raw pixels to thermometer planes."""
    net = Builder(seed, {"kind": "raw"}, channels=channels, planes=1)
    x = net.op("thermometer", [0], 32 * channels)
    x = net.op("avgpool2", [net.conv_bits(x, 40, 3, 1)], 40)
    x = net.maxpool(x, 3, 2, 1)
    net.linear(net.op("pool", [x], 40, window=0), 3)
    return net.header(3), net.tensors


def strips(seed: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A block scanner of total stride 6 with 3x1 and 1x3 kernels of shared weights and local ops only."""
    net = Builder(seed, STANDARDIZE)
    x = net.maxpool(net.conv_int(21, 3, 1), 2, 1, 0)
    x = net.maxpool(net.slopes(x, knee=True), 3, 3, 1)
    for k, kw in ((3, 1), (1, 3)):
        weight = net.bit_weight(21, k, kw, 21)
        first, second = (net.conv_bits(net.binarize(x), 21, k, 1, kw, weight) for _ in range(2))
        x = net.gate(x, net.op("add", [first, second], 21))
    low = net.op("channels", [net.op("subsample2", [x], 21)], 21, **{"from": 0, "to": 21, "before": 0, "after": 0})
    y = net.conv_bits(net.binarize(x), 21, 3, 2, kw=1)
    y = net.op("clip", [net.op("add", [y, low], 21)], 21, low=-2.5, high=3)
    y = net.op("mul", [y, net.op("sigmoid", [net.conv_f32(y, 21, 5, 1, groups=7)], 21)], 21)
    net.linear(net.op("pool", [y], 21, window=2, stride=1), 2)
    scan = {"block_px": 12, "block_stride_px": 6, "halo_px": 48, "total_stride": 6, "defect": 1, "threshold": 0.0}
    return net.header(2, {**scan, "temperature": 1.0}), net.tensors


def hourglass(seed: int, c: int = 24) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A block scanner of total stride 2, a decision per position, with two coarser levels below it: tiles begin at multiples of 8."""
    net = Builder(seed, STANDARDIZE)
    fine = net.slopes(net.conv_int(c, 3, 2))
    half = net.op("add", [net.op("avgpool2", [fine], c), net.conv_bits(net.binarize(fine), c, 3, 2)], c)
    quarter = net.slopes(net.conv_bits(net.binarize(half), c, 3, 2))
    half = net.op("upadd2", [half, quarter], c)
    x = net.op("upadd2", [fine, net.slopes(net.conv_bits(net.binarize(half), c, 3, 1))], c)
    x = net.op("add", [x, net.conv_bits(net.binarize(x), c, 3, 1)], c)
    net.linear(net.op("pool", [x], c, window=1, stride=1), 4)
    scan = {"block_px": 2, "block_stride_px": 2, "align_px": 8, "halo_px": 40, "total_stride": 2, "defect": 1}
    return net.header(4, {**scan, "threshold": 0.0, "temperature": 1.0}), net.tensors


def placed(seed: int, h: int, w: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A picture of one size, weighted by place."""
    net = Builder(seed, {"kind": "center"}, channels=3)
    net.input |= {"height": h, "width": w, "fixed": True}
    x = net.maxpool(net.conv_int(18, 3, 2), 2, 2, 1)
    side = [(-(-n // 2)) // 2 + 1 for n in (h, w)]
    x = net.op("rank1", [x], 18, rows=net.floats(side[0]), columns=net.floats(side[1]))
    x = net.conv_bits(net.binarize(x), 5, 1, 1)
    x = net.op("rank1", [x], 5, rows=net.floats(side[0]), columns=net.floats(side[1]))
    net.linear(net.op("pool", [x], 5, window=0), 4)
    return net.header(4), net.tensors


def mixture(seed: int, steps: int = 14) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A random classifier of every op that takes pictures of any size, 1 x 1 too."""
    net = Builder(seed, {"kind": "center"}, channels=(1, 3)[seed % 2], planes=1 + seed % 2)
    rng = net.rng
    x = net.slopes(net.conv_int(int(rng.integers(3, 40)), 3, int(rng.integers(1, 3))))
    equals = [x]  # the maps of x's size
    for _ in range(steps):
        c, kind = net.width[x], int(rng.integers(0, 13))
        o, k = int(rng.integers(1, 40)), int(rng.integers(1, 8))
        twin = next((other for other in equals if net.width[other] == c and other != x), x)
        smaller = False
        if kind < 3:
            size = [(1, 1), (3, 1), (1, 3), (3, 3)][int(rng.integers(0, 4))]
            smaller = bool(rng.integers(0, 3) == 0)
            y = net.conv_bits(net.binarize(x), c if kind else o, size[0], 1 + smaller, size[1])
        elif kind == 3:
            y, smaller = net.conv_f32(x, o, k, int(rng.integers(1, 5))), True
        elif kind == 4:
            y = net.conv_f32(x, 2 * c, 2 * int(rng.integers(0, 4)) + 1, 1, groups=c)
        elif kind == 5:
            groups = next(g for g in (4, 3, 2, 1) if c % g == 0)
            y, smaller = net.conv_f32(x, 3 * groups, k, 2, groups), True
        elif kind == 6:
            size = int(rng.integers(2, 4))
            y, smaller = net.maxpool(x, size, int(rng.integers(1, 4)), 1), True
        elif kind == 7:
            y = net.op(("avgpool2", "subsample2")[k % 2], [x], c)
            if k < 5:
                y = net.op("upadd2", [x, y], c)
            else:
                smaller = True
        elif kind == 8:
            begin, before, after = (int(n) for n in rng.integers(0, (c, 9, 9)))
            part = {"from": begin, "to": int(rng.integers(begin, c)) + 1, "before": before, "after": after}
            y = net.op("channels", [x], part["to"] - begin + before + after, **part)
        elif kind == 9:
            y = net.gate(x, twin)
        elif kind == 10:
            y = net.op("mul", [net.op("sigmoid", [x], c), twin], c)
        elif kind == 11:
            y = net.squeeze_and_excite(x, 5)
        else:
            y = net.slopes(net.op("add", [x, twin], c), knee=True)
        y = net.op("clip", [y], net.width[y], low=-4, high=4)  # products of products stay finite
        equals = [y] if smaller else [*equals, y]
        x = y
    vec = net.op("pool", [x], net.width[x], window=0)
    vec = net.op(
        "clip",
        [net.op("mul", [vec, net.op("add", [vec, vec], net.width[x])], net.width[x])],
        net.width[x],
        low=0,
        high=1,
    )
    net.linear(vec, 3)
    return net.header(3), net.tensors


def everything() -> Iterator[tuple[str, tuple[dict[str, Any], dict[str, np.ndarray]]]]:
    yield "scanner", scanner()
    yield "scanner_wide", scanner(1, 80)
    yield "scanner_peak", peaks()
    for kind in ("center", "whole", "colour"):
        yield f"classifier_{kind}", classifier(2, kind)
    yield "thermometer_grey", thermometer(3, 1)
    yield "thermometer_colour", thermometer(4, 3)
    yield "scanner_strips", strips(5)
    yield "scanner_hourglass", hourglass(9)
    yield "placed", placed(6, 23, 18)
    yield "placed_1x9", placed(8, 1, 9)
    for seed in range(10):
        yield f"mixture_{seed}", mixture(seed)
