"""A learned constant per output channel: the bias of a convolution."""

import torch
from torch import Tensor, nn

from aoienet.nn.conv import BinaryConv2d
from aoienet.nn.graph import Graph, Value


class Bias(nn.Module):
    """y_o + b_o, starts at 0. For blocks without a batch norm behind the convolution. Source: XNOR-Net (its PyTorch port)."""

    name = "bias"

    def __init__(self, conv: BinaryConv2d, map_hw: tuple[int, int]):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(len(conv.weight)))

    def forward(self, y_NCHW: Tensor, x_NCHW: Tensor) -> Tensor:
        return y_NCHW + self.bias.view(1, -1, 1, 1)

    def emit(self, g: Graph, y: Value, x: Value) -> Value:
        return g.affine(y, 1.0, self.bias)
