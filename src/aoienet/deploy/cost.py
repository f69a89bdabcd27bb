"""What a network costs: the counts that this project publishes, and thop's counts that explain the paper's columns.

Published cost: binary MACs of all planes / 64 + real MACs ("OPs", design note 0), elementwise operations in a column of their own.
Counted on the training form, one picture, by shapes alone (the meta device: nothing is computed).

thop counts by exact class: stock convolutions and linear layers as MACs, 4 per element of a batch norm, 1 per element of a PReLU, 1 per
output of an average pooling module; every binary convolution as 0. The thermometer's buffer of 128 pictures makes thop count 128 pictures.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from aoienet.nn.conv import BinaryConv2d, Int8Conv2d
from aoienet.nn.layer import BinaryLayer
from aoienet.quant.activation import ActivationQuantizer
from aoienet.quant.weight.real import Real
from aoienet.quant.weights import WeightQuantizer

THERMOMETER_BATCH = 128
# operations per output element of a leaf module; one is a multiplication, an addition or a comparison
PER_ELEMENT = {"BatchNorm2d": 2, "BatchNorm1d": 2, "Maxout": 2, "PReLU": 2, "RPReLU": 4, "DPReLU": 4, "AvgPool2": 4}


@dataclass
class LayerCost:
    """One convolution or linear layer, or the elementwise work of a block."""

    name: str
    kind: str  # binary conv, conv, linear, elementwise
    output: tuple[int, ...]
    weights: int = 0
    weight_bits: int = 32
    macs: int = 0  # of one plane
    planes: int = 1  # binary planes that the input consists of; 1 for real ones
    elementwise: int = 0


@dataclass
class Cost:
    """Totals and rows of one picture."""

    name: str = ""
    input: tuple[int, ...] = ()
    layers: list[LayerCost] = field(default_factory=list)
    parameters: int = 0
    thop: int = 0
    packed_bytes: int | None = None
    refused: str = ""  # why it is not packed

    def _sum(self, kind: str, value: str) -> int:
        return sum(
            getattr(layer, value) for layer in self.layers if (layer.kind == "binary conv") == (kind == "binary")
        )

    @property
    def binary_weights(self) -> int:
        return sum(layer.weights for layer in self.layers if layer.weight_bits == 1)

    @property
    def int8_weights(self) -> int:
        return sum(layer.weights for layer in self.layers if layer.weight_bits == 8)

    @property
    def float_weights(self) -> int:
        return self.parameters - self.binary_weights - self.int8_weights

    @property
    def binary_macs(self) -> int:
        """Of one plane."""
        return self._sum("binary", "macs")

    @property
    def binary_macs_planes(self) -> int:
        """Of all planes."""
        return sum(layer.macs * layer.planes for layer in self.layers if layer.kind == "binary conv")

    @property
    def float_macs(self) -> int:
        return self._sum("real", "macs")

    @property
    def elementwise(self) -> int:
        return sum(layer.elementwise for layer in self.layers)

    @property
    def ops(self) -> float:
        """Bit operations / 64 + real MACs, planes counted."""
        return self.binary_macs_planes / 64 + self.float_macs

    def document(self) -> dict[str, Any]:
        """For --json."""
        totals = ("binary_weights", "int8_weights", "float_weights", "binary_macs", "binary_macs_planes", "float_macs")
        out = {key: getattr(self, key) for key in (*totals, "elementwise", "ops")}
        return {"name": self.name, "input": list(self.input), **out, "parameters": self.parameters,
                "packed_bytes": self.packed_bytes, "refused": self.refused,
                "layers": [asdict(layer) for layer in self.layers]}  # fmt: skip


def passes(multi: nn.Module) -> int:
    """Binary planes that a convolution reads; 0 for real activations."""
    own = getattr(multi, "passes", None)
    return own if own is not None else sum(m.passes for m in multi.modules() if isinstance(m, ActivationQuantizer))


class _Counter:
    def __init__(self, net: nn.Module) -> None:
        self.cost = Cost(parameters=sum(p.numel() for p in net.parameters()))
        self.names = {module: name for name, module in net.named_modules()}
        self.binary: set[nn.Module] = set()
        self.planes = {m.conv: passes(m.planes) for m in net.modules() if isinstance(m, BinaryLayer)}
        self.real = {m for m in net.modules() if isinstance(m, BinaryConv2d) and isinstance(m.weight_q, Real)}
        for module in net.modules():  # shapes do not depend on the values of the weights
            if isinstance(module, BinaryConv2d):
                module.weight_q = Real(module.weight_q.shape)

    def __call__(self, module: nn.Module, _: Any, out: Any) -> None:
        if not isinstance(out, Tensor):
            return  # of a module that passes on several values: its parts count
        if module in self.binary:
            return  # the same weights on another plane of the same value: `planes` counts them
        name, shape = self.names[module], tuple(out.shape[1:])
        layers = self.cost.layers
        if isinstance(module, BinaryConv2d):
            self.binary.add(module)
            planes, binary = self.planes.get(module, 1), module not in self.real
            macs = module.weight[0].numel() * out.numel()
            kind = "binary conv" if binary and planes else "conv"
            layers.append(
                LayerCost(name, kind, shape, module.weight.numel(), 1 if binary else 32, macs, max(planes, 1))
            )
            self.cost.thop += 0 if binary else macs
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            macs = module.weight[0].numel() * out.numel()
            bits = 8 if isinstance(module, Int8Conv2d) else 32
            kind = "conv" if isinstance(module, nn.Conv2d) else "linear"
            layers.append(LayerCost(name, kind, shape, module.weight.numel(), bits, macs))
            self.cost.thop += macs
        elif not any(True for _ in module.children()):
            self.elementwise(name, module, shape, out.numel())

    def elementwise(self, name: str, module: nn.Module, shape: tuple[int, ...], elements: int) -> None:
        if isinstance(module, nn.Identity) or type(module).__name__ == "NoScale":
            return
        count = PER_ELEMENT.get(type(module).__name__, 1)
        self.count(name, shape, (module.passes if isinstance(module, ActivationQuantizer) else count) * elements)
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            self.cost.thop += 4 * elements
        elif isinstance(module, (nn.PReLU, nn.AvgPool2d)):
            self.cost.thop += elements

    def count(self, name: str, shape: tuple[int, ...], operations: int) -> None:
        """Elementwise operations, summed up in the row of their block, the innermost one."""
        words = name.split(".")
        inner = max((i for i, word in enumerate(words) if word == "units"), default=0)
        block = ".".join(words[: inner + 2])
        last = self.cost.layers[-1] if self.cost.layers else None
        if last is None or last.kind != "elementwise" or last.name != block:
            self.cost.layers.append(LayerCost(block, "elementwise", shape))
        self.cost.layers[-1].elementwise += operations


@torch.no_grad()
def cost_of(net: nn.Module, chw: tuple[int, int, int] | None = None) -> Cost:
    """Counts for one picture of `chw`, or of the spec's size; `thop` with its factor of 128 where the stem is a thermometer."""
    spec: Any = net.spec
    shape = chw if chw is not None else (spec.in_channels, *spec.input_hw)
    plain = deepcopy(net).to("meta").eval()
    counter = _Counter(plain)
    counted = [m for m in plain.modules() if not isinstance(m, (nn.Sequential, WeightQuantizer))]
    hooks = [m.register_forward_hook(counter) for m in counted]
    plain(torch.zeros(1, *shape, device="meta"))
    for hook in hooks:
        hook.remove()
    cost = counter.cost
    cost.name, cost.input = spec.name, shape
    if spec.stem.kind == "thermometer":
        cost.thop *= THERMOMETER_BATCH
    return cost


def add_packed_size(cost: Cost, net: nn.Module) -> Cost:
    """Export the network for the bytes of its tensors, or the reason why that is refused."""
    from aoienet.deploy import export

    try:
        cost.packed_bytes = sum(t.nbytes for t in export.graph_of(net).tensors.values())  # type: ignore[arg-type]
    except export.NotExportable as reason:
        cost.refused = str(reason)
    return cost
