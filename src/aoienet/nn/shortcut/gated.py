"""The shortcut times a learned factor per channel."""

import torch
from torch import Tensor, nn

from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value
from aoienet.nn.shortcut.avgpool_dup import AvgPoolDup


class Gated(AvgPoolDup):
    """gate_c * avgpool_dup(x); starts at 1, the plain shortcut. Source: BBG (Shen 2020), arXiv 1909.12117 (its abstract; no code is public)."""

    name = "gated"

    def __init__(self, in_channels: int, out_channels: int, stride: int, cell: Cell):
        super().__init__(in_channels, out_channels, stride, cell)
        self.gate = nn.Parameter(torch.ones(out_channels))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.gate.view(1, -1, 1, 1) * super().forward(x_NCHW)

    def emit(self, g: Graph, x: Value) -> Value:
        return g.affine(super().emit(g, x), self.gate, 0.0)
