"""The slow and clear interpreter of a model file: docs/format.md in NumPy, the same bits as the C++ runtime.

Every float operation is one NumPy float32 ufunc, so it rounds once and nothing is fused; sums run in the written order.
Integer sums go through matrix products of floats where that is exact (below 2^24 in float32, below 2^53 in float64).

Shapes    image_HWC uint8; i8/u8 image [H,W,C]; f32 map [H,W,C]; bits uint64 [J,H,W,P]; vec [Hb,Wb,C]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aoienet import bits
from aoienet.deploy.graph_ops import THERMOMETER_PLANES

Array = NDArray[Any]
F32 = np.float32
Tensors = Mapping[str, Array]
Entry = Mapping[str, Any]

# Border states of one axis, by (tap 0 inside, tap 2 inside): full, first, last, only.
STATE_FULL, STATE_FIRST, STATE_LAST, STATE_ONLY = range(4)

# exp of sigmoid: 1/k!, and ln 2 in two parts, the first with trailing zeros so that n times it is exact.
EXP_TERMS = tuple(1.0 / math.factorial(k) for k in range(13, -1, -1))
EXP_LIMIT = 40.0
INV_LN2, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10


def run(header: Mapping[str, Any], tensors: Tensors, image_u8: Array) -> list[Any]:
    """Run a network that `format.read` accepted and return all values by id (None for an id that is not used).

    Raises    ValueError: the image does not fit `input` of the header.
    """
    last_id = max(entry["out"] for entry in header["graph"])
    values: list[Any] = [None] * (last_id + 1)
    values[0] = transform(header, image_u8)
    for entry in header["graph"]:
        inputs = [values[value_id] for value_id in entry["in"]]
        values[entry["out"]] = _OPS[entry["op"]](entry, tensors, *inputs)
    return values


def logits(header: Mapping[str, Any], tensors: Tensors, image_u8: Array) -> Array:
    """Run a network and return its result, float32 [Hb,Wb,K]."""
    result: Array = run(header, tensors, image_u8)[header["graph"][-1]["out"]]
    return result


def grey(image_u8: Array) -> Array:
    """Turn RGB uint8 [H,W,3] into grey uint8 [H,W,1] with the integer law of docs/format.md."""
    wide = image_u8.astype(np.uint32)
    return ((19595 * wide[..., :1] + 38470 * wide[..., 1:2] + 7471 * wide[..., 2:3] + 32768) >> 16).astype(np.uint8)


def transform(header: Mapping[str, Any], image_u8: Array) -> Array:
    """Turn 8-bit pixels [H,W], [H,W,1] or [H,W,3] into value 0."""
    image = _fit_image(header["input"], image_u8)
    rule = header["input"]["transform"]
    if rule["kind"] == "raw":
        return image
    if rule["kind"] == "center":
        return (image.astype(np.int16) - 128).astype(np.int8)
    return _standardize(image[..., 0], rule["window_px"], float(rule["eps_levels"]), float(rule["scale"]))[..., None]


def _fit_image(rule: Mapping[str, Any], image_u8: Array) -> Array:
    image = np.asarray(image_u8)
    if image.ndim == 2:
        image = image[..., None]
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"an image is uint8 [H,W], [H,W,1] or [H,W,3]; received {image.dtype} {image.shape}.")
    if rule["channels"] == 1 and image.shape[-1] == 3:
        image = grey(image)
    if image.shape[-1] != rule["channels"]:
        raise ValueError(
            f"the model takes {rule['channels']} channels; received {image.shape[-1]}. Convert to RGB first."
        )
    size = (rule["height"], rule["width"])
    if rule["fixed"] and image.shape[:2] != size:
        raise ValueError(f"the model takes images of exactly {size} (h, w); received {image.shape[:2]}. Resize first.")
    return image


def _standardize(image_HW: Array, window_px: int, eps_levels: float, scale: float) -> Array:
    height, width = image_HW.shape
    y0, y1 = _window(height, window_px)
    x0, x1 = _window(width, window_px)
    u = image_HW.astype(np.int64)
    total = _box_sum(u, y0, y1, x0, x1).astype(np.float64)
    squares = _box_sum(u * u, y0, y1, x0, x1).astype(np.float64)
    n = ((y1 - y0)[:, None] * (x1 - x0)[None, :]).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        eps = eps_levels * n
        spread = np.maximum(n * squares - total * total, 0.0) + eps * eps
        level = scale * (n * u.astype(np.float64) - total) / np.sqrt(spread)
    level = np.where(level > -127, level, -127.0)  # NaN too
    return np.rint(np.minimum(level, 127.0)).astype(np.int8)


def _window(side: int, window_px: int) -> tuple[Array, Array]:
    """Return first and one-past-last index of the window around each index, clipped at the edges."""
    index = np.arange(side)
    if window_px == 0:
        return np.zeros(side, dtype=np.int64), np.full(side, side, dtype=np.int64)
    half = window_px // 2
    return np.maximum(index - half, 0), np.minimum(index + half + 1, side)


def _box_sum(values: Array, y0: Array, y1: Array, x0: Array, x1: Array) -> Array:
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1), dtype=np.int64)
    table[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    return table[np.ix_(y1, x1)] - table[np.ix_(y0, x1)] - table[np.ix_(y1, x0)] + table[np.ix_(y0, x0)]


def _exact_conv(map_HWC: Array, weight_OHWI: Array, s: int, p_hw: tuple[int, int]) -> Array:
    """Convolve integers held in floats, zeros outside; exact while sums stay below the mantissa of the dtype."""
    outputs, kh, kw = weight_OHWI.shape[:3]
    (py, px), (side_h, side_w) = p_hw, map_HWC.shape[:2]
    height, width = (side_h + 2 * py - kh) // s + 1, (side_w + 2 * px - kw) // s + 1
    padded = np.pad(map_HWC, ((py, py), (px, px), (0, 0)))
    total = np.zeros((height * width, outputs), dtype=map_HWC.dtype)
    for ty in range(kh):
        for tx in range(kw):
            tap = padded[ty : ty + (height - 1) * s + 1 : s, tx : tx + (width - 1) * s + 1 : s]
            total += tap.reshape(height * width, -1) @ weight_OHWI[:, ty, tx].T
    return total.reshape(height, width, outputs)


def _inside(side: int, k: int, s: int, p: int, tap: int) -> tuple[slice, slice]:
    """Return the outputs of one axis whose tap `tap` lies inside, and the inputs that it meets there."""
    outputs = (side + 2 * p - k) // s + 1
    first = max(0, -(-(p - tap) // s))
    last = min(outputs - 1, (side - 1 + p - tap) // s)
    begin = first * s + tap - p
    return slice(first, max(last + 1, first)), slice(
        begin, begin + (last - first) * s + 1 if last >= first else begin, s
    )


def _each_tap(x: Array, k: int, s: int, p: int) -> Iterator[tuple[int, int, tuple[slice, slice], Array]]:
    """Give, tap by tap, (row, column, the outputs that it reaches, the inputs that it meets)."""
    for ty in range(k):
        for tx in range(k):
            (out_y, in_y), (out_x, in_x) = (
                _inside(side, k, s, p, t) for side, t in zip(x.shape, (ty, tx), strict=False)
            )
            yield ty, tx, (out_y, out_x), x[in_y, in_x]


def _thermometer(entry: Entry, tensors: Tensors, image: Array) -> Array:
    level = (image.astype(np.int16) + 4) // 8
    planes = level[..., None] > np.arange(THERMOMETER_PLANES, dtype=np.int16)
    return bits.pack(planes.reshape(*image.shape[:2], -1))[None]


def _conv_int(entry: Entry, tensors: Tensors, image: Array) -> Array:
    weight = tensors[entry["weight"]].astype(np.float64)
    accumulator = _exact_conv(image.astype(np.float64), weight, entry["s"], (entry["p"], entry["p"]))
    return accumulator.astype(F32) * tensors[entry["scale"]] + tensors[entry["bias"]]


def _binarize(entry: Entry, tensors: Tensors, x_HWC: Array) -> Array:
    threshold, flip = tensors[entry["threshold"]], tensors[entry["flip"]].astype(np.bool_)
    planes = [np.where(flip_C, x_HWC <= tau_C, x_HWC >= tau_C) for tau_C, flip_C in zip(threshold, flip, strict=True)]
    return bits.pack(np.stack(planes))


def _conv_bits(entry: Entry, tensors: Tensors, bits_JHWP: Array) -> Array:
    kh, s = entry["k"], entry["s"]
    kw = entry.get("kw", kh)
    weight = bits.unpack(tensors[entry["weight"]], entry["channels"]).astype(F32)
    window = np.ones((1, kh, kw, entry["channels"]), dtype=F32)
    scale = tensors[entry["plane_scale"]]
    planes = [plane.astype(F32) for plane in bits.unpack(bits_JHWP, entry["channels"])]
    p_hw = (kh // 2, kw // 2)
    pc = [scale_j * _exact_conv(plane, weight, s, p_hw) for scale_j, plane in zip(scale, planes, strict=True)]
    rho = [scale_j * _exact_conv(plane, window, s, p_hw) for scale_j, plane in zip(scale, planes, strict=True)]
    c, r = (pc[0], rho[0]) if len(planes) == 1 else (pc[0] + pc[1], rho[0] + rho[1])
    rows, columns = (_border_states(k, s, side) for k, side in zip((kh, kw), bits_JHWP.shape[1:3], strict=True))
    border = rows[:, None] * 4 + columns[None, :]
    result: Array = (tensors[entry["e"]] * c + tensors[entry["f"]] * r) + tensors[entry["h"]][border]
    return result


def _border_states(k: int, s: int, side: int) -> Array:
    p = k // 2
    origin = np.arange((side + 2 * p - k) // s + 1) * s - p
    if k == 1:
        return np.zeros(len(origin), dtype=np.int64)
    return np.where(origin < 0, STATE_FIRST, STATE_FULL) + np.where(origin + k > side, STATE_LAST, STATE_FULL)


def _conv_f32(entry: Entry, tensors: Tensors, x: Array) -> Array:
    weight, bias, groups = tensors[entry["weight"]], tensors[entry["bias"]], entry["groups"]
    k, s, p = entry["k"], entry["s"], entry["p"]
    height, width = ((side + 2 * p - k) // s + 1 for side in x.shape[:2])
    weight = weight.reshape(groups, -1, k, k, weight.shape[-1])
    x = x.reshape(*x.shape[:2], groups, 1, -1)
    accumulator = np.broadcast_to(bias.reshape(groups, -1), (height, width, *weight.shape[:2])).copy()
    for ty, tx, reached, tap in _each_tap(x, k, s, p):
        for i in range(weight.shape[-1]):
            accumulator[reached] += weight[:, :, ty, tx, i] * tap[..., i]
    return accumulator.reshape(height, width, len(bias))


def _linear(entry: Entry, tensors: Tensors, vec: Array) -> Array:
    weight, bias = tensors[entry["weight"]], tensors[entry["bias"]]
    accumulator = np.broadcast_to(bias, (*vec.shape[:-1], len(bias))).astype(F32)
    for i in range(vec.shape[-1]):
        accumulator = accumulator + weight[:, i] * vec[..., i : i + 1]
    return accumulator


def _add(entry: Entry, tensors: Tensors, a: Array, b: Array) -> Array:
    _check_same("add", a, b)
    return a + b


def _mul(entry: Entry, tensors: Tensors, a: Array, b: Array) -> Array:
    if b.shape != (1, 1, a.shape[-1]):
        _check_same("mul", a, b)
    return a * b


def _gate(entry: Entry, tensors: Tensors, a: Array, b: Array) -> Array:
    _check_same("gate", a, b)
    threshold, scale, shift = (tensors[entry[key]] for key in ("threshold", "scale", "shift"))
    return np.where(a > threshold, b, scale * a + shift)


def _check_same(op: str, a: Array, b: Array) -> None:
    if a.shape != b.shape:
        raise ValueError(f"{op} takes two values of one shape; received {a.shape} and {b.shape}.")


def _concat(entry: Entry, tensors: Tensors, a: Array, b: Array) -> Array:
    return np.concatenate([a, b], axis=-1)


def _slopes(entry: Entry, tensors: Tensors, v: Array) -> Array:
    pos, pos_shift, neg, neg_shift = (tensors[entry[key]] for key in ("pos", "pos_shift", "neg", "neg_shift"))
    knee = tensors[entry["knee"]] if "knee" in entry else F32(0)
    return np.where(v > knee, pos * v + pos_shift, neg * v + neg_shift)


def _clip(entry: Entry, tensors: Tensors, v: Array) -> Array:
    low, high = F32(entry["low"]), F32(entry["high"])
    return np.where(v < low, low, np.where(v > high, high, v))


def _sigmoid(entry: Entry, tensors: Tensors, v: Array) -> Array:
    t = v.astype(np.float64)
    t = np.where(t > -EXP_LIMIT, np.where(t < EXP_LIMIT, t, EXP_LIMIT), -EXP_LIMIT)
    n = np.rint(t * INV_LN2)
    r = (t - n * LN2_HIGH) - n * LN2_LOW
    p = np.full_like(r, EXP_TERMS[0])
    for term in EXP_TERMS[1:]:
        p = p * r + term
    e = np.ldexp(p, n.astype(np.int64))
    return (e / (1.0 + e)).astype(F32)


def _rank1(entry: Entry, tensors: Tensors, x: Array) -> Array:
    rows, columns = tensors[entry["rows"]], tensors[entry["columns"]]
    return x * (rows[:, None] * columns)[..., None]


def _avgpool2(entry: Entry, tensors: Tensors, x: Array) -> Array:
    b, c, d = x[::2, 1::2], x[1::2, ::2], x[1::2, 1::2]
    count = np.ones(((x.shape[0] + 1) // 2, (x.shape[1] + 1) // 2, 1), dtype=F32)
    top, bottom = x[::2, ::2].copy(), c.copy()
    top[:, : b.shape[1]] = top[:, : b.shape[1]] + b
    bottom[:, : d.shape[1]] = bottom[:, : d.shape[1]] + d
    top[: len(bottom)] = top[: len(bottom)] + bottom
    count[:, : b.shape[1]] *= F32(2)
    count[: len(bottom)] *= F32(2)
    result: Array = top * (F32(1) / count)
    return result


def _maxpool(entry: Entry, tensors: Tensors, x: Array) -> Array:
    k, s, p = entry["k"], entry["s"], entry["p"]
    height, width = ((side + 2 * p - k) // s + 1 for side in x.shape[:2])
    best = np.zeros((height, width, x.shape[2]), dtype=F32)
    begun = np.zeros((height, width, 1), dtype=np.bool_)
    for _, _, reached, tap in _each_tap(x, k, s, p):
        best[reached] = np.where(~begun[reached] | (tap > best[reached]), tap, best[reached])
        begun[reached] = True
    return best


def _subsample2(entry: Entry, tensors: Tensors, x: Array) -> Array:
    return np.ascontiguousarray(x[::2, ::2])


def _upadd2(entry: Entry, tensors: Tensors, a: Array, b: Array) -> Array:
    height, width, channels = a.shape
    if b.shape != ((height + 1) // 2, (width + 1) // 2, channels):
        raise ValueError(f"upadd2 takes a map and one of half its size, rounded up; received {a.shape} and {b.shape}.")
    result: Array = a + b.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return result


def _channels(entry: Entry, tensors: Tensors, x: Array) -> Array:
    return np.pad(x[..., entry["from"] : entry["to"]], ((0, 0), (0, 0), (entry["before"], entry["after"])))


def _pool(entry: Entry, tensors: Tensors, x: Array) -> Array:
    height, width = x.shape[:2]
    window_h, window_w = (entry["window"], entry["window"]) if entry["window"] else (height, width)
    step = entry["stride"] if entry["window"] else 1
    rows, columns = (height - window_h) // step + 1, (width - window_w) // step + 1
    if min(rows, columns) < 1:
        raise ValueError(f"a picture holds at least one block; received a map of {(height, width)}, window {window_h}.")
    total = None
    for dy in range(window_h):
        for dx in range(window_w):
            term = x[dy : dy + (rows - 1) * step + 1 : step, dx : dx + (columns - 1) * step + 1 : step]
            total = term if total is None else total + term
    result: Array = total * F32(1.0 / (window_h * window_w))
    return result


def _peak(entry: Entry, tensors: Tensors, vec: Array) -> Array:
    window, step = entry["window"], entry["stride"]
    rows, columns = ((side - window) // step + 1 for side in vec.shape[:2])
    if min(rows, columns) < 1:
        raise ValueError(f"a picture holds at least one block; received a grid of {vec.shape[:2]}, peak of {window}.")
    best = None
    for dy in range(window):
        for dx in range(window):
            term = vec[dy : dy + (rows - 1) * step + 1 : step, dx : dx + (columns - 1) * step + 1 : step]
            best = term if best is None else np.where(term > best, term, best)
    result: Array = np.ascontiguousarray(best)
    return result


_OPS: dict[str, Callable[..., Array]] = {
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
    "avgpool2": _avgpool2,
    "maxpool": _maxpool,
    "subsample2": _subsample2,
    "upadd2": _upadd2,
    "channels": _channels,
    "concat": _concat,
    "pool": _pool,
    "peak": _peak,
    "linear": _linear,
}
