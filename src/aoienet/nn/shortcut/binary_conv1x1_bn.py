"""A binary 1x1 convolution of the cell's own kind at the block's stride, and a batch norm."""

from dataclasses import replace

from torch import Tensor, nn

from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value
from aoienet.nn.layer import BinaryLayer


class BinaryConv1x1BN(nn.Module):
    """One quantizer of the input, whatever the cell's planes are. Source: RBNN, SiMaN, IE-Net: their ResNet-18 for CIFAR."""

    name = "binary_conv1x1_bn"

    def __init__(self, in_channels: int, out_channels: int, stride: int, cell: Cell):
        super().__init__()
        plain = replace(cell, multi="single", pre_bn=False, bn=True)
        changes = stride != 1 or in_channels != out_channels
        self.layer: nn.Module = BinaryLayer(in_channels, out_channels, 1, stride, plain) if changes else nn.Identity()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.layer(x_NCHW)

    def emit(self, g: Graph, x: Value) -> Value:
        return g.part(self.layer, x)
