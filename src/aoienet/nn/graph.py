"""The words in which a part says how it runs as packed bits. deploy/export.py gives them their meaning.

A part has `emit(g, x)`: it receives values (opaque) and returns one, in the order of its `forward`. A part without `emit`, or
one that calls `g.refuse`, makes the export stop with the reason. Arguments that are modules carry the reference: the
verifier runs these very modules in float64, so a part that emits something else than it computes is found out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Slopes:
    """v > knee ? pos v + pos_shift : neg v + neg_shift; each of shape () or [C]."""

    pos: Tensor
    neg: Tensor
    knee: Tensor
    pos_shift: Tensor
    neg_shift: Tensor

    @classmethod
    def of(cls, **values: Tensor | float) -> Slopes:
        """Missing ones: slopes 1, knee and shifts 0."""
        start = {"pos": 1.0, "neg": 1.0, "knee": 0.0, "pos_shift": 0.0, "neg_shift": 0.0}
        return cls(**{k: torch.as_tensor(values.get(k, v)).detach().double() for k, v in start.items()})


Value = Any


class Graph(Protocol):
    """x, y, a, b: maps; v: a vector per picture. Channels of the operands agree as in the modules."""

    def refuse(self, reason: str) -> NoReturn: ...

    def part(self, module: nn.Module, *values: Value) -> Value:
        """`module.emit(g, *values)`, its name remembered; identities and batch norms are known here."""

    def fix(self, x: Value) -> Value:
        """Write x now. Needed before a value is used more than once."""

    def affine(self, x: Value, scale: Tensor | float, shift: Tensor | float) -> Value:
        """scale_c x + shift_c; folded into a neighbour wherever that is exact."""

    def thermometer(self, x: Value) -> Value:
        """The planes of the picture's thermometer code."""

    def planes(self, branches: list[tuple[Value, nn.Module]]) -> Value:
        """The binary planes of activation quantizers, each on its own affine image of one value."""

    def conv_bits(self, planes: Value, conv: nn.Module) -> Value:
        """Binary convolution of the sum of the planes."""

    def conv_f32(self, x: Value, conv: nn.Conv2d) -> Value: ...

    def slopes(self, x: Value, module: nn.Module, slopes: Slopes) -> Value:
        """A two-slope function; `module` is the reference."""

    def clip(self, x: Value, module: nn.Hardtanh) -> Value: ...

    def gate(self, a: Value, b: Value, threshold: Tensor, scale: Tensor) -> Value:
        """a > threshold_c ? b : scale_c a."""

    def add(self, a: Value, b: Value) -> Value: ...

    def mul(self, a: Value, b: Value) -> Value: ...

    def concat(self, a: Value, b: Value) -> Value: ...

    def channels(self, x: Value, first: int, last: int, before: int = 0, after: int = 0) -> Value:
        """Channels first..last-1 with zero channels around them."""

    def avgpool2(self, x: Value) -> Value: ...

    def maxpool(self, x: Value, kernel: int, stride: int, padding: int) -> Value: ...

    def subsample2(self, x: Value) -> Value: ...

    def upadd2(self, a: Value, b: Value) -> Value:
        """a + b, each position of b twice in rows and columns; b is half as large, rounded up."""

    def rank1(self, x: Value, rows: Tensor, columns: Tensor) -> Value: ...

    def mean(self, x: Value) -> Value:
        """Mean over the map: a vector."""

    def pool(self, x: Value, window: int, stride: int) -> Value:
        """Mean over windows: the grid of a scanning head."""

    def peak(self, v: Value, window: int, stride: int) -> Value: ...

    def linear(self, v: Value, linear: nn.Linear) -> Value: ...

    def sigmoid(self, v: Value) -> Value: ...
