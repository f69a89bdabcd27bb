"""A binary convolution with its method: batch norm, planes, convolution, scale, batch norm."""

from torch import Tensor, nn

from aoienet import parts
from aoienet.nn.cell import Cell
from aoienet.nn.conv import BinaryConv2d, Kernel
from aoienet.nn.graph import Graph, Value


class BinaryLayer(nn.Module):
    """Shapes    x_NCHW -> y_NOHW; stride 1 or 2, padding after quantization."""

    def __init__(self, in_channels: int, out_channels: int, kernel: Kernel, stride: int, cell: Cell):
        super().__init__()
        self.pre_bn = nn.BatchNorm2d(in_channels) if cell.pre_bn else nn.Identity()
        self.planes = parts.find("nn.multi", cell.multi)(in_channels, out_channels, cell)
        self.conv = BinaryConv2d(in_channels, out_channels, kernel, stride, cell.weight_q, cell.pad)
        self.scale = parts.find("nn.scale", cell.scale)(self.conv, cell.after(stride).map_hw)
        self.bn = nn.BatchNorm2d(out_channels) if cell.bn else nn.Identity()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.bn(self.before_bn(x_NCHW))

    def before_bn(self, x_NCHW: Tensor) -> Tensor:
        """What its last batch norm takes."""
        x = self.pre_bn(x_NCHW)
        return self.scale(self.planes(x, self.conv), x)

    def emit(self, g: Graph, x: Value) -> Value:
        x = g.part(self.pre_bn, x)
        return g.part(self.bn, g.part(self.scale, g.part(self.planes, x, self.conv), x))


def activation(kind: str, channels: int) -> nn.Module:
    """The nonlinearity of that name; "none" is the identity."""
    return nn.Identity() if kind == "none" else parts.find("nn.activation", kind)(channels)
