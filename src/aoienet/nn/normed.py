"""Batch norms and adaptive binary sets of one map in one function (quant/normed.py): when, and how the modules' state follows.

Only while training on a CPU. Elsewhere the modules run one by one: evaluation and export want plain operations, and on a GPU
torch.compile fuses these, which cannot look into compiled code.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from aoienet.quant.act.affine import Affine
from aoienet.quant.maps import can_pass, statistics
from aoienet.quant.normed import NormedPlanes

Modules = Sequence[nn.Module] | nn.ModuleList


def in_training(bn: nn.Module, x_NCHW: Tensor) -> bool:
    """A plain batch norm (not a synchronised one) that takes the statistics of this map, which bindings/passes.cc reads."""
    plain = type(bn) is nn.BatchNorm2d and bn.training and bn.track_running_stats and bn.affine
    more = x_NCHW.numel() > x_NCHW.shape[1]  # one value per channel has no variance: batch norm says so
    return plain and more and can_pass(x_NCHW, bn.weight)


def move(bn: Any, mean: Tensor, var: Tensor, count: int) -> None:
    """The running statistics, as the batch norm moves them; `var` is biased, of `count` values."""
    bn.num_batches_tracked.add_(1)
    share = 1 / float(bn.num_batches_tracked) if bn.momentum is None else bn.momentum
    bn.running_mean.lerp_(mean, share)
    bn.running_var.lerp_(var * (count / (count - 1)), share)


def can_fuse(x_NCHW: Tensor, norms: Modules, acts: Modules) -> bool:
    """Batch norms in training with one eps, and quantizers that are `affine` and nothing more, with one slope."""
    return (
        all(in_training(bn, x_NCHW) and bn.eps == norms[0].eps for bn in norms)
        and all(type(act) is Affine for act in acts)
        and all((act.slope, act.progress) == (acts[0].slope, acts[0].progress) for act in acts)
    )


def fused_sum(x_NCHW: Tensor, norms: Modules, acts: Modules) -> Tensor:
    """Sum of act(bn(x)) over the pairs, in the precision of x; the running statistics move as the batch norms move them."""
    mean, var = statistics(x_NCHW)  # once for all
    for bn in norms:
        move(bn, mean, var, x_NCHW.numel() // len(mean))
    planes: list[Any] = []
    for bn, act in zip(norms, acts, strict=True):
        planes += [bn.weight, bn.bias, act.half_distance(), act.beta]
    return NormedPlanes.apply(x_NCHW, mean, var, norms[0].eps, acts[0].slope, acts[0].progress, *planes)
