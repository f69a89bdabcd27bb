"""ONNX Runtime, on the unfolded graph in float32, gives what the packed network gives in C++: planes, maps of units, logits.

The two share no code behind the weights. Both round to float32 but in different orders: a sum within rounding of its threshold may fall on
the other side, and what comes behind that bit differs. So planes are looked at in the order of the graph, up to the first bit that differs.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

from aoienet import bits, engine
from aoienet.deploy import export, onnx, pictures
from aoienet.models import list_models
from aoienet.models.net import BinaryNet
from aoienet.quant.activation import ActivationQuantizer
from tests.models.test_export_zoo import REFUSED, small
from tests.packing import exercise, packed

onnxruntime = pytest.importorskip("onnxruntime")

PICTURES = 4
LOGIT_ROUNDING, MAP_ROUNDING = (
    1e-5,
    1e-4,
)  # of the largest value; a clipped map is smaller than the sums that it is made of
FLIPS = 1e-3  # share of the bits of the first layer that has any
SLOW = ("groupnet_resnet18",)  # 95 binary layers
# What ends a unit there is folded into what follows: the unit's map is no value of the packed graph.
FOLDED = ("aoienet_cifar_dbn_ieb", "aoienet_cifar_pan", "fracbnn", "meliusnet")


class Watched(torch.nn.Module):
    """A network that gives the outputs of its quantizers and units behind the logits; `called`: (name, module) of each."""

    def __init__(self, net: BinaryNet):
        super().__init__()
        self.net, self.spec = net, net.spec
        self.called: list[tuple[str, torch.nn.Module]] = []

    def forward(self, x_NCHW: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.called, seen = [], []

        def watch(name: str, module: torch.nn.Module) -> torch.utils.hooks.RemovableHandle:
            def keep(_module: torch.nn.Module, _x: object, y: torch.Tensor) -> None:
                self.called.append((name, module))
                seen.append(y)

            return module.register_forward_hook(keep)

        units = set(self.net.units)
        hooks = [
            watch(name, module)
            for name, module in self.net.named_modules()
            if module in units or isinstance(module, ActivationQuantizer)
        ]
        logits = self.net(x_NCHW)
        for hook in hooks:
            hook.remove()
        return logits, *seen


class Both:
    """One network in the C++ runtime and in ONNX Runtime."""

    def __init__(self, net: BinaryNet, folder: Path):
        self.header, _ = packed(net, folder / "m.aoie")
        self.model = engine.Model.open(folder / "m.aoie")
        self.ops = export.graph_of(net).ops
        watched = Watched(net)
        with torch.no_grad():
            watched(torch.zeros(1, net.spec.in_channels, *net.spec.input_hw))
        self.called = watched.called
        onnx.export(watched, folder / "m.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(folder / "m.onnx", options, providers=["CPUExecutionProvider"])

    def run(self, image: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Values of the packed graph; logits and watched outputs of ONNX Runtime."""
        values = self.model.trace(image)
        first = values[0].reshape(*image.shape[:2], -1).astype(np.float32)
        return values, [hwc(y) for y in self.session.run(None, {"image": first.transpose(2, 0, 1)[None]})]

    def flips(self, values: list[np.ndarray], seen: list[np.ndarray]) -> list[tuple[int, int]]:
        """Of every layer, in the order of the graph: differing bits, bits."""
        ours, theirs = defaultdict(list), defaultdict(list)
        for (name, module), y in zip(self.called, seen, strict=True):
            if isinstance(module, ActivationQuantizer):
                theirs[site_of(name)].append((module, y))
        for op in self.ops:
            if op.entry["op"] == "binarize":
                channels = theirs[op.site][0][1].shape[-1]
                ours[op.site] += list(bits.unpack(values[op.entry["out"]], channels))
        assert ours.keys() == theirs.keys()
        return [differing(ours[site], theirs[site]) for site in ours]

    def units(self, values: list[np.ndarray], seen: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The maps behind the units."""
        last = {op.site.split(".")[1]: op.entry["out"] for op in self.ops if op.site.startswith("units.")}
        maps = {name.split(".")[1]: y for (name, _), y in zip(self.called, seen, strict=True) if name.count(".") == 1}
        assert maps.keys() == last.keys()
        return [(values[last[unit]], maps[unit]) for unit in maps]


def site_of(name: str) -> str:
    """The `planes` that a quantizer belongs to."""
    return name[: name.rindex(".planes.") + len(".planes")]


def hwc(y: np.ndarray) -> np.ndarray:
    return y[0].transpose(1, 2, 0) if y.ndim == 4 else y[None]


def differing(planes: list[np.ndarray], outputs: list[tuple[ActivationQuantizer, np.ndarray]]) -> tuple[int, int]:
    """A quantizer's value says how many of its planes are on."""
    count = first = 0
    for act, y in outputs:
        levels = np.array([float(value) for value in act.levels().values()])
        on = np.abs(y[..., None] - levels).argmin(axis=-1)
        count += int(np.abs(on - np.sum(planes[first : first + act.passes], axis=0)).sum())
        first += act.passes
    assert first == len(planes)
    return count, sum(plane.size for plane in planes)


def near(have: np.ndarray, want: np.ndarray, rounding: float) -> bool:
    assert have.shape == want.shape
    return bool(np.abs(have - want).max() <= rounding * max(1.0, np.abs(want).max()))


NAMES = [name for name in list_models() if name not in REFUSED]


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in NAMES])
def test_onnx_runtime_gives_planes_maps_and_logits_of_the_packed_network(name, tmp_path):
    both, equal = Both(exercise(small(name)), tmp_path), 0
    for image in pictures.pictures(both.header, PICTURES if both.model.scan is None else 4 * PICTURES):
        values, (logits, *seen) = both.run(image)
        wrong, of = next((layer for layer in both.flips(values, seen) if layer[0]), (0, 1))
        assert wrong <= FLIPS * of
        if wrong:  # a sum beside its threshold: what comes behind it is another picture's
            continue
        equal += 1
        assert near(logits, both.model.run(image), LOGIT_ROUNDING)
        if not name.startswith(FOLDED):
            assert all(near(have, want, MAP_ROUNDING) for want, have in both.units(values, seen))
    assert equal >= PICTURES - 1
