"""Maxout of AdaBin: two slopes per channel."""

import torch
from torch import Tensor, nn

from aoienet.nn.graph import Graph, Slopes, Value
from aoienet.quant import _passes
from aoienet.quant.maps import Map, can_pass, lines


class TwoSlopes(torch.autograd.Function):
    """pos_c v where v >= 0, neg_c v elsewhere; keeps v alone (bindings/passes.cc)."""

    @staticmethod
    def forward(ctx, v: Tensor, pos: Tensor, neg: Tensor) -> Tensor:
        ctx.save_for_backward(v, pos, neg)
        out = Map.like(v)
        _passes.slopes(Map(v).row, out.row, lines([pos, neg]), torch.get_num_threads())
        return out.tensor

    @staticmethod
    def backward(ctx, *grads: Tensor):
        v, pos, neg = ctx.saved_tensors
        d_v = Map.like(v)
        sums = _passes.slopes_gradient(
            Map(v).row, Map(grads[0]).row, d_v.row, lines([pos, neg]), torch.get_num_threads()
        )
        return d_v.tensor, *torch.from_numpy(sums).to(v.dtype)


class Maxout(nn.Module):
    """pos * v for v > 0, neg * v otherwise; starts at 1 and 0.25. Source: AdaBin (Tu 2022) eq. 12 and code."""

    name = "maxout"

    def __init__(self, channels: int):
        super().__init__()
        self.pos = nn.Parameter(torch.ones(channels))
        self.neg = nn.Parameter(torch.full((channels,), 0.25))

    def forward(self, v_NCHW: Tensor) -> Tensor:
        if can_pass(v_NCHW, self.pos):
            return TwoSlopes.apply(v_NCHW, self.pos, self.neg)
        positive = v_NCHW.clamp(min=0)
        return (self.pos - self.neg).view(1, -1, 1, 1) * positive + self.neg.view(1, -1, 1, 1) * v_NCHW

    def emit(self, g: Graph, x: Value) -> Value:
        return g.slopes(x, self, Slopes.of(pos=self.pos, neg=self.neg))
