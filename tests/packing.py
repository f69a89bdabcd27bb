"""Pack a network whose every constant is exercised, and compare it layer by layer with its training form."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from aoienet import engine
from aoienet.deploy import export, format, pictures, simulate, verify
from aoienet.models.blocks.unit import Unit
from aoienet.models.net import BinaryNet
from aoienet.models.spec import Conv, NetSpec, Stem
from aoienet.nn.cell import Cell

SCAN = {"block_px": 64, "block_stride_px": 32, "total_stride": 8, "defect": 1, "threshold": 0.5, "temperature": 1.0}


def tiny(cell: Cell, *units: Unit, channels: int = 8, hw: tuple[int, int] = (5, 6)) -> BinaryNet:
    """A real stem, the units (two of stride 1 and 2 when none are given), a linear layer."""
    body = units if units else (Unit(channels), Unit(2 * channels, stride=2))
    stem = Stem("conv", (Conv(channels, 3, 1),))
    return BinaryNet(NetSpec("tiny", stem, body, cell=cell, input_hw=hw, num_classes=3))


@torch.no_grad()
def exercise(net: BinaryNet, seed: int = 0) -> BinaryNet:
    """Move every parameter but the weights of convolutions and linear layers, some of batch norm below 0; run the statistics in."""
    rng = torch.Generator().manual_seed(seed)
    for name, p in net.named_parameters():
        if p.ndim < 2 or "shift" in name:
            p.add_(0.3 * torch.randn(p.shape, generator=rng))
    for module in net.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
            module.weight.add_(0.4 * torch.randn(module.weight.shape, generator=rng))
    net.train()
    hw, channels = net.spec.input_hw, net.spec.in_channels
    middle = 0 if net.spec.stem.kind == "thermometer" else 128
    for _ in range(3):
        net(torch.randint(0, 256, (4, channels, *hw), generator=rng).float() - middle)
    return net.eval()


def kind(block: Any) -> tuple[Any, ...]:
    """What a block is but for its width."""
    return type(block), *(value for key, value in vars(block).items() if key != "out")


def distinct(spec: NetSpec, hw: tuple[int, int]) -> NetSpec:
    """The network up to the first block of every kind, equal blocks once, for pictures of that size."""
    kinds = [kind(block) for block in spec.body]
    last = max(kinds.index(each) for each in kinds)
    return replace(spec, body=tuple(dict.fromkeys(spec.body[: last + 1])), input_hw=hw)


def transform_of(net: BinaryNet) -> dict:
    if net.spec.stem.kind == "thermometer":
        return {"kind": "raw"}
    if net.spec.in_channels == 1:
        return {"kind": "standardize", "window_px": 65, "eps_levels": 2.0, "scale": 32.0}
    return {"kind": "center"}


def packed(net: BinaryNet, path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Write `path`; header and tensors as read from it."""
    info = {
        "classes": [f"class_{i}" for i in range(net.spec.num_classes)],
        "transform": transform_of(net),
        "scan": SCAN if net.spec.head.window else None,
        "model_name": net.spec.name,
        "recipe": {},
        "result": {},
    }
    format.write(path, *export.pack(net, info, net.spec.name))
    return format.read(path)


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    """Also of -0 and NaN."""
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    return left.shape == right.shape and left.dtype == right.dtype and left.tobytes() == right.tobytes()


def tracer(path: Path) -> tuple[dict[str, Any], Callable[[np.ndarray], list[np.ndarray]]]:
    """(header, trace) of a packed file: the values in C++, which every instruction set and NumPy give alike."""
    header, tensors = format.read(path)
    models = []
    for isa in engine.isas():
        with mock.patch.dict(os.environ, AOIENET_ISA=isa):
            models.append(engine.Model.open(path))

    def trace(image: np.ndarray) -> list[np.ndarray]:
        slow = simulate.run(header, tensors, image)
        for model in models:
            fast = model.trace(image)
            for entry in header["graph"]:
                same = same_bits(fast[entry["out"]], slow[entry["out"]])
                assert same, f"{model.isa} and NumPy differ in {entry}"
            assert same_bits(model.run(image), fast[header["graph"][-1]["out"]]), (
                f"{model.isa}: a run differs from its trace"
            )
        return fast

    return header, trace


def verified(net: BinaryNet, folder: Path, count: int = 1) -> verify.Verification:
    """Pack to a file, read it, run it in C++ with every instruction set and in NumPy, compare."""
    packed(net, folder / "m.aoie")
    header, trace = tracer(folder / "m.aoie")
    return verify.verify(net, header, trace, list(pictures.pictures(header, count)))
