"""One quantizer of the input itself."""

from torch import Tensor, nn

from aoienet import parts
from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value


class Single(nn.Module):
    name = "single"

    def __init__(self, in_channels: int, out_channels: int, cell: Cell):
        super().__init__()
        self.act = parts.find("quant.act", cell.act_q)(in_channels, cell.surrogate)

    def forward(self, x_NCHW: Tensor, conv: nn.Module) -> Tensor:
        return conv(self.act(x_NCHW))

    def emit(self, g: Graph, x: Value, conv: nn.Module) -> Value:
        return g.conv_bits(g.planes([(x, self.act)]), conv)
