"""DBN-IEB and the input half of ABA-IO: two batch norms, two binary planes, their sum through one convolution."""

import torch
from torch import Tensor, nn

from aoienet import parts
from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value
from aoienet.nn.normed import can_fuse, fused_sum


class DualBN(nn.Module):
    """The batch norm biases start at +spread and -spread: with equal starts both branches get the same gradients for ever and
    the second plane stays a copy of the first.

    Source: AOIE-Net section 3.1-3.2; merge and symmetry: design note A2.
    """

    name = "dual_bn"
    merges_by_sum = True

    def __init__(self, in_channels: int, out_channels: int, cell: Cell):
        super().__init__()
        act = parts.find("quant.act", cell.act_q)
        self.bn = nn.ModuleList(nn.BatchNorm2d(in_channels) for _ in range(2))
        self.act = nn.ModuleList(act(in_channels, cell.surrogate) for _ in range(2))
        nn.init.constant_(self.bn[0].bias, cell.spread)
        nn.init.constant_(self.bn[1].bias, -cell.spread)

    def planes(self, x_NCHW: Tensor) -> list[Tensor]:
        return [act(bn(x_NCHW)) for bn, act in zip(self.bn, self.act, strict=True)]

    def merge(self, first: Tensor, second: Tensor) -> Tensor:
        return first + second

    def forward(self, x_NCHW: Tensor, conv: nn.Module) -> Tensor:
        if self.merges_by_sum and can_fuse(x_NCHW, self.bn, self.act):
            return conv(fused_sum(x_NCHW, self.bn, self.act))
        return conv(self.merge(*self.planes(x_NCHW)))

    def emit(self, g: Graph, x: Value, conv: nn.Module) -> Value:
        x = g.fix(x)
        branches = [(g.part(bn, x), act) for bn, act in zip(self.bn, self.act, strict=True)]
        return g.conv_bits(g.planes(branches), conv)

    @torch.no_grad()
    def distance(self) -> float:
        """Share of bits in which the planes differ if the normalised input is Gaussian, from the thresholds alone."""
        levels = [act.levels().thresholds[0] for act in self.act]
        tau = [(t - bn.bias) / bn.weight for bn, t in zip(self.bn, levels, strict=True)]
        between = (torch.special.ndtr(tau[0]) - torch.special.ndtr(tau[1])).abs()
        same = (self.bn[0].weight * self.bn[1].weight) > 0
        return float(torch.where(same, between, 1 - between).mean())
