"""ReLU."""

import torch
from torch import Tensor

from aoienet.nn.graph import Graph, Slopes, Value
from aoienet.nn.tail import TwoSlopes


class ReLU(TwoSlopes):
    """max(v, 0)."""

    name = "relu"

    def __init__(self, channels: int):
        super().__init__()
        slopes = torch.tensor([1.0, 0.0, 0.0, 0.0])[:, None].repeat(1, channels)  # contiguous, as NCCL wants buffers
        self.register_buffer("slopes_4C", slopes, persistent=False)

    def constants(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pos, neg, knee, after = self.slopes_4C
        return pos, neg, knee, after

    def forward(self, v_NCHW: Tensor) -> Tensor:
        return self.plain(v_NCHW)  # keeps what it gives out, which what follows keeps too

    def plain(self, v_NCHW: Tensor) -> Tensor:
        return torch.relu(v_NCHW)

    def emit(self, g: Graph, x: Value) -> Value:
        return g.slopes(x, self, Slopes.of(neg=0.0))
