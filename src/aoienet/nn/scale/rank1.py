"""A learned factor per output channel, row and column of the map."""

import torch
from torch import Tensor, nn

from aoienet.nn.conv import BinaryConv2d
from aoienet.nn.graph import Graph, Value


class Rank1Scale(nn.Module):
    """y * c_o r_h k_w; c starts at the mean magnitude of the filter, r and k at 1. For pictures of one size.

    Raises    ValueError: the size of the map is not known.
    Source    XNOR-Net++ (Bulat 2019), arXiv 1909.13863, case 4. Differs: the start is not stated there.
    """

    name = "rank1"

    def __init__(self, conv: BinaryConv2d, map_hw: tuple[int, int]):
        super().__init__()
        if min(map_hw) < 1:
            raise ValueError(
                f"rank1 needs the size of the map; received {map_hw}. Set Cell.map_hw, or NetSpec.input_hw."
            )
        self.factor = nn.Parameter(conv.weight.detach().abs().mean(dim=(1, 2, 3)))
        self.rows = nn.Parameter(torch.ones(map_hw[0]))
        self.columns = nn.Parameter(torch.ones(map_hw[1]))

    def forward(self, y_NCHW: Tensor, x_NCHW: Tensor) -> Tensor:
        return y_NCHW * self.factor.view(1, -1, 1, 1) * (self.rows.view(-1, 1) * self.columns)

    def emit(self, g: Graph, y: Value, x: Value) -> Value:
        return g.rank1(g.affine(y, self.factor, 0.0), self.rows, self.columns)
