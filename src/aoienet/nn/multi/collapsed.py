"""DBN-IEB with two equal branches: one batch norm, one plane."""

from torch import Tensor, nn

from aoienet import parts
from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value
from aoienet.nn.normed import can_fuse, fused_sum


class Collapsed(nn.Module):
    """2 q(BN(x)): what dual_bn is for ever when its branches start alike (spread = 0, equal alpha and beta).

    Equal starts give equal values and equal gradients, so q1 = q2 at every step. Under Adam both nets then walk the same path,
    but for its epsilon: the one branch has twice the gradient of each of the two. One binary plane (W1/A1).
    Source: the paper with the usual start of batch norms (design note A2, Symmetry).
    """

    name = "collapsed"

    def __init__(self, in_channels: int, out_channels: int, cell: Cell):
        super().__init__()
        self.bn = nn.BatchNorm2d(in_channels)
        self.act = parts.find("quant.act", cell.act_q)(in_channels, cell.surrogate)

    def forward(self, x_NCHW: Tensor, conv: nn.Module) -> Tensor:
        if can_fuse(x_NCHW, [self.bn], [self.act]):
            return 2 * conv(fused_sum(x_NCHW, [self.bn], [self.act]))
        return 2 * conv(self.act(self.bn(x_NCHW)))

    def emit(self, g: Graph, x: Value, conv: nn.Module) -> Value:
        return g.affine(g.conv_bits(g.planes([(g.part(self.bn, x), self.act)]), conv), 2.0, 0.0)
