"""Batch norms and adaptive binary sets of one map in one function (quant/normed.py): when, and how the modules' state follows.

Only while training on a CPU in one precision. Elsewhere the modules run one by one: evaluation and export want plain operations, and on a GPU
torch.compile fuses these, which cannot look into compiled code.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from aoienet.quant.act.affine import Affine
from aoienet.quant.maps import can_pass
from aoienet.quant.normed import NormedPlanes

Modules = Sequence[nn.Module] | nn.ModuleList


def can_fuse(x_NCHW: Tensor, norms: Modules, acts: Modules) -> bool:
    """Plain batch norms in training (not synchronised ones) with one eps, and quantizers that are `affine` and nothing more, with one
    slope."""
    plain = all(type(bn) is nn.BatchNorm2d and bn.training and bn.track_running_stats and bn.affine for bn in norms)
    return (
        plain
        and all(type(act) is Affine for act in acts)
        and all((act.slope, act.progress) == (acts[0].slope, acts[0].progress) for act in acts)
        and can_pass(x_NCHW, norms[0].weight)
        and not torch.is_autocast_enabled("cpu")
        and all(bn.weight.dtype == x_NCHW.dtype and bn.eps == norms[0].eps for bn in norms)
        and x_NCHW.numel() > x_NCHW.shape[1]  # one value per channel has no variance: batch norm says so
    )


def fused_sum(x_NCHW: Tensor, norms: Modules, acts: Modules) -> Tensor:
    """Sum of act(bn(x)) over the pairs; the running statistics move as the batch norms move them."""
    none = torch.zeros(x_NCHW.shape[1], dtype=x_NCHW.dtype)
    mean, var = torch.batch_norm_update_stats(x_NCHW.detach(), none, none.clone(), 0.0)  # once for all
    count = x_NCHW.numel() // len(mean)
    for bn in norms:
        bn.num_batches_tracked.add_(1)
        share = 1 / float(bn.num_batches_tracked) if bn.momentum is None else bn.momentum
        bn.running_mean.lerp_(mean, share)
        bn.running_var.lerp_(var * (count / (count - 1)), share)
    planes: list[Any] = []
    for bn, act in zip(norms, acts, strict=True):
        planes += [bn.weight, bn.bias, act.half_distance(), act.beta]
    return NormedPlanes.apply(x_NCHW, mean, var, norms[0].eps, acts[0].slope, acts[0].progress, *planes)
