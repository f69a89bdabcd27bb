"""Two routes over one map, attention over all positions beside convolutions, and their fusion. Real numbers."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value


@dataclass(frozen=True)
class DualRoute:
    """A transformer route of `depth` layers and a convolution route; joined by a 1x1 convolution.

    Source    DRCDCT-Net (Wang 2022), doi 10.1088/1361-6501/ac6fb2: its abstract. Differs: everything below that level.
    """

    out: int
    heads: int = 4
    depth: int = 2

    @property
    def geometry(self) -> tuple[tuple[int, int], ...]:
        return ((3, 1),) * 2

    def out_channels(self, in_channels: int) -> int:
        return self.out

    def build(self, in_channels: int, cell: Cell) -> nn.Module:
        return DualRouteBlock(in_channels, self)


def conv_bn_relu(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU())


class TransformerLayer(nn.Module):
    """Attention and a two-layer network, each behind a layer norm and beside a shortcut. Source: Dosovitskiy 2021."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(self, x_NTC: Tensor) -> Tensor:
        heads = self.qkv(self.norm1(x_NTC)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        x = x_NTC + self.out(mixed)
        return x + self.mlp(self.norm2(x))


class FeatureTransformer(nn.Module):
    """Positions as tokens; a depthwise convolution tells them where they lie."""

    def __init__(self, channels: int, heads: int, depth: int):
        super().__init__()
        self.place = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.layers = nn.Sequential(*(TransformerLayer(channels, heads) for _ in range(depth)))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x = x_NCHW + self.place(x_NCHW)
        return self.layers(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(x.shape)


class DualRouteBlock(nn.Module):
    """fuse(transformer(x), convolutions(x without its own mean and contrast))."""

    def __init__(self, in_channels: int, spec: DualRoute):
        super().__init__()
        self.features = FeatureTransformer(in_channels, spec.heads, spec.depth)
        self.undomain = nn.InstanceNorm2d(in_channels, affine=True)
        self.convolutions = nn.Sequential(*(conv_bn_relu(in_channels, in_channels, 3) for _ in range(2)))
        self.fuse = conv_bn_relu(2 * in_channels, spec.out, 1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        routes = self.features(x_NCHW), self.convolutions(self.undomain(x_NCHW))
        return self.fuse(torch.cat(routes, dim=1))

    def emit(self, g: Graph, x: Value) -> Value:
        g.refuse("no binary layer: attention and convolutions of real numbers")
