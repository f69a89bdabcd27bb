"""RPReLU: shift, PReLU, shift."""

import torch
from torch import Tensor, nn

from aoienet.nn.graph import Graph, Slopes, Value
from aoienet.nn.tail import TwoSlopes


class RPReLU(TwoSlopes):
    """PReLU(v - before_c) + after_c. Source: ReActNet (Liu 2020), arXiv 2003.03488, eq. 5."""

    name = "rprelu"

    def __init__(self, channels: int):
        super().__init__()
        self.before = nn.Parameter(torch.zeros(channels))
        self.prelu = nn.PReLU(channels)
        self.after = nn.Parameter(torch.zeros(channels))

    def constants(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return torch.ones_like(self.before), self.prelu.weight, self.before, self.after

    def plain(self, v_NCHW: Tensor) -> Tensor:
        return self.prelu(v_NCHW - self.before.view(-1, 1, 1)) + self.after.view(-1, 1, 1)

    def emit(self, g: Graph, x: Value) -> Value:
        slope = self.prelu.weight
        shifts = {"pos_shift": self.after - self.before, "neg_shift": self.after - slope * self.before}
        return g.slopes(x, self, Slopes.of(neg=slope, knee=self.before, **shifts))
