"""What is worth watching in a binary network while it learns: signs that flip, planes that differ, scales and thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from aoienet.nn.conv import BinaryConv2d
from aoienet.quant.activation import ActivationQuantizer

WASTED = 0.01  # share of differing bits under which a second plane says what the first one says


def binary_convs(net: nn.Module) -> dict[str, BinaryConv2d]:
    """Convolutions whose weights have two values."""
    return {name: m for name, m in net.named_modules() if isinstance(m, BinaryConv2d) and m.weight_q.binary}


def weight_bits(net: nn.Module) -> torch.Tensor:
    """The bits of all binary weights, packed, as uint8; every layer begins with a new byte."""
    bits = [np.packbits(c.weight_q.binary_set(c.weight)[0].cpu().numpy()) for c in binary_convs(net).values()]
    return torch.from_numpy(np.concatenate([np.zeros(0, np.uint8), *bits]))


def metrics(net: nn.Module, bits_before: torch.Tensor | None) -> dict[str, Any]:
    """For a row of the metrics.

    weight_flips    share of the binary weights whose sign is not the one that it was at the beginning of the epoch
    plane_distance  mean share of the bits in which the two planes of a unit differ; near 0 the second one is wasted
    layers          name -> alpha and beta of activations and (mean over channels) of weights, distance of planes
    """
    row: dict[str, Any] = {}
    convs = binary_convs(net)
    count = sum(c.weight.numel() for c in convs.values())
    if count and bits_before is not None:
        flipped = np.unpackbits(np.bitwise_xor(weight_bits(net).numpy(), bits_before.numpy()))
        row["weight_flips"] = int(flipped.sum()) / count
    distances: dict[str, float] = getattr(net, "plane_distance", dict)()
    if distances:
        row["plane_distance"] = float(np.mean(list(distances.values())))
    layers = layer_values(net, convs, distances)
    return row | ({"layers": layers} if layers else {})


@torch.no_grad()
def layer_values(net: nn.Module, convs: dict[str, BinaryConv2d], distances: dict[str, float]) -> dict[str, dict]:
    """alpha and beta by layer, where it has them."""
    layers: dict[str, dict] = {}
    for name, module in net.named_modules():
        if isinstance(module, ActivationQuantizer):
            own = {k: p for k, p in module.named_parameters(recurse=False) if k in ("alpha", "beta") and p.numel() == 1}
            if own:
                layers[name] = {key: float(p) for key, p in own.items()}
    for name, conv in convs.items():
        _, low, step = conv.weight_q.binary_set(conv.weight)
        layers[name] = {"alpha": float(step.mean() / 2), "beta": float((low + step / 2).mean())}
    for name, distance in distances.items():
        layers[name] = {"plane_distance": distance}
    return layers


def wasted_plane(row: dict[str, Any]) -> str:
    """A warning with the layer whose two planes differ least, where that is hardly at all; "" where none is wasted.

    Args      row: of the metrics.
    """
    distances = {name: values.get("plane_distance", 1.0) for name, values in row.get("layers", {}).items()}
    wasted = {name: distance for name, distance in distances.items() if distance < WASTED}
    if not wasted:
        return ""
    name = min(wasted, key=wasted.__getitem__)
    return (
        f"warning: the two planes of {name} differ in {100 * wasted[name]:.2g} % of their bits: the second one is wasted; "
        "next: a larger net.spread, how far apart they begin, or one plane that does the same, -o net.multi=collapsed"
    )
