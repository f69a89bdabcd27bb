"""Small hand-made networks that use every op: (header without tensors, tensors), from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from aoienet import bits

Model = tuple[dict[str, Any], dict[str, np.ndarray]]


def _f32(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def _words(rng: np.random.Generator, outputs: int, k: int, channels: int) -> np.ndarray:
    return bits.pack(rng.random((outputs, k, k, channels)) < 0.5)


def scan_model(seed: int = 0) -> Model:
    """Grey, standardize, total stride 8, blocks of 64 px with a step of 32 px: all ops of the f32 path."""
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
        "mix.weight": _f32(rng, 8, 8),
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
        {"op": "maxpool3", "in": [1], "out": 2},
        {"op": "binarize", "in": [2], "out": 3, "threshold": "bin.threshold", "flip": "bin.flip"},
        {"op": "conv_bits", "in": [3], "out": 4, "k": 3, "s": 2, "p": 1, "channels": 8}
        | {key: f"c1.{key}" for key in ("weight", "plane_scale", "e", "f", "h")},
        {"op": "avgpool2", "in": [2], "out": 5},
        {"op": "conv_f32", "in": [5], "out": 6, "weight": "mix.weight", "bias": "mix.bias"},
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
