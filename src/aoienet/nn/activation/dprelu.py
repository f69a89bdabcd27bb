"""DPReLU: two slopes and two shifts per channel."""

import torch
from torch import Tensor, nn

from aoienet.nn.graph import Graph, Slopes, Value
from aoienet.nn.tail import TwoSlopes


class DPReLU(TwoSlopes):
    """pos_c (v - knee_c) + after_c above the knee, neg_c (v - knee_c) + after_c below; Maxout and RPReLU are special cases.

    Source: PokeBNN (Zhang 2022), arXiv 2112.00133, section 3.
    """

    name = "dprelu"

    def __init__(self, channels: int):
        super().__init__()
        self.pos = nn.Parameter(torch.ones(channels))
        self.neg = nn.Parameter(torch.full((channels,), 0.25))
        self.knee = nn.Parameter(torch.zeros(channels))
        self.after = nn.Parameter(torch.zeros(channels))

    def constants(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.pos, self.neg, self.knee, self.after

    def plain(self, v_NCHW: Tensor) -> Tensor:
        pos, neg, knee, after = (p.view(1, -1, 1, 1) for p in self.constants())
        v = v_NCHW - knee
        return (pos - neg) * v.clamp(min=0) + neg * v + after

    def emit(self, g: Graph, x: Value) -> Value:
        shifts = {"pos_shift": self.after - self.pos * self.knee, "neg_shift": self.after - self.neg * self.knee}
        return g.slopes(x, self, Slopes.of(pos=self.pos, neg=self.neg, knee=self.knee, **shifts))
