"""Maxout of AdaBin: two slopes per channel."""

import torch
from torch import Tensor, nn

from aoienet.nn.graph import Graph, Slopes, Value
from aoienet.quant.rows import Rows


class TwoSlopes(torch.autograd.Function):
    """neg_c v + (pos_c - neg_c) max(v, 0); keeps v alone. The slope at 0 is pos."""

    @staticmethod
    def forward(ctx, v: Tensor, pos: Tensor, neg: Tensor) -> Tensor:
        rows = Rows(v)
        ctx.save_for_backward(v, pos, neg)
        out = torch.empty_like(v, memory_format=rows.format)
        values, written = rows.matrix(v), rows.matrix(out)
        low, more = rows.tile(neg), rows.tile(pos - neg)
        for piece in rows.pieces(values):
            part = torch.mul(values[piece], low, out=written[piece])
            part.addcmul_(values[piece].clamp(min=0), more)
        return out

    @staticmethod
    def backward(ctx, *grads: Tensor):
        v, pos, neg = ctx.saved_tensors
        rows = Rows(v)
        through = torch.empty_like(v, memory_format=rows.format)
        values, grad, written = (rows.matrix(t) for t in (v, grads[0], through))
        low, more = rows.tile(neg), rows.tile(pos - neg)
        above, all_of = torch.zeros_like(low), torch.zeros_like(low)
        for piece in rows.pieces(values):
            g = grad[piece]
            product = g * values[piece]
            all_of += product.sum(0)
            high = torch.ge(values[piece], 0, out=written[piece])
            above += product.mul_(high).sum(0)
            high.mul_(more).add_(low).mul_(g)
        d_pos = rows.fold(above)
        return through, d_pos, rows.fold(all_of) - d_pos


class Maxout(nn.Module):
    """pos * v for v > 0, neg * v otherwise; starts at 1 and 0.25. Source: AdaBin (Tu 2022) eq. 12 and code."""

    name = "maxout"

    def __init__(self, channels: int):
        super().__init__()
        self.pos = nn.Parameter(torch.ones(channels))
        self.neg = nn.Parameter(torch.full((channels,), 0.25))

    def forward(self, v_NCHW: Tensor) -> Tensor:
        fused = v_NCHW.device.type == "cpu" and v_NCHW.dtype == self.pos.dtype and torch.is_grad_enabled()
        if fused and v_NCHW.ndim == 4:
            return TwoSlopes.apply(v_NCHW, self.pos, self.neg)
        positive = v_NCHW.clamp(min=0)
        return (self.pos - self.neg).view(1, -1, 1, 1) * positive + self.neg.view(1, -1, 1, 1) * v_NCHW

    def emit(self, g: Graph, x: Value) -> Value:
        return g.slopes(x, self, Slopes.of(pos=self.pos, neg=self.neg))
