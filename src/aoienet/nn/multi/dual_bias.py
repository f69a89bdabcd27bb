"""IE-Net's information enhanced convolution: two thresholds per channel, one set of weights, two convolutions."""

import torch
from torch import Tensor, nn

from aoienet import parts
from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value


class DualBias(nn.Module):
    """conv(q(x + b1_c)) + c_o conv(q(x + b2_c)); b start at 0, c_o in [0, 0.001) breaks the symmetry. Two binary planes.

    Source: IE-Net, its code for ResNet-20 and ImageNet (ResNet-18 for CIFAR there has one c for all outputs).
    """

    name = "dual_bias"

    def __init__(self, in_channels: int, out_channels: int, cell: Cell):
        super().__init__()
        act = parts.find("quant.act", cell.act_q)
        self.act = nn.ModuleList(act(in_channels, cell.surrogate) for _ in range(2))
        self.shift = nn.Parameter(torch.zeros(2, in_channels))
        self.factor = nn.Parameter(torch.rand(out_channels) * 1e-3)

    def forward(self, x_NCHW: Tensor, conv: nn.Module) -> Tensor:
        first, second = (conv(act(x_NCHW + b.view(-1, 1, 1))) for act, b in zip(self.act, self.shift, strict=True))
        return first + self.factor.view(-1, 1, 1) * second

    def emit(self, g: Graph, x: Value, conv: nn.Module) -> Value:
        x = g.fix(x)
        planes = [g.planes([(g.affine(x, 1.0, b), act)]) for act, b in zip(self.act, self.shift, strict=True)]
        first, second = (g.conv_bits(p, conv) for p in planes)
        return g.add(first, g.affine(second, self.factor, 0.0))
