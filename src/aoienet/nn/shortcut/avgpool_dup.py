"""2x2 mean at stride 2, the channels twice where the width doubles."""

import torch
from torch import Tensor, nn

from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value


class AvgPool2(nn.AvgPool2d):
    """2x2 mean at stride 2. At odd sizes ceil(H / 2) positions, as a 3x3 convolution of stride 2 gives."""

    def __init__(self) -> None:
        super().__init__(2, 2, ceil_mode=True, count_include_pad=False)

    def emit(self, g: Graph, x: Value) -> Value:
        return g.avgpool2(x)


class AvgPoolDup(nn.Module):
    """No parameters. Source: ReActNet, FracBNN (their code); design note A3."""

    name = "avgpool_dup"

    def __init__(self, in_channels: int, out_channels: int, stride: int, cell: Cell):
        super().__init__()
        self.pool: nn.Module = AvgPool2() if stride == 2 else nn.Identity()
        self.twice = out_channels == 2 * in_channels
        if not self.twice and out_channels != in_channels:
            raise ValueError(f"avgpool_dup keeps or doubles the channels; received {in_channels} -> {out_channels}.")

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x = self.pool(x_NCHW)
        return torch.cat((x, x), dim=1) if self.twice else x

    def emit(self, g: Graph, x: Value) -> Value:
        x = g.fix(g.part(self.pool, x))
        return g.concat(x, x) if self.twice else x
