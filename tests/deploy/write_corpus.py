"""Write the hostile and a few good model files as seeds of the fuzzer: write_corpus.py FOLDER (see `make fuzz`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from hostile_cases import cases, forge, good_bytes, layout  # noqa: E402
from tiny_models import mixed_model, picture_model  # noqa: E402

MOST_BYTES = 16_384  # larger seeds make every execution slow and reach nothing that the small ones do not


def smallest(middle: list[dict[str, Any]], tensors: dict[str, np.ndarray]) -> bytes:
    """A network of one channel: a 1 x 1 stem, what is given (values 1 to 2 and on), mean and linear."""
    one = np.ones(1, np.float32)
    stem = {"op": "conv_int", "in": [0], "out": 1, "k": 1, "s": 1, "p": 0, "weight": "w", "scale": "o", "bias": "o"}
    graph = [stem, *middle]
    last = graph[-1]["out"]
    graph += [
        {"op": "pool", "in": [last], "out": last + 1, "window": 0},
        {"op": "linear", "in": [last + 1], "out": last + 2, "weight": "l", "bias": "b"},
    ]
    header = {
        "format": "aoie", "name": "s", "planes": 2, "classes": ["a", "b"], "graph": graph,
        "input": {"channels": 1, "height": 8, "width": 8, "fixed": False, "transform": {"kind": "center"}},
    }  # fmt: skip
    given = {
        "w": np.ones((1, 1, 1, 1), np.int16),
        "o": one,
        "l": np.ones((2, 1), np.float32),
        "b": np.ones(2, np.float32),
    }
    return forge(*layout(header, given | tensors))


def small_seeds() -> dict[str, bytes]:
    """One file of about a kilobyte per op: the fuzzer gets through thousands of them in a second."""

    def op(name: str, **keys: Any) -> list[dict[str, Any]]:
        return [{"op": name, "in": [1, 1] if name in ("add", "mul", "gate", "concat") else [1], "out": 2, **keys}]

    half = np.full((1, 1), 0.5, np.float32)
    bits: dict[str, Any] = {"q": np.zeros((1, 1), np.uint8), "t": half, "x": np.ones((1, 3, 3, 1), np.uint64)}
    bits |= {"h": np.ones((16, 1), np.float32)}
    binarize = {"op": "binarize", "in": [1], "out": 2, "threshold": "t", "flip": "q"}
    conv = {"op": "conv_bits", "in": [2], "out": 3, "k": 3, "s": 1, "channels": 1, "weight": "x",
            "plane_scale": "o", "e": "o", "f": "o", "h": "h"}  # fmt: skip
    slopes = dict.fromkeys(("pos", "pos_shift", "neg", "neg_shift", "knee"), "o")
    wide = {"l": np.ones((2, 2), np.float32)}
    return {
        "small_add": smallest(op("add"), {}),
        "small_mul": smallest(op("mul"), {}),
        "small_gate": smallest(op("gate", threshold="o", scale="o", shift="o"), {}),
        "small_concat": smallest(op("concat"), wide),
        "small_slopes": smallest(op("slopes", **slopes), {}),
        "small_clip": smallest(op("clip", low=-1.5e-3, high=2), {}),
        "small_sigmoid": smallest(op("sigmoid"), {}),
        "small_avgpool2": smallest(op("avgpool2"), {}),
        "small_subsample2": smallest(op("subsample2"), {}),
        "small_upadd2": smallest([*op("avgpool2"), {"op": "upadd2", "in": [1, 2], "out": 3}], {}),
        "small_maxpool": smallest(op("maxpool", k=3, s=2, p=1), {}),
        "small_channels": smallest(op("channels", **{"from": 0, "to": 1, "before": 1, "after": 0}), wide),
        "small_conv_f32": smallest(op("conv_f32", k=1, s=1, p=0, groups=1, weight="f", bias="o"),
                                   {"f": np.ones((1, 1, 1, 1), np.float32)}),
        "small_conv_bits": smallest([binarize, conv], bits),
        "small_stem": smallest([], {}),
    }  # fmt: skip


def seeds() -> dict[str, bytes]:
    """Name and bytes of every seed."""
    good = small_seeds() | {
        "scan": good_bytes(),
        **{f.__name__: forge(*layout(*f())) for f in (picture_model, mixed_model)},
    }
    hostile = {f"hostile_{index:03d}": data for index, (_, data, _) in enumerate(cases())}
    return {name: data for name, data in {**good, **hostile}.items() if len(data) <= MOST_BYTES}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds().items():
        (folder / name).write_bytes(data)
    print(f"{len(seeds())} seeds in {folder}")
