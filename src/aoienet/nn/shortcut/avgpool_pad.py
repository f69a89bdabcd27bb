"""2x2 mean at stride 2 and zero channels on both sides."""

from torch import Tensor
from torch.nn import functional as F

from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value
from aoienet.nn.shortcut.avgpool_dup import AvgPool2
from aoienet.nn.shortcut.pad import Pad


class AvgPoolPad(Pad):
    """Source: IE-Net, ReCU (their code)."""

    name = "avgpool_pad"

    def __init__(self, in_channels: int, out_channels: int, stride: int, cell: Cell):
        super().__init__(in_channels, out_channels, stride, cell)
        self.pool = AvgPool2()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x = self.pool(x_NCHW) if self.stride == 2 else x_NCHW
        return F.pad(x, (0, 0, 0, 0, self.extra, self.extra))

    def emit(self, g: Graph, x: Value) -> Value:
        x = g.avgpool2(x) if self.stride == 2 else x
        return g.channels(x, 0, self.in_channels, self.extra, self.extra) if self.extra else x
