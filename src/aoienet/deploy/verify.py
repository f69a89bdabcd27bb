"""Packed file against the trained network, layer by layer.

Every layer of the training form (float64, nothing folded) is given the very input that the runtime had. Its binary planes must then be
the runtime's bit for bit: thresholds are folded so that this holds for every float32 input. Float layers must agree
within `ROUNDING` times the largest value of the layer (float32 against float64).

Besides, the training form runs freely from the image to the logits: there a sum that is rounded in float32 may fall on the other
side of a threshold, so this second comparison is reported and not judged.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aoienet import bits
from aoienet.deploy.fold import PlaneSet
from aoienet.models.net import BinaryNet
from aoienet.nn.layers import thermometer

ROUNDING = 1e-4
PAIRS = 5
Array = np.ndarray
Trace = list[Array]


@dataclass
class LayerReport:
    """What was compared in one layer. `differing` counts bits, or floats beyond the rounding."""

    value: int
    op: str
    site: str
    elements: int = 0
    differing: int = 0
    largest_difference: float = 0.0
    largest_value: float = 0.0
    pairs: list[tuple[float, float]] = field(default_factory=list)  # first differing (runtime, training form)

    def add(self, runtime: Array, reference: Array, exact: bool) -> None:
        a, b = runtime.astype(np.float64).ravel(), reference.astype(np.float64).ravel()
        self.elements += a.size
        difference = np.abs(a - b)
        peak = float(np.abs(b).max(initial=0.0))
        wrong = difference > (0.0 if exact else ROUNDING * max(1.0, peak))
        self.differing += int(wrong.sum())
        self.largest_value = max(self.largest_value, peak)
        self.largest_difference = max(self.largest_difference, float(difference.max(initial=0.0)))
        for i in np.flatnonzero(wrong)[: PAIRS - len(self.pairs)]:
            self.pairs.append((float(a[i]), float(b[i])))


@dataclass
class Verification:
    layers: list[LayerReport]
    blocks: int = 0
    bits: int = 0
    free_blocks: int = 0
    free_same_class: int = 0
    free_largest_logit_difference: float = 0.0

    @property
    def first_difference(self) -> LayerReport | None:
        return next((layer for layer in self.layers if layer.differing), None)

    @property
    def passed(self) -> bool:
        return self.first_difference is None and self.blocks > 0

    def document(self) -> dict[str, Any]:
        """For --json."""
        first = self.first_difference
        return {
            "passed": self.passed,
            "rounding": ROUNDING,
            "first_differing_layer": None if first is None else asdict(first),
            **asdict(self),
        }


def nchw(map_HWC: Array) -> Tensor:
    map_HWC = map_HWC[..., None] if map_HWC.ndim == 2 else map_HWC
    return torch.from_numpy(np.ascontiguousarray(map_HWC.astype(np.float64))).permute(2, 0, 1)[None]


def hwc(x_NCHW: Tensor) -> Array:
    return x_NCHW[0].permute(1, 2, 0).numpy()


class Reference:
    """The training form in float64, asked layer by layer with the runtime's values."""

    def __init__(self, net: BinaryNet, header: dict[str, Any]):
        self.net = deepcopy(net).double().eval().to(memory_format=torch.contiguous_format)
        self.header = header
        self.sites: dict[int, str] = {int(k): v for k, v in header["meta"]["sites"].items()}
        self.rules: dict[str, Callable[[dict[str, Any], str, Trace], Array]] = {
            "thermometer": self.thermometer,
            "binarize": self.binarize,
            "conv_bits": self.conv_bits,
            "slopes": self.slopes,
            "linear": self.linear,
            "add": lambda op, site, values: values[op["in"][0]].astype(np.float64) + values[op["in"][1]],
            "conv_int": lambda op, site, values: self.module(site, values[op["in"][0]]),
            "maxpool3": lambda op, site, values: self.module(site, values[op["in"][0]]),
            "avgpool2": lambda op, site, values: self.module(site, values[op["in"][0]]),
            "conv_f32": self.conv_f32,
            "concat": lambda op, site, values: np.concatenate([values[i] for i in op["in"]], axis=-1),
            "pool": self.pool,
            "peak": self.peak,
        }

    def module(self, site: str, value: Array) -> Array:
        return hwc(self.net.get_submodule(site)(nchw(value)))

    def thermometer(self, op: dict[str, Any], site: str, values: Trace) -> Array:
        return hwc(thermometer(nchw(values[0])))[None] > 0

    def binarize(self, op: dict[str, Any], site: str, values: Trace) -> Array:
        planes = self.net.get_submodule(site)
        x = nchw(values[op["in"][0]])
        sets = zip(planes.planes(x), planes.act, strict=True)  # type: ignore[operator,arg-type]
        return np.stack([hwc(q > act.beta) for q, act in sets])

    def conv_bits(self, op: dict[str, Any], site: str, values: Trace) -> Array:
        bits_JHWC = bits.unpack(values[op["in"][0]], op["channels"])
        part = self.net.get_submodule(site.removesuffix(".bn_post"))
        if site == "stem":
            return hwc(part.bn(part.conv(nchw(np.where(bits_JHWC[0], 1.0, -1.0)))))  # type: ignore[operator]
        planes = PlaneSet.of(part.planes)  # type: ignore[arg-type]
        z = sum(low + step * plane for low, step, plane in zip(planes.low, planes.step, bits_JHWC, strict=True))
        return hwc(part.bn_post(part.conv(nchw(np.asarray(z)))))  # type: ignore[operator]

    def slopes(self, op: dict[str, Any], site: str, values: Trace) -> Array:
        x = nchw(values[op["in"][0]])
        part = self.net.get_submodule(site)
        return hwc(part.bn_shift(part.pan(x)) if hasattr(part, "bn_shift") else part(x))  # type: ignore[operator]

    def conv_f32(self, op: dict[str, Any], site: str, values: Trace) -> Array:
        part = self.net.get_submodule(site)
        x = part.conv(nchw(values[op["in"][0]]))  # type: ignore[operator]
        return hwc(x if part.bn is None else part.bn(x))  # type: ignore[operator]

    def pool(self, op: dict[str, Any], site: str, values: Trace) -> Array:
        x = nchw(values[op["in"][0]])
        if op["window"] == 0:
            return hwc(x.mean(dim=(2, 3), keepdim=True))
        return hwc(torch.nn.functional.avg_pool2d(x, op["window"], op["stride"]))

    def peak(self, op: dict[str, Any], site: str, values: Trace) -> Array:
        return hwc(torch.nn.functional.max_pool2d(nchw(values[op["in"][0]]), op["window"], op["stride"]))

    def linear(self, op: dict[str, Any], site: str, values: Trace) -> Array:
        x = torch.from_numpy(values[op["in"][0]].astype(np.float64))
        vectors = self.net.head_bn(x.reshape(-1, x.shape[-1]))
        return self.net.linear(vectors).reshape(*x.shape[:2], -1).numpy()

    def compare(self, reports: list[LayerReport], values: Trace, planes_only: bool) -> int:
        """Add one picture to the reports; returns the number of bits compared."""
        compared = 0
        for report, op in zip(reports, self.header["graph"], strict=True):
            is_bits = op["op"] in ("binarize", "thermometer")
            site = self.sites.get(op["out"], "")
            if (planes_only and not is_bits) or (op["op"] in ("conv_bits", "slopes") and not site):
                continue
            reference = self.rules[op["op"]](op, site, values)
            runtime = bits.unpack(values[op["out"]], reference.shape[-1]) if is_bits else values[op["out"]]
            report.add(runtime, reference, exact=is_bits)
            compared += reference.size if is_bits else 0
        return compared

    def logits(self, image_i8: Array) -> Array:
        y = self.net(nchw(image_i8))
        return hwc(y) if y.ndim == 4 else y.numpy()[None]


@torch.no_grad()
def verify(
    net: BinaryNet,
    header: dict[str, Any],
    trace: Callable[[Array], Trace],
    images: Iterable[Array],
    full: int = 32,
    done: Callable[[int], None] = lambda blocks: None,
) -> Verification:
    """Compare on `images` (uint8): binary planes of all of them; float layers and the free run on the first `full`.

    trace: the runtime's values for an image (engine.Model.trace). Units: blocks = decisions (logit vectors).
    """
    reference = Reference(net, header)
    reports = [LayerReport(op["out"], op["op"], reference.sites.get(op["out"], "")) for op in header["graph"]]
    result = Verification(reports)
    for number, image in enumerate(images):
        values = trace(image)
        result.bits += reference.compare(reports, values, planes_only=number >= full)
        logits = values[-1]
        blocks = logits.shape[0] * logits.shape[1]
        result.blocks += blocks
        if number < full:
            free = reference.logits(values[0])
            result.free_blocks += blocks
            result.free_same_class += int((free.argmax(-1) == logits.argmax(-1)).sum())
            worst = float(np.abs(free - logits).max())
            result.free_largest_logit_difference = max(result.free_largest_logit_difference, worst)
        done(result.blocks)
    return result
