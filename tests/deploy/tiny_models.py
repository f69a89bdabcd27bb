"""Small hand-made networks that use every op between them: (header without tensors, tensors), from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from aoienet import bits

Model = tuple[dict[str, Any], dict[str, np.ndarray]]


def _f32(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def _words(rng: np.random.Generator, outputs: int, k: int, channels: int, kw: int | None = None) -> np.ndarray:
    return bits.pack(rng.random((outputs, k, k if kw is None else kw, channels)) < 0.5)


def scan_model(seed: int = 0) -> Model:
    """Grey, standardize, total stride 8, blocks of 64 px with a step of 32 px: the ops of the crack scanner and more."""
    rng = np.random.default_rng(seed)
    tensors = {
        "stem.weight": rng.integers(-300, 300, (8, 5, 5, 1)).astype(np.int16),
        "stem.scale": _f32(rng, 8) * np.float32(1e-4),
        "stem.bias": _f32(rng, 8),
        "bin.threshold": _f32(rng, 2, 8),
        "bin.flip": rng.integers(0, 2, (2, 8)).astype(np.uint8),
        "c1.weight": _words(rng, 8, 3, 8),
        "c1.plane_scale": np.array([0.5, 0.25], np.float32),
        "c1.e": _f32(rng, 8),
        "c1.f": _f32(rng, 8),
        "c1.h": _f32(rng, 16, 8),
        "mix.weight": _f32(rng, 8, 1, 1, 8),
        "mix.bias": _f32(rng, 8),
        "sl.pos": _f32(rng, 8),
        "sl.pos_shift": _f32(rng, 8),
        "sl.neg": _f32(rng, 8),
        "sl.neg_shift": _f32(rng, 8),
        "bin2.threshold": _f32(rng, 2, 16),
        "bin2.flip": np.zeros((2, 16), np.uint8),
        "c2.weight": _words(rng, 70, 1, 16),
        "c2.plane_scale": np.array([1.0, 0.75], np.float32),
        "c2.e": _f32(rng, 70),
        "c2.f": _f32(rng, 70),
        "c2.h": _f32(rng, 1, 70),
        "fc.weight": _f32(rng, 2, 70),
        "fc.bias": _f32(rng, 2),
    }
    graph = [
        {"op": "conv_int", "in": [0], "out": 1, "k": 5, "s": 2, "p": 2}
        | {"weight": "stem.weight", "scale": "stem.scale", "bias": "stem.bias"},
        {"op": "maxpool", "in": [1], "out": 2, "k": 3, "s": 2, "p": 1},
        {"op": "binarize", "in": [2], "out": 3, "threshold": "bin.threshold", "flip": "bin.flip"},
        {"op": "conv_bits", "in": [3], "out": 4, "k": 3, "s": 2, "p": 1, "channels": 8}
        | {key: f"c1.{key}" for key in ("weight", "plane_scale", "e", "f", "h")},
        {"op": "avgpool2", "in": [2], "out": 5},
        {"op": "conv_f32", "in": [5], "out": 6, "k": 1, "s": 1, "p": 0, "groups": 1}
        | {"weight": "mix.weight", "bias": "mix.bias"},
        {"op": "add", "in": [4, 6], "out": 7},
        {"op": "slopes", "in": [7], "out": 8} | {key: f"sl.{key}" for key in ("pos", "pos_shift", "neg", "neg_shift")},
        {"op": "concat", "in": [8, 8], "out": 9},
        {"op": "binarize", "in": [9], "out": 10, "threshold": "bin2.threshold", "flip": "bin2.flip"},
        {"op": "conv_bits", "in": [10], "out": 11, "k": 1, "s": 1, "p": 0, "channels": 16}
        | {key: f"c2.{key}" for key in ("weight", "plane_scale", "e", "f", "h")},
        {"op": "pool", "in": [11], "out": 12, "window": 8, "stride": 4},
        {"op": "linear", "in": [12], "out": 13, "weight": "fc.weight", "bias": "fc.bias"},
    ]
    header = {
        "format": "aoie",
        "name": "tiny_scan",
        "planes": 2,
        "classes": ["clean", "crack"],
        "input": {
            "channels": 1,
            "height": 96,
            "width": 128,
            "fixed": False,
            "transform": {"kind": "standardize", "window_px": 9, "eps_levels": 2.0, "scale": 32.0},
        },
        "graph": graph,
        "scan": {
            "block_px": 64,
            "block_stride_px": 32,
            "halo_px": 64,
            "total_stride": 8,
            "defect": 1,
            "threshold": 0.0,
            "temperature": 1.0,
        },
        "meta": {"note": 'hand-made "\\/\n\té'},
    }
    return header, tensors


def picture_model(seed: int = 0) -> Model:
    """RGB, raw, fixed 9x7, thermometer (96 channels, pad bits), whole-map pool: the CIFAR kind of network."""
    rng = np.random.default_rng(seed)
    tensors = {
        "w": _words(rng, 5, 3, 96),
        "ps": np.ones(1, np.float32),
        "e": _f32(rng, 5),
        "f": _f32(rng, 5),
        "h": _f32(rng, 16, 5),
        "fw": _f32(rng, 3, 5),
        "fb": _f32(rng, 3),
    }
    graph = [
        {"op": "thermometer", "in": [0], "out": 1},
        {"op": "conv_bits", "in": [1], "out": 2, "k": 3, "s": 1, "p": 1, "channels": 96}
        | {"weight": "w", "plane_scale": "ps", "e": "e", "f": "f", "h": "h"},
        {"op": "pool", "in": [2], "out": 3, "window": 0, "stride": 1},
        {"op": "linear", "in": [3], "out": 4, "weight": "fw", "bias": "fb"},
    ]
    header = {
        "format": "aoie",
        "name": "tiny_picture",
        "planes": 1,
        "classes": ["a", "b", "c"],
        "input": {"channels": 3, "height": 9, "width": 7, "fixed": True, "transform": {"kind": "raw"}},
        "graph": graph,
    }
    return header, tensors


def mixed_model(seed: int = 0) -> Model:
    """RGB, center, fixed 10x9: the ops of published networks that the other two lack; weights shared by two ops."""
    rng = np.random.default_rng(seed)
    slopes = ("pos", "pos_shift", "neg", "neg_shift", "knee")
    tensors = {
        "stem.weight": rng.integers(-300, 300, (6, 3, 3, 3)).astype(np.int16),
        "stem.scale": _f32(rng, 6) * np.float32(1e-4),
        "stem.bias": _f32(rng, 6),
        "group.weight": _f32(rng, 8, 3, 3, 3),
        "group.bias": _f32(rng, 8),
        **{f"act.{key}": _f32(rng, 8) for key in slopes},
        "first.threshold": _f32(rng, 2, 8),
        "second.threshold": _f32(rng, 2, 8),
        "flip": rng.integers(0, 2, (2, 8)).astype(np.uint8),
        "tall.weight": _words(rng, 8, 3, 8, 1),
        "wide.weight": _words(rng, 8, 1, 8, 3),
        "plane_scale": np.array([0.5, 0.25], np.float32),
        "e": _f32(rng, 8),
        "f": _f32(rng, 8),
        "h": _f32(rng, 16, 8),
        **{f"gate.{key}": _f32(rng, 8) for key in ("threshold", "scale", "shift")},
        "squeeze.weight": _f32(rng, 4, 8),
        "squeeze.bias": _f32(rng, 4),
        **{f"relu.{key}": _f32(rng, 4) for key in slopes[:4]},
        "excite.weight": _f32(rng, 8, 4),
        "excite.bias": _f32(rng, 8),
        "rows": _f32(rng, 6),
        "columns": _f32(rng, 5),
        "fc.weight": _f32(rng, 3, 8),
        "fc.bias": _f32(rng, 3),
    }
    constants = {"plane_scale": "plane_scale", "e": "e", "f": "f", "h": "h"}
    ops: list[dict[str, Any]] = [
        {"op": "conv_int", "in": [0], "k": 3, "s": 1, "p": 1}
        | {"weight": "stem.weight", "scale": "stem.scale", "bias": "stem.bias"},
        {"op": "maxpool", "in": [1], "k": 2, "s": 1, "p": 1},
        {"op": "conv_f32", "in": [2], "k": 3, "s": 2, "p": 1, "groups": 2}
        | {"weight": "group.weight", "bias": "group.bias"},
        {"op": "slopes", "in": [3]} | {key: f"act.{key}" for key in slopes},
        {"op": "binarize", "in": [4], "threshold": "first.threshold", "flip": "flip"},
        {"op": "binarize", "in": [4], "threshold": "second.threshold", "flip": "flip"},
        {"op": "conv_bits", "in": [5], "k": 3, "kw": 1, "s": 1, "channels": 8, "weight": "tall.weight"} | constants,
        {"op": "conv_bits", "in": [6], "k": 3, "kw": 1, "s": 1, "channels": 8, "weight": "tall.weight"} | constants,
        {"op": "add", "in": [7, 8]},
        {"op": "conv_bits", "in": [5], "k": 1, "kw": 3, "s": 1, "channels": 8, "weight": "wide.weight"} | constants,
        {"op": "gate", "in": [9, 10]} | {key: f"gate.{key}" for key in ("threshold", "scale", "shift")},
        {"op": "clip", "in": [11], "low": -1, "high": 1.5},
        {"op": "pool", "in": [12], "window": 0},
        {"op": "linear", "in": [13], "weight": "squeeze.weight", "bias": "squeeze.bias"},
        {"op": "slopes", "in": [14]} | {key: f"relu.{key}" for key in slopes[:4]},
        {"op": "linear", "in": [15], "weight": "excite.weight", "bias": "excite.bias"},
        {"op": "sigmoid", "in": [16]},
        {"op": "mul", "in": [12, 17]},
        {"op": "rank1", "in": [18], "rows": "rows", "columns": "columns"},
        {"op": "mul", "in": [19, 4]},
        {"op": "channels", "in": [20], "from": 2, "to": 6, "before": 1, "after": 3},
        {"op": "subsample2", "in": [21]},
        {"op": "avgpool2", "in": [20]},
        {"op": "add", "in": [22, 23]},
        {"op": "sigmoid", "in": [24]},
        {"op": "pool", "in": [25], "window": 2, "stride": 2},
        {"op": "mul", "in": [26, 13]},
        {"op": "add", "in": [27, 17]},
        {"op": "clip", "in": [28], "low": -3.5, "high": 3.5},
        {"op": "linear", "in": [29], "weight": "fc.weight", "bias": "fc.bias"},
    ]
    header = {
        "format": "aoie",
        "name": "tiny_mixed",
        "planes": 2,
        "classes": ["a", "b", "c"],
        "input": {"channels": 3, "height": 10, "width": 9, "fixed": True, "transform": {"kind": "center"}}
        | {"resize_px": 12},
        "graph": [entry | {"out": index + 1} for index, entry in enumerate(ops)],
    }
    return header, tensors
