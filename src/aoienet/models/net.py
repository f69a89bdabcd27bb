"""Build a network from its spec."""

from dataclasses import replace

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
    """Stem, units, head. `forward` gives N x K logits, or N x K x Hb x Wb where the head works on blocks."""

    def __init__(self, spec: NetSpec):
        super().__init__()
        self.spec = spec
        self.stem = STEMS[spec.stem.kind](spec.stem, spec.in_channels)
        channels, hw = spec.stem.convs[-1].out, after(spec.input_hw, spec.stem.geometry)
        self.units = nn.ModuleList()
        for block in spec.body:
            self.units.append(block.build(channels, replace(spec.cell, map_hw=hw)))
            channels, hw = block.out_channels(channels), after(hw, block.geometry)
        head = spec.head
        self.head_act: nn.Module = nn.Identity()
        if head.act != "none":
            norm = nn.BatchNorm2d(channels) if head.act_batchnorm else nn.Identity()
            self.head_act = nn.Sequential(norm, activation(head.act, channels))
        self.head_bn = nn.BatchNorm1d(channels) if head.batchnorm else nn.Identity()
        self.linear = nn.Linear(channels, spec.num_classes)

    def forward_features(self, x_NCHW: Tensor) -> Tensor:
        """The last map, N x num_features x H x W."""
        x = self.stem(x_NCHW)
        for unit in self.units:
            x = unit(x)
        return self.head_act(x)

    def forward_head(self, x_NCHW: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits of the last map, or the vectors before the linear layer."""
        head = self.spec.head
        if head.window == 0:
            v = self.head_bn(x_NCHW.mean(dim=(2, 3)))
            return v if pre_logits else self.linear(v)
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
        x = g.part(self.stem, image)
        for unit in self.units:
            x = g.part(unit, x)
        x = g.part(self.head_act, x)
        head = self.spec.head
        v = g.mean(x) if head.window == 0 else g.pool(x, head.window, head.stride)
        v = g.peak(v, head.peak, head.peak_stride) if head.peak > 1 else v
        return g.part(self.linear, g.part(self.head_bn, v))

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
        """Expected share of differing bits of the two planes, per unit (target 0.15-0.40; 0 means a wasted plane)."""
        return {name: m.distance() for name, m in self.named_modules() if isinstance(m, DualBN)}
