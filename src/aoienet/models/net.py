"""Build a network from its spec."""

from dataclasses import replace
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aoienet.models.spec import NetSpec, after
from aoienet.models.stems import STEMS
from aoienet.nn.conv import BinaryConv2d
from aoienet.nn.graph import Graph, Value
from aoienet.nn.layer import activation
from aoienet.nn.multi.dual_bn import DualBN


class BinaryNet(nn.Module):
    """Stem, units, head. `forward` gives N x K logits, or N x K x Hb x Wb where the head works on blocks.

    A head of levels takes the maps that `spec.taps` names, and their means and mean squares instead of the last map's mean.
    """

    def __init__(self, spec: NetSpec):
        super().__init__()
        self.spec = spec
        self.stem = STEMS[spec.stem.kind](spec.stem, spec.in_channels)
        channels, hw = spec.stem.convs[-1].out, after(spec.input_hw, spec.stem.geometry)
        self.units = nn.ModuleList()
        widths = [channels]
        for block in spec.body:
            self.units.append(block.build(channels, replace(spec.cell, map_hw=hw)))
            channels, hw = block.out_channels(channels), after(hw, block.geometry)
            widths.append(channels)
        head = spec.head
        self.head_act: nn.Module = nn.Identity()
        if head.act != "none":
            norm = nn.BatchNorm2d(channels) if head.act_batchnorm else nn.Identity()
            self.head_act = nn.Sequential(norm, activation(head.act, channels))
        features = 2 * sum(widths[i] for i in spec.taps) if head.levels else channels
        self.head_bn = nn.BatchNorm1d(features) if head.batchnorm else nn.Identity()
        self.linear = nn.Linear(features, spec.num_classes)

    def forward_features(self, x_NCHW: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The last map, N x num_features x H x W; of a head of levels the maps of all levels."""
        x, levels, taps = self.stem(x_NCHW), [], self._taps()
        for i, part in enumerate((*self.units, self.head_act)):
            if i in taps:
                levels.append(x)
            x = part(x)
        return (*levels, x) if self.spec.head.levels else x

    def _taps(self) -> tuple[int, ...]:
        """The units before which a head of levels takes a map, besides the last one."""
        return self.spec.taps[:-1] if self.spec.head.levels else ()

    def forward_head(self, x_NCHW: Tensor | tuple[Tensor, ...], pre_logits: bool = False) -> Tensor:
        """Logits of what `forward_features` gave, or the vectors before the linear layer."""
        head = self.spec.head
        if head.window == 0:
            maps = x_NCHW if isinstance(x_NCHW, tuple) else (x_NCHW,)
            powers = (1, 2) if head.levels else (1,)
            v = self.head_bn(torch.cat([(m**p).mean(dim=(2, 3)) for m in maps for p in powers], dim=1))
            return v if pre_logits else self.linear(v)
        assert isinstance(x_NCHW, Tensor)
        pooled = F.avg_pool2d(x_NCHW, head.window, head.stride)
        if head.peak > 1:
            pooled = F.max_pool2d(pooled, head.peak, head.peak_stride)
        return pooled if pre_logits else F.conv2d(pooled, self.linear.weight[:, :, None, None], self.linear.bias)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x_NCHW))

    @property
    def num_classes(self) -> int:
        return self.linear.out_features

    @property
    def num_features(self) -> int:
        return self.linear.in_features

    @property
    def pretrained_cfg(self) -> dict[str, object]:
        """What timm's tools ask of a model: input size, classes, first and last layer."""
        spec = self.spec
        size = (spec.in_channels, *spec.input_hw)
        return {"architecture": spec.name, "input_size": size, "num_classes": self.num_classes, "classifier": "linear"}

    def get_classifier(self) -> nn.Module:
        return self.linear

    def reset_classifier(self, num_classes: int) -> None:
        """A new linear layer for other classes."""
        self.linear = nn.Linear(self.num_features, num_classes)
        self.spec = replace(self.spec, num_classes=num_classes)

    def emit(self, g: Graph, image: Value) -> Value:
        head, taps = self.spec.head, self._taps()
        x, levels = g.part(self.stem, image), []
        for i, part in enumerate((*self.units, self.head_act)):
            if i in taps:
                x = g.fix(x)
                levels.append(x)
            x = g.part(part, x)
        if head.levels:
            return self._emit_levels(g, [*levels, g.fix(x)])
        v = g.mean(x) if head.window == 0 else g.pool(x, head.window, head.stride)
        v = g.peak(v, head.peak, head.peak_stride) if head.peak > 1 else v
        return g.part(self.linear, g.part(self.head_bn, v))

    def _emit_levels(self, g: Graph, maps: list[Value]) -> Value:
        """Means and mean squares in the order of `forward_head`, one vector."""
        vectors = [v for x in maps for v in (g.mean(x), g.mean(g.mul(x, x)))]
        return g.part(self.linear, g.part(self.head_bn, reduce(g.concat, vectors)))

    def set_progress(self, fraction: float) -> None:
        """Share of the training that is done: annealed surrogates, and what a weight quantizer renews every epoch."""
        for module in self.modules():
            if hasattr(module, "progress"):
                module.progress = fraction
        for module in self.modules():  # a quantizer comes behind its convolution: all know their progress now
            if isinstance(module, BinaryConv2d):
                module.weight_q.refresh(module.weight)

    @torch.no_grad()
    def plane_distance(self) -> dict[str, float]:
        """Expected share of differing bits of the two planes, per unit (target 0.15-0.40; 0 means a wasted plane). Not of a quantizer
        whose thresholds depend on the picture."""
        planes = {name: m for name, m in self.named_modules() if isinstance(m, DualBN)}
        return {name: m.distance() for name, m in planes.items() if not any(a.refusal for a in m.act)}
