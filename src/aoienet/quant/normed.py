"""Training form of "batch norms of one map, each with an adaptive binary set, summed": one pass over the statistics, one map kept.

Forward   h = (x - mean_c) / sqrt(var_c + eps) over the batch; q = sum over j of alpha_j s_j + beta_j,
          s_j = +1 if p_j >= beta_j else -1, p_j = weight_jc h + bias_jc
Backward  of quant/act/affine.py through each p_j, and of batch norm through h; d h = sum over j of weight_j d p_j, so the batch
          norm's own backward runs once
Shapes    x_NCHW -> q_NCHW
"""

import torch
from torch import Tensor

from aoienet.quant.rows import Rows
from aoienet.quant.ste import Slope

PER_PLANE = 4  # weight_C, bias_C, alpha, beta


class NormedPlanes(torch.autograd.Function):
    """Arguments: x, mean_C and var_C (biased) of x over the batch, eps, (slope, progress) of each plane, then PER_PLANE tensors
    of each."""

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        mean: Tensor,
        var: Tensor,
        eps: float,
        rules: tuple[tuple[Slope, float], ...],
        *planes: Tensor,
    ) -> Tensor:
        scale = (var + eps).rsqrt()
        ctx.save_for_backward(x, mean, scale, *planes)
        ctx.rules = rules
        rows = Rows(x)
        q = torch.empty_like(x, memory_format=rows.format)
        values, out = rows.matrix(x), rows.matrix(q)
        lines = []
        low = torch.zeros_like(mean[0])
        for weight, bias, alpha, beta in split(planes):
            gain = weight * scale
            lines.append((rows.tile(gain), rows.tile(bias - beta - mean * gain), float(2 * alpha)))
            low = low + beta - alpha
        for piece in rows.pieces(values):
            written = out[piece].fill_(low)
            for gain, offset, step in lines:
                written.add_(torch.addcmul(offset, values[piece], gain).ge_(0), alpha=step)
        return q

    @staticmethod
    def backward(ctx, *grads: Tensor):
        x, mean, scale, *planes = ctx.saved_tensors
        rows = Rows(x)
        d_x = torch.empty_like(x, memory_format=rows.format)
        values, grad, out = (rows.matrix(t) for t in (x, grads[0], d_x))
        tiled_scale, tiled_shift = rows.tile(scale), rows.tile(-mean * scale)
        lines, sums = [], []
        for weight, bias, alpha, beta in split(planes):
            lines.append([rows.tile(t) for t in (weight, weight / alpha, (bias - beta) / alpha)])
            sums.append([torch.zeros_like(tiled_scale), torch.zeros_like(tiled_scale), torch.zeros_like(alpha)])
        total = torch.zeros_like(mean[0])
        for piece in rows.pieces(values):
            g, d_h = grad[piece], out[piece].zero_()
            total += g.sum()
            h = torch.addcmul(tiled_shift, values[piece], tiled_scale)
            for (weight, rate, offset), (slope, progress), (through, along, high) in zip(
                lines, ctx.rules, sums, strict=True
            ):
                u = torch.addcmul(offset, h, rate)
                d_p = slope(u, progress).mul_(g)
                high += torch.dot(u.ge_(0).view(-1), g.view(-1))
                d_h.addcmul_(d_p, weight)
                through += d_p.sum(0)
                along += d_p.mul_(h).sum(0)
        d_planes, d_sum, d_along = [], torch.zeros_like(mean), torch.zeros_like(mean)
        for (weight, bias, alpha, beta), (through, along, high) in zip(split(planes), sums, strict=True):
            d_bias, d_weight = rows.fold(through), rows.fold(along)
            u_d_p = ((weight * d_weight + (bias - beta) * d_bias) / alpha).sum()
            d_planes += [d_weight, d_bias, 2 * high - total - u_d_p, total - d_bias.sum()]
            d_sum, d_along = d_sum + weight * d_bias, d_along + weight * d_weight
        count = x.numel() // len(mean)
        # d_x = scale (d_h - mean(d_h) - h mean(d_h h)), h = scale x - scale mean
        by_x = -d_along / count * scale * scale
        constant = -d_sum / count * scale - by_x * mean
        tiled_by_x, tiled_constant = rows.tile(by_x), rows.tile(constant)
        for piece in rows.pieces(values):
            out[piece].mul_(tiled_scale).addcmul_(values[piece], tiled_by_x).add_(tiled_constant)
        return d_x, None, None, None, None, *d_planes


def split(planes: tuple[Tensor, ...] | list[Tensor]) -> list[tuple[Tensor, ...]]:
    """PER_PLANE tensors each."""
    return [tuple(planes[i : i + PER_PLANE]) for i in range(0, len(planes), PER_PLANE)]
