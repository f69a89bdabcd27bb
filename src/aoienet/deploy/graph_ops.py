"""What each op of docs/format.md takes and gives: one function per op, called while the graph is walked (`deploy/graph.py`).

Each returns the value that the op writes, or refuses with the rule and the received value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from aoienet import bits

MAX_PEAK = 64
MAX_CHANNELS = 4_096
MAX_SIDE = 65_536
MAX_STRIDE = 65_536
THERMOMETER_PLANES = 32
BORDER_CLASSES = {1: 1, 3: 16}
FLOAT32_MAX = float(np.finfo(np.float32).max)


class FormatError(ValueError):
    """A model file, or a header to be written, breaks a rule of docs/format.md."""


def refuse(rule: str, received: Any, step: str = "") -> NoReturn:
    """Raise FormatError: rule, received value, next step."""
    text = str(received)
    shown = text if len(text) <= 200 else text[:200] + "..."
    raise FormatError(f"{rule}; received {shown}." + (f" {step}" if step else ""))


def integer(table: Mapping[str, Any], key: str, low: int, high: int, where: str) -> int:
    """Return the integer at `key`, from `low` to `high`."""
    value = table.get(key)
    if type(value) is not int or not low <= value <= high:
        refuse(f"{where}: {key!r} is an integer, {low} to {high}", repr(value) if key in table else "no such key")
    return value


def number(table: Mapping[str, Any], key: str, where: str, positive: bool = False) -> float:
    """Return the finite number at `key`."""
    value = table.get(key)
    rule = f"{where}: {key!r} is a finite number{' above 0' if positive else ''}"
    if type(value) not in (int, float):
        refuse(rule, repr(value) if key in table else "no such key")
    result = float(value)  # type: ignore[arg-type]
    if positive and result <= 0:
        refuse(rule, value)
    return result


@dataclass(frozen=True)
class Value:
    """What is known of a value before it is computed."""

    kind: str  # u8, i8, f32, bits, vec
    channels: int
    height: int
    width: int
    planes: int = 1
    stride: int = 1

    @property
    def hw(self) -> tuple[int, int]:
        return self.height, self.width

    def __str__(self) -> str:
        return f"{self.kind} {(self.height, self.width, self.channels)} of stride {self.stride}"


class Op:
    """One entry of the graph with its tensors, and the checks that all ops share."""

    def __init__(
        self, index: int, entry: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], fixed: bool = False
    ) -> None:
        self.where = f"op {index} ({entry['op']})"
        self.entry = entry
        self.tensors = tensors
        self.fixed = fixed  # every picture has the size of `input`

    def integer(self, key: str, low: int, high: int) -> int:
        return integer(self.entry, key, low, high, self.where)

    def float32(self, key: str) -> float:
        """Return the number at `key`, rounded to float32."""
        value = number(self.entry, key, self.where)
        if abs(value) > FLOAT32_MAX:
            refuse(f"{self.where}: {key!r} is in the range of float32", value)
        return float(np.float32(value))

    def tensor(self, key: str, dtype: str, *shape: int | None) -> NDArray[Any]:
        """Return the tensor named by `key`; None in `shape` leaves a dimension open."""
        name = self.entry.get(key)
        if not isinstance(name, str) or name not in self.tensors:
            refuse(f"{self.where}: {key!r} names a tensor of the file", repr(name))
        found = self.tensors[name]
        if found.dtype != np.dtype(dtype):
            refuse(f"{self.where}: {key!r} has dtype {dtype}", found.dtype)
        if found.ndim != len(shape) or any(
            want not in (None, have) for want, have in zip(shape, found.shape, strict=True)
        ):
            refuse(f"{self.where}: {key!r} has shape {shape}", found.shape)
        return found

    def expect(self, value: Value, *kinds: str) -> None:
        if value.kind not in kinds:
            refuse(f"{self.where} reads a value of type {' or '.join(kinds)}", value.kind)

    def expect_same(self, a: Value, b: Value) -> None:
        if a != b:
            refuse(f"{self.where} takes two values of one shape", f"{a} and {b}")

    def value(self, kind: str, channels: int, hw: tuple[int, int], planes: int = 1, stride: int = 1) -> Value:
        if not 1 <= channels <= MAX_CHANNELS:
            refuse(f"{self.where}: a value has 1 to {MAX_CHANNELS} channels", channels)
        if min(hw) < 1:
            refuse(f"{self.where}: a value has at least one position at the size of the picture", hw)
        if stride > MAX_STRIDE:
            refuse(f"{self.where}: the product of the strides is at most {MAX_STRIDE}", stride)
        return Value(kind, channels, hw[0], hw[1], planes, stride)


def _side(side: int, k: int, s: int, p: int) -> int:
    return (side + 2 * p - k) // s + 1


def _thermometer(op: Op, a: Value) -> Value:
    op.expect(a, "u8")
    return op.value("bits", THERMOMETER_PLANES * a.channels, a.hw, 1, a.stride)


def _conv_int(op: Op, a: Value) -> Value:
    op.expect(a, "i8")
    k = op.integer("k", 1, 11)
    s = op.integer("s", 1, 8)
    p = op.integer("p", 0, k // 2)
    weight = op.tensor("weight", "<i2", None, k, k, a.channels)
    outputs = weight.shape[0]
    op.tensor("scale", "<f4", outputs)
    op.tensor("bias", "<f4", outputs)
    # No overflow is possible: 11 * 11 taps * 3 channels * 32768 * 128 = 1.52e9 is below 2^31.
    return op.value("f32", outputs, (_side(a.height, k, s, p), _side(a.width, k, s, p)), 1, a.stride * s)


def _conv_f32(op: Op, a: Value) -> Value:
    op.expect(a, "f32")
    k = op.integer("k", 1, 7)
    s = op.integer("s", 1, 4)
    p = op.integer("p", 0, k // 2)
    groups = op.integer("groups", 1, MAX_CHANNELS)
    if a.channels % groups:
        refuse(f"{op.where}: 'groups' divides the channels of its input ({a.channels})", groups)
    weight = op.tensor("weight", "<f4", None, k, k, a.channels // groups)
    outputs = weight.shape[0]
    if outputs % groups:
        refuse(f"{op.where}: 'groups' divides the outputs of 'weight' ({outputs})", groups)
    op.tensor("bias", "<f4", outputs)
    return op.value("f32", outputs, (_side(a.height, k, s, p), _side(a.width, k, s, p)), 1, a.stride * s)


def _binarize(op: Op, a: Value) -> Value:
    op.expect(a, "f32")
    threshold = op.tensor("threshold", "<f4", None, a.channels)
    flip = op.tensor("flip", "|u1", threshold.shape[0], a.channels)
    if threshold.shape[0] > 2:
        refuse(f"{op.where}: planes are 1 or 2", threshold.shape[0])
    if int(flip.max()) > 1:
        refuse(f"{op.where}: 'flip' is 0 or 1", int(flip.max()))
    return op.value("bits", a.channels, a.hw, threshold.shape[0], a.stride)


def _conv_bits(op: Op, a: Value) -> Value:
    op.expect(a, "bits")
    k = op.integer("k", 1, 3)
    kw = op.integer("kw", 1, 3) if "kw" in op.entry else k
    for key, taps in (("k", k), ("kw", kw)):
        if taps == 2:
            refuse(f"{op.where}: {key!r} is 1 or 3", taps)
    s = op.integer("s", 1, 2)
    if "p" in op.entry:
        op.integer("p", k // 2, k // 2)
    channels = op.integer("channels", 1, MAX_CHANNELS)
    if channels != a.channels:
        refuse(f"{op.where}: 'channels' is that of its input ({a.channels})", channels)
    weight = op.tensor("weight", "<u8", None, k, kw, bits.word_count(channels))
    if not bits.pad_bits_are_zero(weight, channels):
        refuse(f"{op.where}: pad bits are 0", f"other pad bits in {op.entry['weight']!r}")
    outputs = weight.shape[0]
    op.tensor("plane_scale", "<f4", a.planes)
    op.tensor("e", "<f4", outputs)
    op.tensor("f", "<f4", outputs)
    op.tensor("h", "<f4", BORDER_CLASSES[max(k, kw)], outputs)
    return op.value("f32", outputs, (_side(a.height, k, s, k // 2), _side(a.width, kw, s, kw // 2)), 1, a.stride * s)


def _add(op: Op, a: Value, b: Value) -> Value:
    op.expect(a, "f32", "vec")
    op.expect_same(a, b)
    return a


def _mul(op: Op, a: Value, b: Value) -> Value:
    op.expect(a, "f32", "vec")
    if (a.kind, b.kind) != ("f32", "vec"):
        op.expect_same(a, b)
    elif (b.height, b.width, b.channels) != (1, 1, a.channels):
        refuse(f"{op.where}: a vec that scales a map stands on a 1 x 1 grid and has its channels", f"{a} and {b}")
    return a


def _gate(op: Op, a: Value, b: Value) -> Value:
    op.expect(a, "f32")
    op.expect_same(a, b)
    for key in ("threshold", "scale", "shift"):
        op.tensor(key, "<f4", a.channels)
    return a


def _slopes(op: Op, a: Value) -> Value:
    op.expect(a, "f32", "vec")
    for key in ("pos", "pos_shift", "neg", "neg_shift", *(["knee"] if "knee" in op.entry else [])):
        op.tensor(key, "<f4", a.channels)
    return a


def _clip(op: Op, a: Value) -> Value:
    op.expect(a, "f32", "vec")
    low, high = op.float32("low"), op.float32("high")
    if low >= high:
        refuse(f"{op.where}: 'low' is below 'high' in float32", (low, high))
    return a


def _sigmoid(op: Op, a: Value) -> Value:
    op.expect(a, "f32", "vec")
    return a


def _rank1(op: Op, a: Value) -> Value:
    op.expect(a, "f32")
    if not op.fixed:
        refuse(f"{op.where} needs input.fixed: true", "false")
    op.tensor("rows", "<f4", a.height)
    op.tensor("columns", "<f4", a.width)
    return a


def _halved(a: Value) -> tuple[int, int]:
    return (a.height + 1) // 2, (a.width + 1) // 2


def _halves(op: Op, a: Value) -> Value:  # avgpool2, subsample2
    op.expect(a, "f32")
    return op.value("f32", a.channels, _halved(a), 1, a.stride * 2)


def _upadd2(op: Op, a: Value, b: Value) -> Value:
    op.expect(a, "f32")
    if b != op.value("f32", a.channels, _halved(a), 1, a.stride * 2):
        refuse(f"{op.where} takes a map and one of half its size, rounded up, and twice its stride", f"{a} and {b}")
    return a


def _maxpool(op: Op, a: Value) -> Value:
    op.expect(a, "f32")
    k = op.integer("k", 2, 3)
    s = op.integer("s", 1, 3)
    p = op.integer("p", 0, k // 2)
    return op.value("f32", a.channels, (_side(a.height, k, s, p), _side(a.width, k, s, p)), 1, a.stride * s)


def _channels(op: Op, a: Value) -> Value:
    op.expect(a, "f32")
    end = op.integer("to", 1, a.channels)
    begin = op.integer("from", 0, end - 1)
    zeros = op.integer("before", 0, MAX_CHANNELS) + op.integer("after", 0, MAX_CHANNELS)
    return op.value("f32", zeros + end - begin, a.hw, 1, a.stride)


def _concat(op: Op, a: Value, b: Value) -> Value:
    op.expect(a, "f32", "vec")
    op.expect(b, a.kind)
    if (a.hw, a.stride) != (b.hw, b.stride):
        refuse(f"{op.where} takes two values of one size", f"{a} and {b}")
    return op.value(a.kind, a.channels + b.channels, a.hw, 1, a.stride)


def _pool(op: Op, a: Value) -> Value:
    op.expect(a, "f32")
    window = op.integer("window", 0, MAX_SIDE)
    stride = op.integer("stride", 0 if window == 0 else 1, MAX_SIDE) if window or "stride" in op.entry else 1
    if window == 0:
        return op.value("vec", a.channels, (1, 1))
    return op.value("vec", a.channels, (_side(a.height, window, stride, 0), _side(a.width, window, stride, 0)))


def _peak(op: Op, a: Value) -> Value:
    op.expect(a, "vec")
    window, stride = op.integer("window", 1, MAX_PEAK), op.integer("stride", 1, MAX_PEAK)
    return op.value("vec", a.channels, (_side(a.height, window, stride, 0), _side(a.width, window, stride, 0)))


def _linear(op: Op, a: Value) -> Value:
    op.expect(a, "vec")
    weight = op.tensor("weight", "<f4", None, a.channels)
    op.tensor("bias", "<f4", weight.shape[0])
    return op.value("vec", weight.shape[0], a.hw)


TWO_INPUTS = ("add", "mul", "gate", "concat", "upadd2")
OPS: dict[str, Callable[..., Value]] = {
    "thermometer": _thermometer,
    "conv_int": _conv_int,
    "conv_f32": _conv_f32,
    "binarize": _binarize,
    "conv_bits": _conv_bits,
    "add": _add,
    "mul": _mul,
    "gate": _gate,
    "slopes": _slopes,
    "clip": _clip,
    "sigmoid": _sigmoid,
    "rank1": _rank1,
    "avgpool2": _halves,
    "maxpool": _maxpool,
    "subsample2": _halves,
    "upadd2": _upadd2,
    "channels": _channels,
    "concat": _concat,
    "pool": _pool,
    "peak": _peak,
    "linear": _linear,
}
