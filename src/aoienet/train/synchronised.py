"""Batch norm over the joint batch of all processes, on any device.

PyTorch's own SyncBatchNorm needs a GPU. This one gathers count, mean and variance of every process and joins them (Chan 1979); in
the backward the two sums of the gradient are added up. With one process it is batch norm. State and parameters are those of the
batch norms that it replaces.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn

from aoienet.train import ranks


def synchronise(net: nn.Module) -> int:
    """Replace every batch norm of the network; how many there are. Parameters and buffers stay the same objects."""
    count = 0
    for module in list(net.modules()):
        for name, child in module.named_children():
            kind = KINDS.get(type(child))
            if kind is not None:
                setattr(module, name, _copied(child, kind))
                count += 1
    return count


def _copied(bn: Any, kind: type[nn.Module]) -> nn.Module:
    joint = kind(bn.num_features, bn.eps, bn.momentum, bn.affine, bn.track_running_stats)
    for key, value in {**bn._parameters, **bn._buffers}.items():
        setattr(joint, key, value)
    return joint.train(bn.training)


def joint_moments(x: Tensor, dims: list[int]) -> tuple[Tensor, Tensor, float]:
    """Mean, variance and count per channel over all processes, in double precision."""
    values = x.to(torch.promote_types(x.dtype, torch.float32))
    var, mean = torch.var_mean(values, dims, correction=0)
    own = torch.cat([mean, var, mean.new_tensor([x.numel() // x.shape[1]])]).double()
    parts = [own]
    if ranks.world() > 1:
        parts = [torch.empty_like(own) for _ in range(ranks.world())]
        distributed.all_gather(parts, own)
    table = torch.stack(parts)
    means, variances, counts = table[:, : len(mean)], table[:, len(mean) : -1], table[:, -1:]
    count = counts.sum()
    joint = (counts * means).sum(0) / count
    spread = (counts * (variances + (means - joint).square())).sum(0) / count
    return joint, spread, float(count)


class JointNorm(torch.autograd.Function):
    """y = weight (x - mean) / sqrt(var + eps) + bias, with the gradient that flows through the joint mean and variance."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, count: float, eps: float
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(var + eps))
        ctx.count = count
        mean, var = mean.to(weight.dtype), var.to(weight.dtype)
        return F.batch_norm(x, mean, var, weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        (g,) = grads
        dims = [d for d in range(x.ndim) if d != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        centred = x - mean.to(x.dtype).view(shape)
        own = torch.stack([g.sum(dims), (g * centred).sum(dims)]).double()
        joint = own.clone()
        if ranks.world() > 1:
            distributed.all_reduce(joint)
        level, slope = joint / ctx.count
        level, slope, factor = (v.to(x.dtype).view(shape) for v in (level, slope * scale.square(), weight * scale))
        dx = (g - level - centred * slope) * factor
        return dx, (own[1] * scale).to(weight.dtype), own[0].to(weight.dtype), None, None, None, None


class _Joint(nn.modules.batchnorm._BatchNorm):
    """The forward of both; evaluation is that of PyTorch."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        dims = [d for d in range(x.ndim) if d != 1]
        mean, var, count = joint_moments(x.detach(), dims)
        if self.track_running_stats:
            self._remember(mean, var * count / max(1.0, count - 1))
        kind = torch.promote_types(x.dtype, torch.float32)
        weight = self.weight if self.affine else torch.ones_like(mean, dtype=kind)
        bias = self.bias if self.affine else torch.zeros_like(mean, dtype=kind)
        return JointNorm.apply(x, weight, bias, mean, var, count, self.eps)

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor) -> None:
        running: Any = self.running_mean, self.running_var
        batches: Any = self.num_batches_tracked
        batches.add_(1)
        share = 1 / float(batches) if self.momentum is None else self.momentum
        for kept, new in zip(running, (mean, var), strict=True):
            kept.lerp_(new.to(kept.dtype), share)


class JointBatchNorm1d(_Joint, nn.BatchNorm1d):
    """BatchNorm1d over the joint batch."""


class JointBatchNorm2d(_Joint, nn.BatchNorm2d):
    """BatchNorm2d over the joint batch."""


KINDS: dict[type[nn.Module], type[nn.Module]] = {nn.BatchNorm1d: JointBatchNorm1d, nn.BatchNorm2d: JointBatchNorm2d}
