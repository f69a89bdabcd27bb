"""Training form -> graph and tensors of docs/format.md. One function per part; the graph is written in reading order."""

from typing import Any

import numpy as np
from torch import nn

from aoienet.deploy import fold
from aoienet.models.net import BinaryNet, BinaryUnit, ConvStem, ThermometerStem
from aoienet.nn.layers import Int16Conv2d, RPReLU, Shortcut

Array = np.ndarray


class NotExportable(ValueError):
    """The network has a part whose arithmetic the runtime cannot run exactly."""


class GraphWriter:
    """Collects ops and tensors; hands out value ids. `sites` names the training module behind each value."""

    def __init__(self) -> None:
        self.ops: list[dict[str, Any]] = []
        self.tensors: dict[str, Array] = {}
        self.sites: dict[int, str] = {}

    def op(self, kind: str, inputs: list[int], site: str, keys: dict[str, Any], tensors: dict[str, Array]) -> int:
        out = len(self.ops) + 1
        names = {}
        for key, value in tensors.items():
            names[key] = f"{out}.{key}"
            self.tensors[names[key]] = np.ascontiguousarray(value)
        self.ops.append({"op": kind, "in": inputs, "out": out, **keys, **names})
        self.sites[out] = site
        return out


def conv_bits(g: GraphWriter, x: int, site: str, conv: nn.Module, folded: fold.FoldedConv, channels: int) -> int:
    keys = {"k": conv.kernel, "s": conv.stride, "p": conv.kernel // 2, "channels": channels}
    return g.op("conv_bits", [x], site, keys, vars(folded))


def thermometer_stem(g: GraphWriter, stem: ThermometerStem, in_channels: int) -> int:
    planes = g.op("thermometer", [0], "stem.planes", {}, {})
    scale, shift = fold.affine_of_bn(stem.bn)
    folded = fold.fold_conv(stem.conv, fold.SIGN_PLANE, scale, shift)
    return conv_bits(g, planes, "stem", stem.conv, folded, 32 * in_channels)


def conv_stem(g: GraphWriter, stem: ConvStem) -> int:
    convs = [m for m in stem.layers if isinstance(m, Int16Conv2d)]
    if len(convs) != 1:
        raise NotExportable(
            f"a stem of one convolution is needed (the image is int8); received {len(convs)} convolutions."
        )
    conv, (scale, shift) = convs[0], fold.affine_of_bn(stem.layers[1])
    weight, step = fold.int16_weights(conv)
    keys = {"k": conv.kernel_size[0], "s": conv.stride[0], "p": int(conv.padding[0])}
    tensors = {"weight": weight, "scale": (step * scale).astype(np.float32), "bias": shift.astype(np.float32)}
    x = g.op("conv_int", [0], "stem.layers", keys, tensors)
    if not isinstance(stem.maxout, nn.Identity):
        slopes = fold.slopes_of(stem.maxout, np.ones(1), np.zeros(1), stem.out_channels)
        x = g.op("slopes", [x], "stem.maxout", {}, slopes)
    return x if isinstance(stem.maxpool, nn.Identity) else g.op("maxpool3", [x], "stem.maxpool", {}, {})


def shortcut(g: GraphWriter, x: int, part: Shortcut, site: str) -> int:
    if not isinstance(part.pool, nn.Identity):
        x = g.op("avgpool2", [x], f"{site}.pool", {}, {})
    if part.conv is not None:
        scale, shift = fold.affine_of_bn(part.bn if part.bn is not None else nn.Identity())
        weight = fold.numpy64(part.conv.weight)[:, :, 0, 0] * np.broadcast_to(scale, part.conv.out_channels)[:, None]
        bias = np.broadcast_to(shift, part.conv.out_channels)
        return g.op("conv_f32", [x], site, {}, {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)})
    return g.op("concat", [x, x], site, {}, {}) if part.twice else x


def unit(g: GraphWriter, x: int, part: BinaryUnit, site: str) -> int:
    out, channels = part.conv.weight.shape[:2]
    threshold, flip = fold.thresholds(part.planes, channels)
    planes = g.op("binarize", [x], f"{site}.planes", {}, {"threshold": threshold, "flip": flip})
    scale, shift = fold.affine_of_bn(part.bn_post)
    rprelu = part.out_act if isinstance(part.out_act, RPReLU) else None
    if rprelu is not None:
        before, prelu, after = fold.split_rprelu(rprelu)
        shift = shift - before
    folded = fold.fold_conv(part.conv, fold.PlaneSet.of(part.planes), scale, shift)
    y = conv_bits(g, planes, f"{site}.bn_post" if rprelu is None else "", part.conv, folded, channels)
    if rprelu is not None:
        y = g.op("slopes", [y], f"{site}.out_act", {}, fold.slopes_of(prelu, np.ones(1), after, out))
    v = g.op("add", [y, shortcut(g, x, part.shortcut, f"{site}.shortcut")], "", {}, {})
    if isinstance(part.pan, nn.Identity) and isinstance(part.bn_shift, nn.Identity):
        return v
    return g.op("slopes", [v], site, {}, fold.slopes_of(part.pan, *fold.affine_of_bn(part.bn_shift), out))


def graph_of(net: BinaryNet) -> GraphWriter:
    """Fold and write the whole network. Raises NotExportable with the reason."""
    g, spec = GraphWriter(), net.spec
    stem = net.stem
    x = thermometer_stem(g, stem, spec.in_channels) if isinstance(stem, ThermometerStem) else conv_stem(g, stem)
    for i, part in enumerate(net.units):
        x = unit(g, x, part, f"units.{i}")
    x = g.op("pool", [x], "", {"window": spec.head.window, "stride": spec.head.stride}, {})
    if spec.head.peak > 1:
        x = g.op("peak", [x], "", {"window": spec.head.peak, "stride": spec.head.peak_stride}, {})
    weight, bias = fold.fold_linear(net.linear, net.head_bn)
    g.op("linear", [x], "logits", {}, {"weight": weight, "bias": bias})
    return g


def header_of(net: BinaryNet, g: GraphWriter, name: str, classes: list[str], transform: dict[str, Any],
              scan: dict[str, Any] | None, meta: dict[str, Any]) -> dict[str, Any]:  # fmt: skip
    """The header without its tensor table, which the writer fills in."""
    spec = net.spec
    h, w = spec.input_hw
    header: dict[str, Any] = {
        "format": "aoie",
        "name": name,
        "planes": spec.planes,
        "classes": classes,
        "input": {"channels": spec.in_channels, "height": h, "width": w, "fixed": scan is None, "transform": transform},
        "graph": g.ops,
        "meta": meta | {"sites": {str(k): v for k, v in g.sites.items() if v}},
    }
    return header if scan is None else header | {"scan": scan}


def receptive_radius_px(net: BinaryNet) -> int:
    """Pixels that a position of the last map can see to each side of its own."""
    spec, radius, jump = net.spec, 0, 1
    for _, kernel, stride in spec.stem.convs:
        radius, jump = radius + (kernel // 2) * jump, jump * stride
    if spec.stem.maxpool:
        radius, jump = radius + jump, jump * 2
    for part in spec.units:
        radius, jump = radius + (part.kernel // 2) * jump, jump * part.stride
    return radius


def halo_px(net: BinaryNet, window_px: int, block_stride_px: int) -> int:
    """Receptive radius and half of the contrast window, rounded up to whole block strides."""
    reach = receptive_radius_px(net) + window_px // 2
    return -(-reach // block_stride_px) * block_stride_px


def pack(net: BinaryNet, info: dict[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """(header, tensors) of a trained run; `info` as train.load_run gives it (classes, transform, scan, recipe, result)."""
    g = graph_of(net)
    scan = info["scan"]
    if scan is not None:
        scan = scan | {"halo_px": halo_px(net, info["transform"]["window_px"], scan["block_stride_px"])}
    meta = {"network": info["model_name"], "recipe": info["recipe"], "result": info["result"]}
    return header_of(net, g, name, info["classes"], info["transform"], scan, meta), g.tensors
