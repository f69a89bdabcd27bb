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
        first, last = -1, self.align_px  # the head, of the square [0, align_px)
        for _ in self.up:  # a unit, then the square that was repeated
            first, last = (first - 1) // 2, (last + 1) // 2
        for depth in self.depths[:0:-1]:  # units of one level, then the step down to it
            first, last = 2 * (first - depth) - 1, 2 * (last + depth) + 1
        reach = max(1 - first, last + 2 - self.align_px)  # the stem
        return -(-reach // self.align_px) * self.align_px

    def way_down(self, x_NCHW: Tensor) -> list[Tensor]:
        """The last map of every level."""
        maps = [self.stem(x_NCHW)]
        for step in self.down:
            maps.append(step(maps[-1]))
        return maps

    def forward(self, x_NCHW: Tensor) -> Tensor:
        maps = self.way_down(x_NCHW)
        x = maps.pop()
        for up in self.up:
            x = up(x, maps.pop())
        return self.head(x)


class Inside(nn.Module):
    """A LightUNet that does not answer for the halo: N x C x H x W -> N x 1 x (H - 2 halo_px) x (W - 2 halo_px), the same numbers.

    The way up is computed for the inside alone, with the two positions around it that its 3x3 kernels feel. They have no padding,
    and the finest skip is computed again from the inside of the picture: both are cheaper than cutting large maps.
    """

    def __init__(self, net: LightUNet):
        super().__init__()
        self.align_px, self.halo_px = net.align_px, net.halo_px
        self.net = deepcopy(net)
        self.skip = deepcopy(net.stem)
        for conv in (self.skip[0], self.net.head, *(up.unit[0] for up in self.net.up)):
            conv.padding = (0, 0)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        net, halo = self.net, self.halo_px
        finest = self.skip(_cut(x_NCHW, halo - 3))
        maps = [finest, *net.way_down(x_NCHW)[1:]]
        x = _cut(maps.pop(), halo // net.align_px - 1)
        for up in net.up:
            skip = maps.pop()
            x = up(x, _cut(skip, halo // 2 ** len(maps) - 2) if maps else skip)
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
        fine = self.each(_cut(x_NCHW, self.halo_px - self.each.halo_px))
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


def _cut(x_NCHW: Tensor, count: int) -> Tensor:
    """Without `count` positions at each edge."""
    return x_NCHW[:, :, count:-count, count:-count]
