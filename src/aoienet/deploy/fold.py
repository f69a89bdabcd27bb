"""From training form to thresholds and constants, in float64 (docs/notation.md; design note D).

Every batch norm, Maxout, alpha and beta disappears here: two compares per element and plane, one affine map and one
two-slope map per output remain.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
from torch import Tensor, nn

from aoienet import bits
from aoienet.nn.layers import BinaryConv2d, DualPlanes, Int16Conv2d, Maxout, RPReLU

Array = np.ndarray
FLOAT_MAX = float(np.finfo(np.float32).max)
ROW_STATES = ((1, 1, 1), (0, 1, 1), (1, 1, 0), (0, 1, 0))  # full, first, last, only: taps inside of the image


def numpy64(t: Tensor) -> Array:
    return t.detach().double().numpy()


def affine_of_bn(bn: nn.Module) -> tuple[Array, Array]:
    """(g, h) with bn(x) = g * x + h in evaluation mode, float64 [C]; the identity gives (1, 0)."""
    if isinstance(bn, nn.Identity):
        return np.ones(1), np.zeros(1)
    if not isinstance(bn, (nn.BatchNorm2d, nn.BatchNorm1d)):
        raise TypeError(f"only batch norms fold into an affine map; received {type(bn).__name__}.")
    g = numpy64(bn.weight) / np.sqrt(numpy64(cast(Tensor, bn.running_var)) + bn.eps)
    return g, numpy64(bn.bias) - g * numpy64(cast(Tensor, bn.running_mean))


def float32_at_or_above(x: Array) -> Array:
    """The smallest float32 >= x (float64): a compare of any float32 with it equals the compare with x."""
    y = x.astype(np.float32)
    return np.where(y.astype(np.float64) < x, np.nextafter(y, np.float32(np.inf)), y)


def threshold_of(g: Array, h: Array, beta: float) -> tuple[Array, Array]:
    """Threshold and flip per channel of the bit [g x + h >= beta]; exact for every float32 x.

    g > 0: x >= t; g < 0: x <= t (flip); g = 0: constant, a threshold that no value, or every value, passes.
    """
    safe = np.where(g == 0, 1.0, g)
    tau = (beta - h) / safe
    threshold = np.where(g > 0, float32_at_or_above(tau), -float32_at_or_above(-tau))
    constant = np.where(h >= beta, -FLOAT_MAX, FLOAT_MAX)
    return np.where(g == 0, constant, threshold).astype(np.float32), (g < 0).astype(np.uint8)


def thresholds(planes: nn.Module, channels: int) -> tuple[Array, Array]:
    """`threshold` f32 [J,C] and `flip` u8 [J,C] of a binarize op."""
    acts = list(cast(nn.ModuleList, planes.act))
    norms = list(planes.bn) if isinstance(planes, DualPlanes) else [nn.Identity()] * len(acts)
    pairs = []
    for bn, act in zip(norms, acts, strict=True):
        g, h = (np.broadcast_to(v, (channels,)) for v in affine_of_bn(bn))
        pairs.append(threshold_of(g, h, float(act.beta.detach())))
    return np.stack([t for t, _ in pairs]), np.stack([f for _, f in pairs])


@dataclass(frozen=True)
class PlaneSet:
    """Low value and step of each plane, float64 [J]."""

    low: Array
    step: Array

    @classmethod
    def of(cls, planes: nn.Module) -> "PlaneSet":
        acts = list(cast(nn.ModuleList, planes.act))
        alpha = np.array([float(act.half_distance().detach()) for act in acts])
        beta = np.array([float(act.beta.detach()) for act in acts])
        return cls(beta - alpha, 2 * alpha)


SIGN_PLANE = PlaneSet(np.array([-1.0]), np.array([2.0]))


@dataclass(frozen=True)
class FoldedConv:
    """Constants of a conv_bits op (docs/format.md)."""

    weight: Array  # u64 [O,k,k,P]
    plane_scale: Array  # f32 [J]
    e: Array  # f32 [O]
    f: Array
    h: Array  # f32 [classes,O]


def weight_bits(conv: BinaryConv2d) -> tuple[Array, Array, Array]:
    """bits [O,I,k,k], low value [O], step [O] of the binarized weights, from float64 statistics."""
    w = conv.weight.detach().double()
    beta, alpha = conv.weight_q.statistics(w)
    high = (w >= beta).numpy()
    beta, alpha = numpy64(beta).ravel(), numpy64(alpha).ravel()
    return high, beta - alpha, 2 * alpha


def fold_conv(conv: BinaryConv2d, planes: PlaneSet, g: Array, h: Array) -> FoldedConv:
    """Fold y -> g y + h after the binary convolution into its constants; zero padding after quantization."""
    high, w_low, w_step = weight_bits(conv)
    per_tap = high.sum(axis=1).astype(np.float64)  # [O,k,k]
    states = ROW_STATES if conv.kernel == 3 else ((1,),)
    rows = []
    for rows_in in states:
        for cols_in in states:
            valid = np.outer(rows_in, cols_in)
            ones = (per_tap * valid).sum(axis=(1, 2))
            constant = planes.low.sum() * (w_step * ones + w_low * valid.sum() * high.shape[1])
            rows.append(g * constant + h)
    step0 = planes.step[0]
    return FoldedConv(
        weight=bits.pack(high.transpose(0, 2, 3, 1)),
        plane_scale=(planes.step / step0).astype(np.float32),
        e=(g * w_step * step0).astype(np.float32),
        f=(g * w_low * step0).astype(np.float32),
        h=np.stack(rows).astype(np.float32),
    )


def slopes_of(act: nn.Module, g: Array, h: Array, channels: int) -> dict[str, Array]:
    """Tensors of a slopes op for g * act(v) + h, act one of identity, Maxout, PReLU."""
    one = np.ones(channels)
    if isinstance(act, Maxout):
        pos, neg = numpy64(act.pos), numpy64(act.neg)
    elif isinstance(act, nn.PReLU):
        pos, neg = one, numpy64(act.weight)
    elif isinstance(act, nn.Identity):
        pos, neg = one, one
    else:
        raise TypeError(f"no exact two-slope form for {type(act).__name__}; known: Maxout, PReLU, Identity.")
    shift = (h * one).astype(np.float32)
    slopes = {"pos": g * pos, "neg": g * neg}
    return {k: v.astype(np.float32) for k, v in slopes.items()} | {"pos_shift": shift, "neg_shift": shift.copy()}


def split_rprelu(act: RPReLU) -> tuple[Array, nn.PReLU, Array]:
    """(shift before, PReLU, shift after): the first goes into the convolution's constants."""
    return numpy64(act.before), act.prelu, numpy64(act.after)


def int16_weights(conv: Int16Conv2d) -> tuple[Array, Array]:
    """Stem weights as int16 [O,k,k,I] and their step [O], float64: the very integers that the training form uses."""
    integers, step = conv.integer_weight()
    return numpy64(integers).transpose(0, 2, 3, 1).astype(np.int16), numpy64(step).ravel()


def fold_linear(linear: nn.Linear, bn: nn.Module) -> tuple[Array, Array]:
    """weight f32 [K,C], bias f32 [K] of linear(bn(x))."""
    g, h = affine_of_bn(bn)
    w, b = numpy64(linear.weight), numpy64(linear.bias)
    return (w * g).astype(np.float32), (b + w @ np.broadcast_to(h, w.shape[1:])).astype(np.float32)
