"""What stands between two stages of a dense network: it halves the map and changes the width with real numbers."""

from dataclasses import dataclass

from torch import nn

from aoienet.nn.cell import Cell
from aoienet.nn.layer import activation


@dataclass(frozen=True)
class Transition:
    """Batch norm, max pooling 2x2, ReLU, real 1x1 convolution. Source: MeliusNet (Bethge 2020), its code."""

    out: int

    @property
    def geometry(self) -> tuple[tuple[int, int], ...]:
        return ((3, 2),)  # the 2x2 window lies to one side of its position

    def out_channels(self, in_channels: int) -> int:
        return self.out

    def build(self, in_channels: int, cell: Cell) -> nn.Module:
        relu, conv = activation("relu", in_channels), nn.Conv2d(in_channels, self.out, 1, bias=False)
        return nn.Sequential(nn.BatchNorm2d(in_channels), nn.MaxPool2d(2, 2), relu, conv)
