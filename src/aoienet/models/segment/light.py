"""A light U-Net for cracks: depthwise separable, fully convolutional, batch norm only.

No operation looks at more than a fixed neighbourhood, so what the network says of a square whose sides and place are multiples of
`align_px` depends on the pixels within `halo_px` of it, and not on where a tile ends.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (8, 24, 48, 96, 160)  # channels at strides 1, 2, 4, 8, 16
DEPTHS = (0, 1, 2, 2, 1)  # units after the step down
FELT = 2  # positions around the inside that a unit of the way up and what follows it feel
PRIOR = 0.03  # share of crack pixels in DeepCrack and Crack500: where the logit begins
MEAN_LEVEL, LEVELS_PER_UNIT = 128.0, 64.0


def transformed(pixels_CHW: np.ndarray) -> np.ndarray:
    """8-bit pixels as the network takes them: (u - 128) / 64, float32."""
    return (pixels_CHW.astype(np.float32) - np.float32(MEAN_LEVEL)) / np.float32(LEVELS_PER_UNIT)


def norm_act(conv: nn.Module, channels: int) -> list[nn.Module]:
    return [conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


class Separable(nn.Sequential):
    """3x3 per channel, then 1x1 across channels, each with batch norm and ReLU."""

    def __init__(self, inside: int, out: int, stride: int = 1):
        each = nn.Conv2d(inside, inside, 3, stride, 1, groups=inside, bias=False)
        super().__init__(*norm_act(each, inside), *norm_act(nn.Conv2d(inside, out, 1, bias=False), out))


class Residual(nn.Module):
    """x + Separable(x)."""

    def __init__(self, channels: int):
        super().__init__()
        self.unit = Separable(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.unit(x)


class Up(nn.Module):
    """Twice the size by repetition, added to the skip, then one separable unit."""

    def __init__(self, below: int, channels: int):
        super().__init__()
        self.narrow = nn.Sequential(nn.Conv2d(below, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.unit = Separable(channels, channels)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        return self.unit(skip + F.interpolate(self.narrow(below), scale_factor=2.0, mode="nearest"))


class LightUNet(nn.Module):
    """N x C x H x W of transformed pixels -> N x 1 x H x W, the log-odds of a crack."""

    def __init__(self, in_channels: int = 1, widths: tuple[int, ...] = WIDTHS, depths: tuple[int, ...] = DEPTHS):
        super().__init__()
        self.in_channels, self.widths, self.depths = in_channels, widths, depths
        self.stem = nn.Sequential(*norm_act(nn.Conv2d(in_channels, widths[0], 3, 1, 1, bias=False), widths[0]))
        self.down = nn.ModuleList(
            nn.Sequential(Separable(a, b, stride=2), *(Residual(b) for _ in range(depth)))
            for a, b, depth in zip(widths, widths[1:], depths[1:], strict=False)
        )
        self.up = nn.ModuleList(Up(b, a) for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True))
        self.head = nn.Conv2d(widths[0], 1, 3, 1, 1)
        nn.init.constant_(self.head.bias, float(torch.logit(torch.tensor(PRIOR))))  # type: ignore[arg-type]

    @property
    def align_px(self) -> int:
        """Sides and places of tiles are multiples of this."""
        return 2 ** (len(self.widths) - 1)

    @property
    def halo_px(self) -> int:
        """The results of an aligned square depend on no pixel further away from it than this, in x or in y; a multiple of align_px."""
        reach = max(self.edges()[0]) + 1  # the stem
        return -(-reach // self.align_px) * self.align_px

    def edges(self) -> list[tuple[int, int]]:
        """Positions of each level's map, finest first, that are felt (before, beyond) an aligned square by it or by coarser levels."""
        before = beyond = 1  # the finer level repeats each position twice and feels two
        out = [(before, beyond)]
        for depth in self.depths[:0:-1]:  # units of one level, then the step down to it
            before, beyond = 2 * (before + depth) + 1, 2 * (beyond + depth)
            out.append((before, beyond))
        return out[::-1]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        maps = [self.stem(x_NCHW)]
        for step in self.down:
            maps.append(step(maps[-1]))
        x = maps.pop()
        for up in self.up:
            x = up(x, maps.pop())
        return self.head(x)


class Narrower(nn.Module):
    """A Residual without padding: the map loses a position at each edge. x is cut by a convolution, which ONNX Runtime computes in its
    blocked layout; a Slice would bring the whole map out of it and back."""

    def __init__(self, residual: Residual):
        super().__init__()
        self.unit = residual.unit
        weight = self.unit[0].weight
        self.cut = nn.Conv2d(len(weight), len(weight), 3, groups=len(weight), bias=False).to(weight)
        nn.init.dirac_(self.cut.weight, groups=len(weight))

    def forward(self, x: Tensor) -> Tensor:
        return self.cut(x) + self.unit(x)


class Inside(nn.Module):
    """A LightUNet that does not answer for the halo: N x C x H x W -> N x 1 x (H - 2 halo_px) x (W - 2 halo_px), the same numbers.

    Nothing is padded, so every map is as large as what the inside feels of it. The finest skip is computed again from the inside of
    the picture, which is cheaper than cutting the largest map.
    """

    def __init__(self, net: LightUNet):
        super().__init__()
        self.align_px, self.halo_px, self.edges = net.align_px, net.halo_px, net.edges()
        self.net = deepcopy(net)
        self.net.down = nn.ModuleList(nn.Sequential(step[0], *map(Narrower, step[1:])) for step in self.net.down)
        self.skip = deepcopy(net.stem)
        for conv in (self.skip[0], *(m for m in self.net.modules() if isinstance(m, nn.Conv2d))):
            conv.padding = (0, 0)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        net, halo = self.net, self.halo_px
        before, beyond = (edge + 1 for edge in self.edges[0])  # the stem
        x = net.stem(_cut(x_NCHW, halo - before, halo - beyond))
        skips = [self.skip(_cut(x_NCHW, halo - FELT - 1, halo - FELT - 1))]
        for step, (before, beyond) in zip(net.down[:-1], self.edges[1:-1], strict=True):
            x = step(x)
            skips.append(_cut(x, before - FELT, beyond - FELT))
        x = net.down[-1](x)
        for up in net.up:
            x = up(x, skips.pop())
        return net.head(x)


class TwoScales(nn.Module):
    """A LightUNet that looks at the picture and at the same picture at half its size: N x C x H x W ->
    N x 1 x (H - 2 halo_px) x (W - 2 halo_px), the larger of both log-odds after `shift` is taken from those of the half.

    At half its size a crack that is too wide to be told from a shadow is an ordinary one. What is seen there alone must be surer, by
    `shift`, as thin false lines grow wide too.
    """

    def __init__(self, net: LightUNet, shift: float):
        super().__init__()
        self.each, self.shift = Inside(net), shift
        self.in_channels, self.align_px, self.halo_px = net.in_channels, 2 * net.align_px, 2 * net.halo_px

    def forward(self, x_NCHW: Tensor) -> Tensor:
        margin = self.halo_px - self.each.halo_px
        fine = self.each(_cut(x_NCHW, margin, margin))
        half = self.each(F.avg_pool2d(x_NCHW, 2))
        return torch.maximum(fine, self._twice(half) - self.shift)

    def _twice(self, half_N1HW: Tensor) -> Tensor:
        """At twice the size, bilinear within squares of align_px: what lies beyond a square depends on pixels beyond the halo."""
        side = self.each.align_px
        rows, columns = half_N1HW.shape[2] // side, half_N1HW.shape[3] // side
        squares = half_N1HW.reshape(-1, rows, side, columns, side).transpose(2, 3).reshape(-1, 1, side, side)
        wide = F.interpolate(squares, scale_factor=2.0, mode="bilinear", align_corners=False)
        wide = wide.reshape(-1, rows, columns, 2 * side, 2 * side).transpose(2, 3)
        return wide.reshape(-1, 1, 2 * side * rows, 2 * side * columns)


def _cut(x_NCHW: Tensor, before: int, beyond: int) -> Tensor:
    """Without `before` positions at the upper and left edge and `beyond` at the lower and right one."""
    return x_NCHW[:, :, before : -beyond or None, before : -beyond or None]
