"""Maxout of AdaBin: two slopes per channel."""

import torch
from torch import Tensor, nn

from aoienet.nn.graph import Graph, Slopes, Value
from aoienet.nn.tail import TwoSlopes


class Maxout(TwoSlopes):
    """pos * v for v > 0, neg * v otherwise; starts at 1 and 0.25. Source: AdaBin (Tu 2022) eq. 12 and code."""

    name = "maxout"

    def __init__(self, channels: int):
        super().__init__()
        self.pos = nn.Parameter(torch.ones(channels))
        self.neg = nn.Parameter(torch.full((channels,), 0.25))

    def constants(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        zero = torch.zeros_like(self.pos)
        return self.pos, self.neg, zero, zero

    def plain(self, v_NCHW: Tensor) -> Tensor:
        positive = v_NCHW.clamp(min=0)
        return (self.pos - self.neg).view(1, -1, 1, 1) * positive + self.neg.view(1, -1, 1, 1) * v_NCHW

    def emit(self, g: Graph, x: Value) -> Value:
        return g.slopes(x, self, Slopes.of(pos=self.pos, neg=self.neg))
