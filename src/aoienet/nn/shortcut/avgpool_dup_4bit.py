"""FracBNN's shortcut on ImageNet: 16 levels in [-1, 1], then 2x2 mean and the channels twice."""

from typing import Any

import torch
from torch import Tensor

from aoienet.nn.graph import Graph, Value
from aoienet.nn.shortcut.avgpool_dup import AvgPoolDup

STEP = 2 / 15


class Levels16(torch.autograd.Function):
    """round((clip(x) + 1) / step) step - 1; gradient 1 strictly inside of (-1, 1)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return ((x.clamp(-1, 1) + 1) / STEP).round() * STEP - 1

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grads[0] * (x.abs() < 1)


class AvgPoolDup4Bit(AvgPoolDup):
    """Deploy    none: the runtime has no rounding op; avgpool_dup is the same without the 4 bits.

    Source    FracBNN (Zhang 2021): its code for ImageNet.
    """

    name = "avgpool_dup_4bit"

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return super().forward(Levels16.apply(x_NCHW))

    def emit(self, g: Graph, x: Value) -> Value:
        g.refuse("a shortcut of 16 levels needs a rounding op; use shortcut='avgpool_dup'")
