"""The algebra of the export, in float64 (docs/notation.md; design note D): thresholds, and constants of a binary convolution.

Every batch norm, alpha and beta disappears here: one compare per element and plane, one affine map per output remain.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from aoienet import bits

Array = np.ndarray
FLOAT_MAX = float(np.finfo(np.float32).max)
ROW_STATES = {3: ((1, 1, 1), (0, 1, 1), (1, 1, 0), (0, 1, 0)), 1: ((1,),) * 4}  # full, first, last, only: taps inside


def numpy64(t: Tensor) -> Array:
    return t.detach().double().numpy()


def affine_of_bn(bn: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Array, Array]:
    """(g, h) with bn(x) = g * x + h in evaluation mode, float64 [C]."""
    if bn.running_var is None or bn.running_mean is None:
        raise ValueError("a batch norm without running statistics depends on the batch; set track_running_stats=True.")
    weight, bias = (numpy64(bn.weight), numpy64(bn.bias)) if bn.affine else (np.ones(1), np.zeros(1))
    g = weight / np.sqrt(numpy64(bn.running_var) + bn.eps)
    return g, bias - g * numpy64(bn.running_mean)


def float32_at_or_above(x: Array) -> Array:
    """The smallest float32 >= x (float64): a compare of any float32 with it equals the compare with x."""
    y = x.astype(np.float32)
    return np.where(y.astype(np.float64) < x, np.nextafter(y, np.float32(np.inf)), y)


def threshold_of(g: Array, h: Array, beta: Array | float) -> tuple[Array, Array]:
    """Threshold and flip per channel of the bit [g x + h >= beta]; exact for every float32 x.

    g > 0: x >= t; g < 0: x <= t (flip); g = 0: constant, a threshold that no value, or every value, passes.
    """
    safe = np.where(g == 0, 1.0, g)
    tau = (beta - h) / safe
    threshold = np.where(g > 0, float32_at_or_above(tau), -float32_at_or_above(-tau))
    constant = np.where(h >= beta, -FLOAT_MAX, FLOAT_MAX)
    return np.where(g == 0, constant, threshold).astype(np.float32), (g < 0).astype(np.uint8)


@dataclass(frozen=True)
class FoldedConv:
    """Constants of a conv_bits op (docs/format.md)."""

    plane_scale: Array  # f32 [J]
    e: Array  # f32 [O]
    f: Array
    h: Array  # f32 [classes,O]


@dataclass(frozen=True)
class BinaryWeights:
    """w_b = low_o + step_o * bit."""

    high: Array  # bool [O,I,kh,kw]
    low: Array  # float64 [O]
    step: Array

    @classmethod
    def of(cls, conv: nn.Module) -> "BinaryWeights":
        high, low, step = conv.weight_q.binary_set(conv.weight.detach().double())  # type: ignore[union-attr,operator]
        return cls(high.numpy(), numpy64(low), numpy64(step))

    def packed(self) -> Array:
        """u64 [O,kh,kw,P]."""
        return bits.pack(self.high.transpose(0, 2, 3, 1))


def fold_conv(w: BinaryWeights, low: float, steps: Array, g: Array, h: Array, pad: float = 0.0) -> FoldedConv:
    """Fold y -> g y + h after the convolution of `low + sum of steps_j plane_j` into its constants.

    Padding after quantization: a tap outside of the image is `pad`, with 0 neither low nor high.
    """
    outputs, inputs, kh, kw = w.high.shape
    per_tap = w.high.sum(axis=1).astype(np.float64)  # [O,kh,kw]

    def weights(taps: Array) -> Array:
        """Sum of the binary weights over these taps [O]."""
        return w.step * (per_tap * taps).sum(axis=(1, 2)) + w.low * taps.sum() * inputs

    rows = []
    for rows_in in ROW_STATES[kh]:
        for cols_in in ROW_STATES[kw]:
            valid = np.outer(rows_in, cols_in)
            rows.append(g * (low * weights(valid) + pad * weights(1 - valid)) + h * np.ones(outputs))
    rows = rows if max(kh, kw) == 3 else rows[:1]
    return FoldedConv(
        plane_scale=(steps / steps[0]).astype(np.float32),
        e=(g * w.step * steps[0]).astype(np.float32),
        f=(g * w.low * steps[0]).astype(np.float32),
        h=np.stack(rows).astype(np.float32),
    )
