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
from aoienet.deploy import export
from aoienet.models.net import BinaryNet

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


def hwc(x_NCHW: Tensor) -> Array:
    return x_NCHW[0].permute(1, 2, 0).numpy()


class Reference:
    """The training form in float64, asked layer by layer with the runtime's values."""

    def __init__(self, net: BinaryNet, header: dict[str, Any]):
        self.net = deepcopy(net).double().eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        graph = export.graph_of(net)
        self.ops = graph.ops
        shape = [(op["op"], op["in"], op["out"]) for op in header["graph"]]
        own = [(op.entry["op"], op.entry["in"], op.entry["out"]) for op in self.ops]
        if shape != own:
            raise ValueError(
                f"the file holds another network than the run: {len(shape)} ops, the run gives {len(own)}; "
                "pack the run again."
            )
        sizes = {name: tuple(t["shape"]) for name, t in header.get("tensors", {}).items()}
        other = [name for name, t in graph.tensors.items() if sizes and sizes.get(name) != t.shape]
        if other:
            raise ValueError(
                f"the file holds another network than the run: {other[0]} is {sizes.get(other[0])}, the run gives "
                f"{graph.tensors[other[0]].shape}; pack the run again, or name the run that it was packed from."
            )

    def compare(self, reports: list[LayerReport], values: Trace, planes_only: bool) -> int:
        """Add one picture to the reports; returns the number of bits compared."""
        compared = 0
        for report, op in zip(reports, self.ops, strict=True):
            entry = op.entry
            is_bits = entry["op"] in ("binarize", "thermometer")
            if planes_only and not is_bits:
                continue
            inputs = [values[i] for i in entry["in"]]
            if entry["op"] == "conv_bits":
                inputs = [bits.unpack(inputs[0], entry["channels"])]
            reference = op.reference(*inputs)
            if is_bits:
                planes = reference[:, 0].permute(0, 2, 3, 1).numpy()
                report.add(bits.unpack(values[entry["out"]], planes.shape[-1]), planes, exact=True)
                compared += planes.size
            else:
                report.add(values[entry["out"]], hwc(reference), exact=False)
        return compared

    def logits(self, image_i8: Array) -> Array:
        y = self.net(export.nchw(image_i8))
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
    reports = [LayerReport(op.entry["out"], op.entry["op"], op.site) for op in reference.ops]
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
