"""Training form -> graph and tensors of docs/format.md: the meaning of the words in nn/graph.py.

A value is an affine map of an op's result. The map is carried along until something takes it up: the convolution that was not
yet written, a threshold, a nonlinearity's slopes, the linear layer. What nothing takes up becomes an op of its own.
Beside every op stands its reference: the modules themselves in float64, nothing folded (deploy/verify.py).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aoienet.deploy import fold
from aoienet.models.net import BinaryNet
from aoienet.nn.conv import Int8Conv2d, thermometer
from aoienet.nn.graph import Slopes
from aoienet.quant.activation import ActivationQuantizer

Array = np.ndarray
Constants = tuple[dict[str, Any], dict[str, Array]]  # keys and tensors of an op
MAX_PLANES = 2


class NotExportable(ValueError):
    """The network has a part whose arithmetic the runtime cannot run exactly."""


def nchw(map_HWC: Array) -> Tensor:
    """float64 1CHW of a runtime value."""
    map_HWC = map_HWC[..., None] if map_HWC.ndim == 2 else map_HWC
    return torch.from_numpy(np.ascontiguousarray(map_HWC.astype(np.float64))).permute(2, 0, 1)[None]


def column(values: Array | Tensor) -> Tensor:
    """[C] -> [1,C,1,1] in float64."""
    return torch.as_tensor(values).double().reshape(1, -1, 1, 1)


def batchnorm(bn: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda x: F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias, eps=bn.eps)  # type: ignore[arg-type]


@dataclass
class Op:
    """An entry of the graph with its reference: runtime inputs -> float64 1CHW, or bool [J,1,C,H,W] for planes."""

    entry: dict[str, Any]
    site: str
    reference: Callable[..., Tensor]


@dataclass(eq=False)
class Node:
    """An op's result: written under `id`, or waiting for the affine map behind it."""

    channels: int
    id: int | None = None
    kind: str = ""
    inputs: tuple[int, ...] = ()
    fold: Callable[[Array, Array], Constants] | None = None
    reference: Callable[..., Tensor] | None = None
    site: str = ""
    spent: bool = False


@dataclass(frozen=True)
class Sym:
    """scale_c * node + shift_c; `then` computes the same with the original modules."""

    node: Node
    scale: Array = field(default_factory=lambda: np.ones(1))
    shift: Array = field(default_factory=lambda: np.zeros(1))
    then: tuple[Callable[[Tensor], Tensor], ...] = ()

    @property
    def channels(self) -> int:
        return self.node.channels

    def apply(self, x: Tensor) -> Tensor:
        for step in self.then:
            x = step(x)
        return x

    def constants(self) -> tuple[Array, Array]:
        return np.broadcast_to(self.scale, self.channels), np.broadcast_to(self.shift, self.channels)


@dataclass(frozen=True)
class Planes:
    """value = low + sum over groups and j of steps_j * bit; each group is one binarize op."""

    channels: int
    low: float
    groups: tuple[tuple[int, Array], ...]  # (id, steps float64 [J])


class GraphWriter:
    """Collects ops and tensors; hands out value ids."""

    def __init__(self, net: nn.Module) -> None:
        self.ops: list[Op] = []
        self.tensors: dict[str, Array] = {}
        self.planes_at_most = 1
        self.names = {module: name for name, module in net.named_modules()}
        self.site = ""
        self.packed: dict[nn.Module, str] = {}
        self.image_channels = 3

    # ---- what every op goes through

    def write(self, kind: str, inputs: tuple[int, ...], keys: dict[str, Any], tensors: dict[str, Array],
              reference: Callable[..., Tensor], site: str = "") -> int:  # fmt: skip
        out = len(self.ops) + 1
        names = {}
        for key, value in tensors.items():
            names[key] = f"{out}.{key}"
            self.tensors[names[key]] = np.ascontiguousarray(value)
        entry = {"op": kind, "in": list(inputs), "out": out, **keys, **names}
        self.ops.append(Op(entry, site or self.site, reference))
        return out

    def written(self, kind: str, channels: int, *inputs: Sym, reference: Callable[..., Tensor],
                **keys: Any) -> Sym:  # fmt: skip
        """An op that takes up no affine map."""
        ids = tuple(self.value(x) for x in inputs)
        return Sym(Node(channels, self.write(kind, ids, keys, {}, reference)))

    def waiting(self, kind: str, channels: int, inputs: tuple[int, ...], fold_in: Callable[[Array, Array], Constants],
                reference: Callable[..., Tensor]) -> Sym:  # fmt: skip
        """An op that takes up the affine map behind it: fold_in(scale [C], shift [C]) gives keys and tensors."""
        return Sym(Node(channels, None, kind, inputs, fold_in, reference, self.site))

    def value(self, x: Sym) -> int:
        """The id under which x stands in the graph."""
        node = x.node
        if node.id is None:
            if node.spent or node.fold is None or node.reference is None:
                raise RuntimeError(f"{node.site}: a value is used twice; fix(x) it first")
            node.spent = True
            first = node.reference
            keys, tensors = node.fold(*x.constants())
            return self.write(node.kind, node.inputs, keys, tensors, lambda *v: x.apply(first(*v)), node.site)
        if not x.then:
            return node.id
        scale, shift = (v.astype(np.float32) for v in x.constants())
        tensors = {"pos": scale, "neg": scale.copy(), "pos_shift": shift, "neg_shift": shift.copy()}
        return self.write("slopes", (node.id,), {}, tensors, lambda v: x.apply(nchw(v)))

    # ---- the words of nn/graph.py

    def refuse(self, reason: str) -> NoReturn:
        raise NotExportable(f"{self.site or 'the network'}: {reason}")

    def part(self, module: nn.Module, *values: Any) -> Any:
        if isinstance(module, nn.Identity):
            return values[0]
        before, self.site = self.site, self.names.get(module, self.site)
        try:
            return self._part(module, *values)
        finally:
            self.site = before

    def _part(self, module: nn.Module, *values: Any) -> Any:
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            return self._affine(values[0], *fold.affine_of_bn(module), batchnorm(module))
        if hasattr(module, "emit"):
            return module.emit(self, *values)
        if isinstance(module, nn.Sequential):
            (x,) = values
            for each in module:
                x = self.part(each, x)
            return x
        if isinstance(module, Int8Conv2d):
            return self._conv_int(values[0], module)
        if isinstance(module, nn.Conv2d):
            return self.conv_f32(values[0], module)
        if isinstance(module, nn.Linear):
            return self.linear(values[0], module)
        if isinstance(module, nn.MaxPool2d):
            return self.maxpool(values[0], int(module.kernel_size), int(module.stride), int(module.padding))
        self.refuse(f"no exact form for {type(module).__name__}")

    def fix(self, x: Sym) -> Sym:
        return Sym(Node(x.channels, self.value(x)))

    def _affine(self, x: Sym, scale: Array, shift: Array, then: Callable[[Tensor], Tensor]) -> Sym:
        return replace(x, scale=x.scale * scale, shift=x.shift * scale + shift, then=(*x.then, then))

    def affine(self, x: Sym, scale: Tensor | float, shift: Tensor | float) -> Sym:
        a, b = (torch.as_tensor(v).detach().double().reshape(-1) for v in (scale, shift))
        return self._affine(x, a.numpy(), b.numpy(), lambda v: v * column(a) + column(b))

    def thermometer(self, x: int) -> Planes:
        def reference(image: Array) -> Tensor:
            return (thermometer(nchw(image)) > 0)[None]

        channels = 32 * self.image_channels
        return Planes(channels, -1.0, ((self.write("thermometer", (x,), {}, {}, reference), np.array([2.0])),))

    def planes(self, branches: list[tuple[Sym, nn.Module]]) -> Planes:
        base = branches[0][0].node if branches[0][0].node.id is not None else None
        if base is None:  # nothing else reads the value: the affine map goes into the convolution before
            if len(branches) > 1:
                raise RuntimeError(f"{self.site}: planes of several branches need one fixed value")
            branches = [(self.fix(branches[0][0]), branches[0][1])]
            base = branches[0][0].node
        low, rows = 0.0, []  # rows: (sym, quantizer, level, threshold, step)
        for x, act in branches:
            if x.node is not base:
                raise RuntimeError(f"{self.site}: the branches of planes must be affine maps of one value")
            assert isinstance(act, ActivationQuantizer)
            if act.refusal:
                self.refuse(act.refusal)
            levels = act.levels()
            low += levels.low
            rows += [(x, act, j, *pair) for j, pair in enumerate(zip(levels.thresholds, levels.steps, strict=True))]
        groups = []
        for first in range(0, len(rows), MAX_PLANES):
            group = rows[first : first + MAX_PLANES]
            pairs = [fold.threshold_of(*x.constants(), fold.numpy64(t)) for x, _, _, t, _ in group]
            tensors = {"threshold": np.stack([t for t, _ in pairs]), "flip": np.stack([f for _, f in pairs])}
            assert base.id is not None
            groups.append((self._binarize(base.id, group, tensors), np.array([row[4] for row in group])))
            self.planes_at_most = max(self.planes_at_most, len(group))
        return Planes(base.channels, low, tuple(groups))

    def _binarize(self, base: int, group: list[tuple[Any, ...]], tensors: dict[str, Array]) -> int:
        def reference(value: Array) -> Tensor:
            x, out = nchw(value), []
            for sym, act, level, _, step in group:
                out.append(act(sym.apply(x)) > act.levels().values()[level] + step / 2)
            return torch.stack(out)

        return self.write("binarize", (base,), {}, tensors, reference)

    def conv_bits(self, planes: Planes, conv: nn.Module) -> Sym:
        if not conv.weight_q.binary:  # type: ignore[union-attr]
            self.refuse("real weights")
        if conv.pad and len(planes.groups) > 1:
            self.refuse(f"padding with a value needs at most {MAX_PLANES} planes")
        weights = fold.BinaryWeights.of(conv)
        low, total = planes.low, None
        for value, steps in planes.groups:
            y = self._conv_group(planes.channels, value, low, steps, conv, weights)
            total, low = y if total is None else self.add(total, y), 0.0
        assert total is not None
        return total

    def _conv_group(self, channels: int, value: int, low: float, steps: Array, conv: Any,
                    weights: fold.BinaryWeights) -> Sym:  # fmt: skip
        if conv not in self.packed:
            self.packed[conv] = f"{self.names[conv]}.weight"
            self.tensors[self.packed[conv]] = weights.packed()
        kh, kw = conv.kernel
        keys = {"k": kh, "s": conv.stride, "p": kh // 2, "channels": channels, "weight": self.packed[conv]}
        keys |= {} if kh == kw else {"kw": kw}

        def fold_in(g: Array, h: Array) -> Constants:
            return keys, vars(fold.fold_conv(weights, low, steps, g, h, conv.pad))

        def reference(planes_JHWC: Array) -> Tensor:
            return conv(low + sum(float(step) * nchw(plane) for step, plane in zip(steps, planes_JHWC, strict=True)))

        return self.waiting("conv_bits", weights.high.shape[0], (value,), fold_in, reference)

    def _conv_int(self, x: int, conv: Int8Conv2d) -> Sym:
        integers, step = conv.integer_weight()
        weight, step_O = fold.numpy64(integers).transpose(0, 2, 3, 1).astype(np.int16), fold.numpy64(step).ravel()
        keys = {"k": conv.kernel_size[0], "s": conv.stride[0], "p": int(conv.padding[0])}

        def fold_in(g: Array, h: Array) -> Constants:
            return keys, {"weight": weight, "scale": (step_O * g).astype(np.float32), "bias": h.astype(np.float32)}

        return self.waiting("conv_int", conv.out_channels, (x,), fold_in, lambda v: conv(nchw(v)))

    def conv_f32(self, x: Sym, conv: nn.Conv2d) -> Sym:
        if conv.kernel_size[0] != conv.kernel_size[1]:
            self.refuse(f"real convolutions are square; received {conv.kernel_size}")
        weight = fold.numpy64(conv.weight).transpose(0, 2, 3, 1)
        bias = fold.numpy64(conv.bias) if conv.bias is not None else np.zeros(conv.out_channels)
        keys = {"k": conv.kernel_size[0], "s": conv.stride[0], "p": int(conv.padding[0]), "groups": conv.groups}

        def fold_in(g: Array, h: Array) -> Constants:
            tensors = {"weight": weight * g[:, None, None, None], "bias": bias * g + h}
            return keys, {k: v.astype(np.float32) for k, v in tensors.items()}

        return self.waiting("conv_f32", conv.out_channels, (self.value(x),), fold_in, lambda v: conv(nchw(v)))

    def slopes(self, x: Sym, module: nn.Module, slopes: Slopes) -> Sym:
        s = {k: np.broadcast_to(fold.numpy64(v), x.channels) for k, v in vars(slopes).items()}

        def fold_in(g: Array, h: Array) -> Constants:
            out = {"pos": g * s["pos"], "neg": g * s["neg"]}
            out |= {key: g * s[key] + h for key in ("pos_shift", "neg_shift")}
            out |= {"knee": s["knee"]} if s["knee"].any() else {}
            return {}, {k: v.astype(np.float32) for k, v in out.items()}

        return self.waiting("slopes", x.channels, (self.value(x),), fold_in, lambda v: module(nchw(v)))

    def clip(self, x: Sym, module: nn.Hardtanh) -> Sym:
        keys = {"low": module.min_val, "high": module.max_val}
        return self.written("clip", x.channels, x, reference=lambda v: module(nchw(v)), **keys)

    def gate(self, a: Sym, b: Sym, threshold: Tensor, scale: Tensor) -> Sym:
        t, s = column(threshold.detach()), column(scale.detach())

        def reference(a_HWC: Array, b_HWC: Array) -> Tensor:
            return torch.where(nchw(a_HWC) > t, nchw(b_HWC), s * nchw(a_HWC))

        ids = (self.value(a), self.value(b))
        rows = {"threshold": t, "scale": s, "shift": torch.zeros(1)}
        tensors = {k: np.broadcast_to(v.numpy().ravel(), a.channels).astype(np.float32) for k, v in rows.items()}
        return Sym(Node(a.channels, self.write("gate", ids, {}, tensors, reference)))

    def add(self, a: Sym, b: Sym) -> Sym:
        return self.written("add", a.channels, a, b, reference=lambda x, y: nchw(x) + nchw(y))

    def mul(self, a: Sym, b: Sym) -> Sym:
        return self.written("mul", a.channels, a, b, reference=lambda x, y: nchw(x) * nchw(y))

    def concat(self, a: Sym, b: Sym) -> Sym:
        both = a.channels + b.channels
        return self.written("concat", both, a, b, reference=lambda x, y: torch.cat((nchw(x), nchw(y)), dim=1))

    def channels(self, x: Sym, first: int, last: int, before: int = 0, after: int = 0) -> Sym:
        def reference(v: Array) -> Tensor:
            return F.pad(nchw(v)[:, first:last], (0, 0, 0, 0, before, after))

        keys = {"from": first, "to": last, "before": before, "after": after}
        return self.written("channels", before + last - first + after, x, reference=reference, **keys)

    def avgpool2(self, x: Sym) -> Sym:
        def reference(v: Array) -> Tensor:
            return F.avg_pool2d(nchw(v), 2, 2, ceil_mode=True, count_include_pad=False)

        return self.written("avgpool2", x.channels, x, reference=reference)

    def maxpool(self, x: Sym, kernel: int, stride: int, padding: int) -> Sym:
        def reference(v: Array) -> Tensor:
            return F.max_pool2d(nchw(v), kernel, stride, padding)

        return self.written("maxpool", x.channels, x, reference=reference, k=kernel, s=stride, p=padding)

    def subsample2(self, x: Sym) -> Sym:
        return self.written("subsample2", x.channels, x, reference=lambda v: nchw(v)[:, :, ::2, ::2])

    def upadd2(self, a: Sym, b: Sym) -> Sym:
        def reference(x: Array, y: Array) -> Tensor:
            return nchw(x) + F.interpolate(nchw(y), scale_factor=2.0, mode="nearest")[:, :, : x.shape[0], : x.shape[1]]

        return self.written("upadd2", a.channels, a, b, reference=reference)

    def rank1(self, x: Sym, rows: Tensor, columns: Tensor) -> Sym:
        r, c = rows.detach().double().ravel(), columns.detach().double().ravel()
        tensors = {"rows": r.numpy().astype(np.float32), "columns": c.numpy().astype(np.float32)}

        def reference(v: Array) -> Tensor:
            return nchw(v) * (r.view(-1, 1) * c)

        return Sym(Node(x.channels, self.write("rank1", (self.value(x),), {}, tensors, reference)))

    def mean(self, x: Sym) -> Sym:
        return self.pool(x, 0, 1)

    def pool(self, x: Sym, window: int, stride: int) -> Sym:
        def reference(v: Array) -> Tensor:
            return F.avg_pool2d(nchw(v), window, stride) if window else nchw(v).mean(dim=(2, 3), keepdim=True)

        return self.written("pool", x.channels, x, reference=reference, window=window, stride=stride)

    def peak(self, v: Sym, window: int, stride: int) -> Sym:
        def reference(grid: Array) -> Tensor:
            return F.max_pool2d(nchw(grid), window, stride)

        return self.written("peak", v.channels, v, reference=reference, window=window, stride=stride)

    def linear(self, v: Sym, linear: nn.Linear) -> Sym:
        if v.node.id is None:
            v = self.fix(v)
        w, b = fold.numpy64(linear.weight), np.zeros(linear.out_features)
        b = b if linear.bias is None else fold.numpy64(linear.bias)
        scale, shift = v.constants()
        w, b = w * scale, b + w @ shift
        assert v.node.id is not None

        def fold_in(g: Array, h: Array) -> Constants:
            return {}, {"weight": (w * g[:, None]).astype(np.float32), "bias": (b * g + h).astype(np.float32)}

        def reference(grid: Array) -> Tensor:
            return F.conv2d(v.apply(nchw(grid)), linear.weight[:, :, None, None], linear.bias)

        return self.waiting("linear", len(w), (v.node.id,), fold_in, reference)

    def sigmoid(self, v: Sym) -> Sym:
        return self.written("sigmoid", v.channels, v, reference=lambda x: torch.sigmoid(nchw(x)))


@torch.no_grad()
def graph_of(net: BinaryNet) -> GraphWriter:
    """Fold and write the whole network. Raises NotExportable with the reason."""
    plain = deepcopy(net).double().eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    g = GraphWriter(plain)
    g.image_channels = net.spec.in_channels
    g.value(plain.emit(g, 0))
    return g


def header_of(net: BinaryNet, g: GraphWriter, name: str, classes: list[str], transform: dict[str, Any],
              scan: dict[str, Any] | None, meta: dict[str, Any], resize_px: int | None = None) -> dict[str, Any]:  # fmt: skip
    """The header without its tensor table, which the writer fills in."""
    spec = net.spec
    h, w = spec.input_hw
    header: dict[str, Any] = {
        "format": "aoie",
        "name": name,
        "planes": g.planes_at_most,
        "classes": classes,
        "input": {"channels": spec.in_channels, "height": h, "width": w, "fixed": scan is None, "transform": transform},
        "graph": [op.entry for op in g.ops],
        "meta": meta,
    }
    if resize_px is not None:
        header["input"]["resize_px"] = resize_px
    return header if scan is None else header | {"scan": scan}


def halo_px(net: BinaryNet, window_px: int, align_px: int, least_px: int = 0) -> int:
    """Receptive radius and half of the contrast window, at least `least_px`, rounded up to whole steps of tiles."""
    reach = max(net.spec.radius_px + window_px // 2, least_px)
    return -(-reach // align_px) * align_px


def pack(net: BinaryNet, info: dict[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """(header, tensors) of a trained run; `info` as train.load_run gives it (classes, transform, resize_px, scan, recipe, result)."""
    g = graph_of(net)
    scan, result = info["scan"], dict(info["result"])
    meta = {"network": info["model_name"], "recipe": info["recipe"], "result": result}
    meta |= {name: result.pop(name) for name in ("certificate", "familiar") if name in result}
    if scan is not None:
        # a tile must hold what the statistics of a block are taken from, even where the network sees less
        around_px = meta.get("familiar", {}).get("around_px", 0)
        align_px = scan.get("align_px", scan["block_stride_px"])
        scan = scan | {"halo_px": halo_px(net, info["transform"]["window_px"], align_px, around_px)}
    return header_of(net, g, name, info["classes"], info["transform"], scan, meta, info.get("resize_px")), g.tensors
