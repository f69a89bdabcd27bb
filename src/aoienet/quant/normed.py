"""Training form of "batch norms of one map, each with an adaptive binary set, summed": one map kept, a compiled pass over it in each
direction and one for the batch norm (bindings/passes.cc).

Forward   h = (x - mean_c) / sqrt(var_c + eps) over the batch; q = sum over j of alpha_j s_j + beta_j,
          s_j = +1 if p_j >= beta_j else -1, p_j = weight_jc h + bias_jc
Backward  of quant/act/affine.py through each p_j, and of batch norm through h; d h = sum over j of weight_j d p_j, so the batch
          norm's own backward runs once
Shapes    x_NCHW -> q_NCHW, of one type, BF16 with parameters of float32; channels last, as training has them, without a copy
"""

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from aoienet.quant import _passes
from aoienet.quant.maps import Map, lines
from aoienet.quant.ste import Shape, Slope

PER_PLANE = 4  # weight_C, bias_C, alpha, beta


class NormedPlanes(torch.autograd.Function):
    """Arguments: x, mean_C and var_C (biased) of x over the batch, eps, slope and progress of all planes, then PER_PLANE tensors of
    each of one or two planes."""

    @staticmethod
    def forward(
        ctx, x: Tensor, mean: Tensor, var: Tensor, eps: float, slope: Slope, progress: float, *planes: Tensor
    ) -> Tensor:
        scale = (var + eps).rsqrt()
        ctx.save_for_backward(x, mean, scale, *planes)
        ctx.shape = slope.at(progress)
        constants, steps, low = [], [], 0.0
        for weight, bias, alpha, beta in split(planes):
            gain = weight * scale
            constants += [gain, bias - beta - mean * gain]
            steps.append(2 * alpha)
            low += float(beta - alpha)
        q = Map.like(x)
        _passes.planes(Map(x).row, q.row, lines(constants), torch.stack(steps).numpy(), low, torch.get_num_threads())
        return q.tensor

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads: Tensor):
        x, mean, scale, *planes = ctx.saved_tensors
        columns = [scale, -mean * scale]
        for weight, bias, alpha, beta in split(planes):
            columns += [weight, weight / alpha, (bias - beta) / alpha]
        constants = lines(columns)
        values, d_x, threads = Map(x), Map.like(x), torch.get_num_threads()
        found = _passes.gradient(
            values.row, Map(grads[0]).row, d_x.row, constants, *numbers(ctx.shape, constants.dtype), threads
        )
        total, *sums = torch.from_numpy(found)  # float64, as differences of them are what counts
        d_planes, d_sum, d_along = [], torch.zeros_like(total), torch.zeros_like(total)
        for (weight, bias, alpha, beta), (d_bias, d_weight, high) in zip(
            split(planes), zip(*[iter(sums)] * 3, strict=True), strict=True
        ):
            u_d_p = ((weight * d_weight + (bias - beta) * d_bias) / alpha).sum()
            d_planes += [d_weight, d_bias, 2 * high.sum() - total.sum() - u_d_p, total.sum() - d_bias.sum()]
            d_sum, d_along = d_sum + weight * d_bias, d_along + weight * d_weight
        count = x.numel() // len(mean)
        # d_x = scale (d_h - mean(d_h) - h mean(d_h h)), h = scale x - scale mean
        by_x = -d_along / count * scale * scale
        joined = [scale, by_x, -d_sum / count * scale - by_x * mean]
        _passes.join(d_x.row, values.row, d_x.row, lines([c.to(scale.dtype) for c in joined]), threads)
        return d_x.tensor, None, None, None, None, None, *(d.to(scale.dtype) for d in d_planes)


def numbers(shape: Shape, dtype: np.dtype) -> tuple[bool, float, float, float, float]:
    """A slope as _passes takes it, a closed window in place of an open one."""
    low, high = (np.dtype(dtype).type(end) for end in (shape.low, shape.high))
    if shape.open:
        low, high = np.nextafter(low, 0 * low), np.nextafter(high, 0 * high)
    return shape.annealed, shape.height, shape.fall, float(low), float(high)


def split(planes: tuple[Tensor, ...] | list[Tensor]) -> list[tuple[Tensor, ...]]:
    """PER_PLANE tensors each."""
    return [tuple(planes[i : i + PER_PLANE]) for i in range(0, len(planes), PER_PLANE)]
