"""A real 1x1 convolution at the block's stride and a batch norm: option B of ResNet."""

from torch import Tensor, nn

from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value


class Conv1x1BN(nn.Module):
    """Source: He 2016, arXiv 1512.03385, option B."""

    name = "conv1x1_bn"

    def __init__(self, in_channels: int, out_channels: int, stride: int, cell: Cell):
        super().__init__()
        changes = stride != 1 or in_channels != out_channels
        self.conv: nn.Module = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False) if changes else nn.Identity()
        self.bn: nn.Module = nn.BatchNorm2d(out_channels) if changes else nn.Identity()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.bn(self.conv(x_NCHW))

    def emit(self, g: Graph, x: Value) -> Value:
        return g.part(self.bn, g.part(self.conv, x))
