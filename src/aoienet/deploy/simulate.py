"""The slow and clear interpreter of a model file: docs/format.md in NumPy, the same bits as the C++ runtime.

Every float operation is one NumPy float32 ufunc, so it rounds once and nothing is fused; sums run in the written order.
Integer sums go through matrix products of floats where that is exact (below 2^24 in float32, below 2^53 in float64).

Shapes    image_HWC uint8; i8/u8 image [H,W,C]; f32 map [H,W,C]; bits uint64 [J,H,W,P]; vec [Hb,Wb,C]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aoienet import bits
from aoienet.deploy.graph import THERMOMETER_PLANES

Array = NDArray[Any]
F32 = np.float32
Tensors = Mapping[str, Array]
Entry = Mapping[str, Any]

# Border states of one axis, by (tap 0 inside, tap 2 inside): full, first, last, only.
STATE_FULL, STATE_FIRST, STATE_LAST, STATE_ONLY = range(4)


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
    eps = eps_levels * n
    spread = np.maximum(n * squares - total * total, 0.0) + eps * eps
    level = scale * (n * u.astype(np.float64) - total) / np.sqrt(spread)
    return np.clip(np.rint(level), -127, 127).astype(np.int8)


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


def _taps(map_HWC: Array, k: int, s: int, p: int) -> tuple[Array, int, int]:
    """Return the map with p zeros around it, and the output size."""
    height, width = map_HWC.shape[:2]
    padded = np.pad(map_HWC, ((p, p), (p, p), (0, 0)))
    return padded, (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1


def _exact_conv(map_HWC: Array, weight_OkkI: Array, s: int, p: int) -> Array:
    """Convolve integers held in floats; exact while sums stay below the mantissa of the dtype."""
    outputs, k = weight_OkkI.shape[:2]
    padded, height, width = _taps(map_HWC, k, s, p)
    total = np.zeros((height * width, outputs), dtype=map_HWC.dtype)
    for ty in range(k):
        for tx in range(k):
            tap = padded[ty : ty + (height - 1) * s + 1 : s, tx : tx + (width - 1) * s + 1 : s]
            total += tap.reshape(height * width, -1) @ weight_OkkI[:, ty, tx].T
    return total.reshape(height, width, outputs)


def _thermometer(entry: Entry, tensors: Tensors, image: Array) -> Array:
    level = (image.astype(np.int16) + 4) // 8
    planes = level[..., None] > np.arange(THERMOMETER_PLANES, dtype=np.int16)
    return bits.pack(planes.reshape(*image.shape[:2], -1))[None]


def _conv_int(entry: Entry, tensors: Tensors, image: Array) -> Array:
    weight = tensors[entry["weight"]].astype(np.float64)
    accumulator = _exact_conv(image.astype(np.float64), weight, entry["s"], entry["p"])
    return accumulator.astype(F32) * tensors[entry["scale"]] + tensors[entry["bias"]]


def _binarize(entry: Entry, tensors: Tensors, x_HWC: Array) -> Array:
    threshold, flip = tensors[entry["threshold"]], tensors[entry["flip"]].astype(np.bool_)
    planes = [np.where(flip_C, x_HWC <= tau_C, x_HWC >= tau_C) for tau_C, flip_C in zip(threshold, flip, strict=True)]
    return bits.pack(np.stack(planes))


def _conv_bits(entry: Entry, tensors: Tensors, bits_JHWP: Array) -> Array:
    k, s = entry["k"], entry["s"]
    weight = bits.unpack(tensors[entry["weight"]], entry["channels"]).astype(F32)
    window = np.ones((1, k, k, entry["channels"]), dtype=F32)
    scale = tensors[entry["plane_scale"]]
    planes = [plane.astype(F32) for plane in bits.unpack(bits_JHWP, entry["channels"])]
    pc = [scale_j * _exact_conv(plane, weight, s, k // 2) for scale_j, plane in zip(scale, planes, strict=True)]
    rho = [scale_j * _exact_conv(plane, window, s, k // 2) for scale_j, plane in zip(scale, planes, strict=True)]
    c, r = (pc[0], rho[0]) if len(planes) == 1 else (pc[0] + pc[1], rho[0] + rho[1])
    border = _border_classes(k, s, *bits_JHWP.shape[1:3])
    result: Array = (tensors[entry["e"]] * c + tensors[entry["f"]] * r) + tensors[entry["h"]][border]
    return result


def _border_classes(k: int, s: int, height: int, width: int) -> Array:
    """Return the row of `h` for each output position, int [H,W]."""
    rows, columns = (_border_states(k, s, side) for side in (height, width))
    return rows[:, None] * 4 + columns[None, :]


def _border_states(k: int, s: int, side: int) -> Array:
    p = k // 2
    origin = np.arange((side + 2 * p - k) // s + 1) * s - p
    if k == 1:
        return np.zeros(len(origin), dtype=np.int64)
    return np.where(origin < 0, STATE_FIRST, STATE_FULL) + np.where(origin + k > side, STATE_LAST, STATE_FULL)


def _conv_f32(entry: Entry, tensors: Tensors, x_HWC: Array) -> Array:
    return _ordered_product(x_HWC, tensors[entry["weight"]], tensors[entry["bias"]])


def _linear(entry: Entry, tensors: Tensors, vec: Array) -> Array:
    return _ordered_product(vec, tensors[entry["weight"]], tensors[entry["bias"]])


def _ordered_product(x: Array, weight_OI: Array, bias_O: Array) -> Array:
    accumulator = np.broadcast_to(bias_O, (*x.shape[:-1], len(bias_O))).astype(F32)
    for i in range(x.shape[-1]):
        accumulator = accumulator + weight_OI[:, i] * x[..., i : i + 1]
    return accumulator


def _add(entry: Entry, tensors: Tensors, a: Array, b: Array) -> Array:
    if a.shape != b.shape:
        raise ValueError(f"add takes two values of one shape; received {a.shape} and {b.shape}.")
    return a + b


def _concat(entry: Entry, tensors: Tensors, a: Array, b: Array) -> Array:
    return np.concatenate([a, b], axis=-1)


def _slopes(entry: Entry, tensors: Tensors, v: Array) -> Array:
    pos, pos_shift, neg, neg_shift = (tensors[entry[key]] for key in ("pos", "pos_shift", "neg", "neg_shift"))
    return np.where(v > 0, pos * v + pos_shift, neg * v + neg_shift)


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


def _maxpool3(entry: Entry, tensors: Tensors, x: Array) -> Array:
    height, width = ((side - 1) // 2 + 1 for side in x.shape[:2])
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    best = np.full((height, width, x.shape[2]), -np.inf, dtype=F32)
    for ty in range(3):
        for tx in range(3):
            tap = padded[ty : ty + 2 * height - 1 : 2, tx : tx + 2 * width - 1 : 2]
            best = np.where(tap > best, tap, best)
    return best


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
