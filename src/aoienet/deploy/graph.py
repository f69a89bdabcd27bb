"""What a header of docs/format.md may say: input, graph, scan. Every rule refuses with its name and the received value.

The graph is walked once at the size of `input`; a value is (type, channels, height, width, planes, stride).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from aoienet import bits

MAX_OPS = 1_024
MAX_CLASSES = 4_096
MAX_PEAK = 64
MAX_CHANNELS = 4_096
MAX_SIDE = 65_536
THERMOMETER_PLANES = 32
BORDER_CLASSES = {1: 1, 3: 16}


class FormatError(ValueError):
    """A model file, or a header to be written, breaks a rule of docs/format.md."""


def refuse(rule: str, received: Any, step: str = "") -> NoReturn:
    """Raise FormatError: rule, received value, next step."""
    text = str(received)
    shown = text if len(text) <= 200 else text[:200] + "..."
    raise FormatError(f"{rule}; received {shown}." + (f" {step}" if step else ""))


@dataclass(frozen=True)
class Value:
    """What is known of a value before it is computed."""

    kind: str  # u8, i8, f32, bits, vec
    channels: int
    height: int
    width: int
    planes: int = 1
    stride: int = 1


@dataclass(frozen=True)
class Grid:
    """Extent and step of a decision in positions of the map before the pool, and that map's stride in pixels."""

    extent: int
    step: int
    stride: int


class _Op:
    """One entry of the graph with its tensors, and the checks that all ops share."""

    def __init__(self, index: int, entry: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        self.where = f"op {index} ({entry['op']})"
        self.entry = entry
        self.tensors = tensors

    def integer(self, key: str, low: int, high: int) -> int:
        return _integer(self.entry, key, low, high, self.where)

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

    def value(self, kind: str, channels: int, hw: tuple[int, int], planes: int = 1, stride: int = 1) -> Value:
        if not 1 <= channels <= MAX_CHANNELS:
            refuse(f"{self.where}: a value has 1 to {MAX_CHANNELS} channels", channels)
        if min(hw) < 1:
            refuse(f"{self.where}: a value has at least one position at the size of 'input'", hw)
        return Value(kind, channels, hw[0], hw[1], planes, stride)


def check_header(header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Raise FormatError unless the header describes a network that can run."""
    if header.get("format") != "aoie":
        refuse("'format' is \"aoie\"", repr(header.get("format")))
    if not isinstance(header.get("name"), str):
        refuse("'name' is a string", repr(header.get("name")))
    planes = _integer(header, "planes", 1, 2, "header")
    classes = header.get("classes")
    if not isinstance(classes, list) or not 2 <= len(classes) <= MAX_CLASSES:
        refuse(f"'classes' lists 2 to {MAX_CLASSES} names", classes)
    if not all(isinstance(name, str) for name in classes):
        refuse("'classes' lists strings", classes)
    image = _check_input(header.get("input"))
    result, grid = _walk(header.get("graph"), tensors, image, planes)
    if result.channels != len(classes):
        refuse("the last op gives one logit per class", f"{result.channels} logits, {len(classes)} classes")
    if "scan" in header:
        _check_scan(header["scan"], len(classes), image, grid)
    if "meta" in header and not isinstance(header["meta"], dict):
        refuse("'meta' is a JSON object", type(header["meta"]).__name__)


def check_tensor_values(name: str, tensor: NDArray[Any]) -> None:
    """Raise FormatError when a float tensor holds NaN or infinity."""
    if tensor.dtype == np.dtype("<f4") and not bool(np.isfinite(tensor).all()):
        refuse("floats are finite", f"NaN or infinity in tensor {name!r}", "Export again from a run that converged.")


def _integer(table: Mapping[str, Any], key: str, low: int, high: int, where: str) -> int:
    value = table.get(key)
    if type(value) is not int or not low <= value <= high:
        refuse(f"{where}: {key!r} is an integer, {low} to {high}", repr(value) if key in table else "no such key")
    return value


def _number(table: Mapping[str, Any], key: str, where: str, positive: bool) -> float:
    value = table.get(key)
    rule = f"{where}: {key!r} is a finite number{' above 0' if positive else ''}"
    if type(value) not in (int, float):
        refuse(rule, repr(value) if key in table else "no such key")
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        refuse(rule, "an integer beyond float64")
    if not math.isfinite(number) or (positive and number <= 0):
        refuse(rule, value)
    return number


def _check_input(table: Any) -> Value:
    if not isinstance(table, dict):
        refuse("'input' is a JSON object", type(table).__name__)
    channels = _integer(table, "channels", 1, 3, "input")
    if channels == 2:
        refuse("input: 'channels' is 1 (grey) or 3 (RGB)", channels)
    height = _integer(table, "height", 1, MAX_SIDE, "input")
    width = _integer(table, "width", 1, MAX_SIDE, "input")
    if type(table.get("fixed")) is not bool:
        refuse("input: 'fixed' is true or false", repr(table.get("fixed")))
    transform = table.get("transform")
    if not isinstance(transform, dict):
        refuse("input: 'transform' is a JSON object", type(transform).__name__)
    kind = transform.get("kind")
    if kind not in ("raw", "center", "standardize"):
        refuse("transform: 'kind' is raw, center or standardize", repr(kind))
    if kind == "standardize":
        if channels != 1:
            refuse("transform standardize takes 1 channel", channels)
        window_px = _integer(transform, "window_px", 0, MAX_SIDE, "transform")
        if window_px and window_px % 2 == 0:
            refuse("transform: 'window_px' is odd, or 0 for the whole image", window_px)
        _number(transform, "eps_levels", "transform", positive=True)
        _number(transform, "scale", "transform", positive=True)
    return Value("u8" if kind == "raw" else "i8", channels, height, width)


def _walk(graph: Any, tensors: Mapping[str, NDArray[Any]], image: Value, planes: int) -> tuple[Value, Grid]:
    """Check every op in order; return the result and the grid of decisions."""
    if not isinstance(graph, list) or not 1 <= len(graph) <= MAX_OPS:
        received = f"{len(graph)} ops" if isinstance(graph, list) else type(graph).__name__
        refuse(f"'graph' lists 1 to {MAX_OPS} ops", received)
    values = {0: image}
    grid = Grid(0, 0, image.stride)
    for index, entry in enumerate(graph):
        check = _find_op(index, entry)
        op = _Op(index, entry, tensors)
        inputs = _inputs(op, values, 2 if entry["op"] in ("add", "concat") else 1)
        out = op.integer("out", 1, MAX_OPS)
        if out in values:
            refuse(f"{op.where}: a value is written once", f"out={out}, which is written already")
        values[out] = result = check(op, *inputs)
        if result.planes > max(planes, 1):
            refuse(f"{op.where}: planes are at most those of the header ({planes})", result.planes)
        if entry["op"] == "pool":
            grid = Grid(entry["window"], entry.get("stride", 0), inputs[0].stride)
        if entry["op"] == "peak":
            grid = Grid(grid.extent + (entry["window"] - 1) * grid.step, grid.step * entry["stride"], grid.stride)
    if graph[-1]["op"] != "linear":
        refuse("the last op is linear", graph[-1]["op"])
    return result, grid


def _find_op(index: int, entry: Any) -> Callable[..., Value]:
    if not isinstance(entry, dict):
        refuse(f"op {index} is a JSON object", type(entry).__name__)
    name = entry.get("op")
    if not isinstance(name, str) or name not in _OPS:
        near = difflib.get_close_matches(str(name), _OPS, 1)
        step = f"Did you mean {near[0]!r}?" if near else ""
        refuse(f"op {index} is a known op ({', '.join(_OPS)})", f"unknown op {name!r}", step)
    return _OPS[name]


def _inputs(op: _Op, values: Mapping[int, Value], count: int) -> list[Value]:
    ids = op.entry.get("in")
    if not isinstance(ids, list) or len(ids) != count:
        refuse(f"{op.where}: 'in' lists {count} value id(s)", ids)
    for value_id in ids:
        if type(value_id) is not int or value_id not in values:
            refuse(f"{op.where} reads values that are written before it", f"in={ids}")
    return [values[value_id] for value_id in ids]


def _conv_hw(value: Value, k: int, s: int, p: int) -> tuple[int, int]:
    return (value.height + 2 * p - k) // s + 1, (value.width + 2 * p - k) // s + 1


def _thermometer(op: _Op, a: Value) -> Value:
    op.expect(a, "u8")
    return op.value("bits", THERMOMETER_PLANES * a.channels, (a.height, a.width), 1, a.stride)


def _conv_int(op: _Op, a: Value) -> Value:
    op.expect(a, "i8")
    k = op.integer("k", 1, 11)
    s = op.integer("s", 1, 8)
    p = op.integer("p", 0, k // 2)
    weight = op.tensor("weight", "<i2", None, k, k, a.channels)
    outputs = weight.shape[0]
    op.tensor("scale", "<f4", outputs)
    op.tensor("bias", "<f4", outputs)
    # No overflow is possible: 11 * 11 taps * 3 channels * 32768 * 128 = 1.52e9 is below 2^31.
    return op.value("f32", outputs, _conv_hw(a, k, s, p), 1, a.stride * s)


def _binarize(op: _Op, a: Value) -> Value:
    op.expect(a, "f32")
    threshold = op.tensor("threshold", "<f4", None, a.channels)
    flip = op.tensor("flip", "|u1", threshold.shape[0], a.channels)
    if threshold.shape[0] > 2:
        refuse(f"{op.where}: planes are 1 or 2", threshold.shape[0])
    if int(flip.max()) > 1:
        refuse(f"{op.where}: 'flip' is 0 or 1", int(flip.max()))
    return op.value("bits", a.channels, (a.height, a.width), threshold.shape[0], a.stride)


def _conv_bits(op: _Op, a: Value) -> Value:
    op.expect(a, "bits")
    k = op.integer("k", 1, 3)
    if k == 2:
        refuse(f"{op.where}: 'k' is 1 or 3", k)
    s = op.integer("s", 1, 2)
    p = op.integer("p", k // 2, k // 2) if "p" in op.entry else k // 2
    channels = op.integer("channels", 1, MAX_CHANNELS)
    if channels != a.channels:
        refuse(f"{op.where}: 'channels' is that of its input ({a.channels})", channels)
    weight = op.tensor("weight", "<u8", None, k, k, bits.word_count(channels))
    if not bits.pad_bits_are_zero(weight, channels):
        refuse(f"{op.where}: pad bits are 0", f"other pad bits in {op.entry['weight']!r}")
    outputs = weight.shape[0]
    op.tensor("plane_scale", "<f4", a.planes)
    op.tensor("e", "<f4", outputs)
    op.tensor("f", "<f4", outputs)
    op.tensor("h", "<f4", BORDER_CLASSES[k], outputs)
    return op.value("f32", outputs, _conv_hw(a, k, s, p), 1, a.stride * s)


def _conv_f32(op: _Op, a: Value) -> Value:
    op.expect(a, "f32")
    weight = op.tensor("weight", "<f4", None, a.channels)
    op.tensor("bias", "<f4", weight.shape[0])
    return op.value("f32", weight.shape[0], (a.height, a.width), 1, a.stride)


def _add(op: _Op, a: Value, b: Value) -> Value:
    op.expect(a, "f32")
    op.expect(b, "f32")
    if a != b:
        refuse(f"{op.where} takes two values of one shape", f"{_hwc(a)} and {_hwc(b)}")
    return a


def _concat(op: _Op, a: Value, b: Value) -> Value:
    op.expect(a, "f32")
    op.expect(b, "f32")
    if (a.height, a.width, a.stride) != (b.height, b.width, b.stride):
        refuse(f"{op.where} takes two values of one size", f"{_hwc(a)} and {_hwc(b)}")
    return op.value("f32", a.channels + b.channels, (a.height, a.width), 1, a.stride)


def _slopes(op: _Op, a: Value) -> Value:
    op.expect(a, "f32")
    for key in ("pos", "pos_shift", "neg", "neg_shift"):
        op.tensor(key, "<f4", a.channels)
    return a


def _avgpool2(op: _Op, a: Value) -> Value:
    op.expect(a, "f32")
    return op.value("f32", a.channels, ((a.height + 1) // 2, (a.width + 1) // 2), 1, a.stride * 2)


def _maxpool3(op: _Op, a: Value) -> Value:
    op.expect(a, "f32")
    return op.value("f32", a.channels, _conv_hw(a, 3, 2, 1), 1, a.stride * 2)


def _pool(op: _Op, a: Value) -> Value:
    op.expect(a, "f32")
    window = op.integer("window", 0, MAX_SIDE)
    stride = op.integer("stride", 0 if window == 0 else 1, MAX_SIDE) if window or "stride" in op.entry else 1
    if window == 0:
        return op.value("vec", a.channels, (1, 1))
    hw = ((a.height - window) // stride + 1, (a.width - window) // stride + 1)
    return op.value("vec", a.channels, hw)


def _peak(op: _Op, a: Value) -> Value:
    op.expect(a, "vec")
    window, stride = op.integer("window", 1, MAX_PEAK), op.integer("stride", 1, MAX_PEAK)
    return op.value("vec", a.channels, ((a.height - window) // stride + 1, (a.width - window) // stride + 1))


def _linear(op: _Op, a: Value) -> Value:
    op.expect(a, "vec")
    weight = op.tensor("weight", "<f4", None, a.channels)
    op.tensor("bias", "<f4", weight.shape[0])
    return op.value("vec", weight.shape[0], (a.height, a.width))


def _hwc(value: Value) -> tuple[int, int, int]:
    return value.height, value.width, value.channels


_OPS: dict[str, Callable[..., Value]] = {
    "thermometer": _thermometer,
    "conv_int": _conv_int,
    "binarize": _binarize,
    "conv_bits": _conv_bits,
    "conv_f32": _conv_f32,
    "add": _add,
    "slopes": _slopes,
    "avgpool2": _avgpool2,
    "maxpool3": _maxpool3,
    "concat": _concat,
    "pool": _pool,
    "peak": _peak,
    "linear": _linear,
}


def _check_scan(scan: Any, classes: int, image: Value, grid: Grid) -> None:
    if not isinstance(scan, dict):
        refuse("'scan' is a JSON object", type(scan).__name__)
    block_px = _integer(scan, "block_px", 1, MAX_SIDE, "scan")
    step_px = _integer(scan, "block_stride_px", 1, MAX_SIDE, "scan")
    halo_px = _integer(scan, "halo_px", 0, MAX_SIDE, "scan")
    stride = _integer(scan, "total_stride", 1, MAX_SIDE, "scan")
    _integer(scan, "defect", 0, classes - 1, "scan")
    _number(scan, "threshold", "scan", positive=False)
    _number(scan, "temperature", "scan", positive=True)
    if block_px % stride or step_px % stride:
        refuse("scan: block_px and block_stride_px are multiples of total_stride", (block_px, step_px, stride))
    if halo_px % step_px:
        refuse("scan: halo_px is a multiple of block_stride_px", (halo_px, step_px))
    if (grid.extent, grid.step) != (block_px // stride, step_px // stride):
        refuse(
            "scan: block_px and block_stride_px are extent and step of the decisions (pool.window, pool.stride, then every peak) times total_stride",
            (grid.extent, grid.step),
        )
    if grid.stride != stride:
        refuse("scan: total_stride is the product of the strides before the pool", f"{stride}, product {grid.stride}")
    if min(image.height, image.width) < block_px:
        refuse("scan: 'input' holds at least one block", (image.height, image.width, block_px))
