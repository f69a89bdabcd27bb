"""2x2 mean at stride 2, then a real 1x1 convolution, where stride or width changes."""

from torch import Tensor, nn

from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value
from aoienet.nn.shortcut.avgpool_dup import AvgPool2


class AvgPoolConv1x1(nn.Module):
    """Source: the paper's ResNet-18 form as its FLOPs column shows it (design note A3)."""

    name = "avgpool_conv1x1"
    batchnorm = False

    def __init__(self, in_channels: int, out_channels: int, stride: int, cell: Cell):
        super().__init__()
        self.pool: nn.Module = AvgPool2() if stride == 2 else nn.Identity()
        changes = stride == 2 or in_channels != out_channels
        self.conv: nn.Module = nn.Conv2d(in_channels, out_channels, 1, bias=False) if changes else nn.Identity()
        self.bn: nn.Module = nn.BatchNorm2d(out_channels) if changes and self.batchnorm else nn.Identity()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.bn(self.conv(self.pool(x_NCHW)))

    def emit(self, g: Graph, x: Value) -> Value:
        return g.part(self.bn, g.part(self.conv, g.part(self.pool, x)))
