"""Build a binary network from its spec."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aoienet.models.spec import NetSpec, Stem, Unit
from aoienet.nn.layers import PLANES, BinaryConv2d, DualPlanes, Int16Conv2d, Maxout, Shortcut, activation, thermometer


class ThermometerStem(nn.Module):
    """Thermometer code, binary 3x3 convolution with plain signs, batch norm. Input: pixels 0..255."""

    def __init__(self, spec: Stem, in_channels: int):
        super().__init__()
        ((out, kernel, stride),) = spec.convs
        self.conv = BinaryConv2d(32 * in_channels, out, kernel, stride, "sign")
        self.bn = nn.BatchNorm2d(out)
        self.out_channels = out

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.bn(self.conv(thermometer(x_NCHW)))


class ConvStem(nn.Module):
    """Float convolutions, each with batch norm (between them ReLU), then Maxout and max pooling where the spec has them.

    Input: the transformed image, integers in -128..127 as floats (docs/format.md, Input).
    """

    def __init__(self, spec: Stem, in_channels: int):
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for i, (out, kernel, stride) in enumerate(spec.convs):
            layers += [nn.ReLU()] if i else []
            layers += [Int16Conv2d(channels, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out)]
            channels = out
        self.layers = nn.Sequential(*layers)
        self.maxout = Maxout(channels) if spec.maxout else nn.Identity()
        self.maxpool = nn.MaxPool2d(3, 2, 1) if spec.maxpool else nn.Identity()
        self.out_channels = channels

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.maxpool(self.maxout(self.layers(x_NCHW)))


class BinaryUnit(nn.Module):
    """x' = BN_shift(PAN(act(BN_post(conv(planes(x)))) + shortcut(x))) (design note A2, A3)."""

    def __init__(self, in_channels: int, unit: Unit, spec: NetSpec):
        super().__init__()
        self.planes = PLANES[unit.pre](in_channels, spec.act_q, spec.surrogate, spec.spread)
        self.conv = BinaryConv2d(in_channels, unit.out, unit.kernel, unit.stride, spec.weight_q)
        self.bn_post = nn.BatchNorm2d(unit.out)
        self.out_act = activation(unit.out_act, unit.out)
        self.shortcut = Shortcut(in_channels, unit.out, unit.stride, spec.shortcut)
        self.pan = activation(unit.pan, unit.out)
        self.bn_shift = nn.BatchNorm2d(unit.out) if unit.shift else nn.Identity()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        y = self.out_act(self.bn_post(self.conv(self.planes(x_NCHW))))
        return self.bn_shift(self.pan(y + self.shortcut(x_NCHW)))


class BinaryNet(nn.Module):
    """Stem, units, head. `forward` gives N x K logits, or N x K x Hb x Wb where the head works on blocks."""

    def __init__(self, spec: NetSpec):
        super().__init__()
        self.spec = spec
        stem = ThermometerStem if spec.stem.kind == "thermometer" else ConvStem
        self.stem = stem(spec.stem, spec.in_channels)
        channels = [self.stem.out_channels, *(unit.out for unit in spec.units)]
        self.units = nn.ModuleList(BinaryUnit(c, unit, spec) for c, unit in zip(channels, spec.units, strict=False))
        self.head_bn = nn.BatchNorm1d(channels[-1]) if spec.head.batchnorm else nn.Identity()
        self.linear = nn.Linear(channels[-1], spec.num_classes)

    def features(self, x_NCHW: Tensor) -> Tensor:
        x = self.stem(x_NCHW)
        for unit in self.units:
            x = unit(x)
        return x

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x, head = self.features(x_NCHW), self.spec.head
        if head.window == 0:
            return self.linear(self.head_bn(x.mean(dim=(2, 3))))
        pooled = F.avg_pool2d(x, head.window, head.stride)
        if head.peak > 1:
            pooled = F.max_pool2d(pooled, head.peak, head.peak_stride)
        return F.conv2d(pooled, self.linear.weight[:, :, None, None], self.linear.bias)

    def set_progress(self, fraction: float) -> None:
        """Share of the training that is done, for weight quantizers whose surrogate is annealed (EDE)."""
        for module in self.modules():
            if isinstance(module, BinaryConv2d):
                module.weight_q.progress = fraction

    @torch.no_grad()
    def plane_distance(self) -> dict[str, float]:
        """Expected share of differing bits of the two planes, per unit (target 0.15-0.40; 0 means a wasted plane)."""
        return {name: m.distance() for name, m in self.named_modules() if isinstance(m, DualPlanes)}
