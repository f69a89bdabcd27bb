"""A network as data: frozen dataclasses that the builder (models/net.py) and the exporter (deploy/fold.py) read."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Unit:
    """One binary convolution with what stands around it.

    pre      dual_bn: two batch norms, two planes, their sum (DBN-IEB); none: one plane of the input itself
    out_act  activation before the add (FracBNN's RPReLU)
    pan      activation between the add and the shift batch norm (PAN)
    shift    the batch norm after the add
    """

    out: int
    kernel: int = 3
    stride: int = 1
    pre: Literal["dual_bn", "none"] = "dual_bn"
    out_act: Literal["none", "rprelu"] = "none"
    pan: Literal["none", "maxout", "prelu"] = "maxout"
    shift: bool = True


@dataclass(frozen=True)
class Stem:
    """thermometer: 32 bits per colour and a binary 3x3 convolution; conv: float convolutions, given as (out, kernel, stride)."""

    kind: Literal["thermometer", "conv"]
    convs: tuple[tuple[int, int, int], ...]
    maxout: bool = False
    maxpool: bool = False


@dataclass(frozen=True)
class Head:
    """Mean over the map, or over `window` positions every `stride`, then the peak over `peak` of these every
    `peak_stride`; then a linear layer. The peak keeps a crack that crosses a corner of a block from being averaged away.
    """

    batchnorm: bool = False
    window: int = 0
    stride: int = 1
    peak: int = 1
    peak_stride: int = 1


@dataclass(frozen=True)
class NetSpec:
    name: str
    stem: Stem
    units: tuple[Unit, ...]
    head: Head = Head()
    in_channels: int = 3
    input_hw: tuple[int, int] = (32, 32)
    num_classes: int = 10
    shortcut: Literal["avgpool_dup", "avgpool_conv1x1", "avgpool_conv1x1_bn"] = "avgpool_dup"
    act_q: str = "affine"
    weight_q: str = "affine_ede"
    surrogate: str = "approx"
    spread: float = 0.5  # the two BN biases start at +spread and -spread: otherwise the branches never part

    @property
    def total_stride(self) -> int:
        stride = 2 if self.stem.maxpool else 1
        for step in (*(conv[2] for conv in self.stem.convs), *(unit.stride for unit in self.units)):
            stride *= step
        return stride

    @property
    def planes(self) -> int:
        return 2 if any(unit.pre == "dual_bn" for unit in self.units) else 1


def residual_pairs(widths: tuple[tuple[int, int, int], ...]) -> tuple[Unit, ...]:
    """Stages given as (width, units, stride of the first unit)."""
    return tuple(Unit(w, 3, s if i == 0 else 1) for w, n, s in widths for i in range(n))
