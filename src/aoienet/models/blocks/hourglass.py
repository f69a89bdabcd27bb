"""A level of a U-Net: blocks at half the size beside a skip."""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor, nn

from aoienet.models.spec import Block, after, reach, step
from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value


@dataclass(frozen=True)
class Hourglass:
    """x + the result of `blocks` at twice its size, by repetition. Together they have stride 2 and end with the channels of x; an
    Hourglass among them is the next coarser level (Ronneberger 2015 with added skips, as in Newell 2016)."""

    blocks: tuple[Block, ...]

    @property
    def geometry(self) -> tuple[tuple[int, int], ...]:
        """As of one convolution: the size stays, and a position sees as far as its coarser one, which may begin a position before it."""
        return ((2 * (reach(self._inner) + 1) + 1, 1),)

    @property
    def _inner(self) -> tuple[tuple[int, int], ...]:
        return tuple(each for block in self.blocks for each in block.geometry)

    def out_channels(self, in_channels: int) -> int:
        return in_channels

    def build(self, in_channels: int, cell: Cell) -> nn.Module:
        """Raises ValueError: blocks that do not halve the size, or end with other channels than they begin."""
        channels, hw, units = in_channels, cell.map_hw, []
        for block in self.blocks:
            units.append(block.build(channels, replace(cell, map_hw=hw)))
            channels, hw = block.out_channels(channels), after(hw, block.geometry)
        if (stride := step(self._inner)) != 2 or channels != in_channels:
            raise ValueError(
                f"the blocks of an Hourglass have stride 2 and end with the channels that they begin with ({in_channels}); "
                f"received stride {stride}, {channels} channels"
            )
        return BinaryHourglass(units)


class BinaryHourglass(nn.Module):
    """x' = x + the result of the units, each position of it twice in rows and columns."""

    def __init__(self, units: list[nn.Module]):
        super().__init__()
        self.units = nn.Sequential(*units)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        height, width = x_NCHW.shape[2:]
        return x_NCHW + F.interpolate(self.units(x_NCHW), scale_factor=2.0, mode="nearest")[:, :, :height, :width]

    def emit(self, g: Graph, x: Value) -> Value:
        x = g.fix(x)
        return g.upadd2(x, g.part(self.units, x))
