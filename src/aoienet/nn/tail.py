"""What follows a convolution, in one function: batch norm, shortcut, an activation of two slopes, batch norm.

Forward   h = (y - mean_c) / sqrt(var_c + eps); v = weight_c h + bias_c + beside - knee_c
          a = v (pos_c where v > 0, neg_c elsewhere) + after_c; out = shift(a), a batch norm of the same kind
Backward  of these formulas; keeps y and beside, makes v and a again (bindings/passes.cc)
Shapes    y, beside, out: N x C x H x W of one type, BF16 with parameters of float32; channels last without a copy
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from aoienet.nn.normed import in_training, move
from aoienet.quant import _passes
from aoienet.quant.maps import Map, can_pass, first, lines, moments, statistics


class TwoSlopes(nn.Module):
    """Base of the activations whose value is pos_c (v - knee_c) + after_c above the knee and neg_c (v - knee_c) + after_c elsewhere.

    `constants` and `plain` say the same: a network in training may read the one, and in evaluation calls the other.
    """

    def constants(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """pos, neg, knee, after: each [C]."""
        raise NotImplementedError

    def forward(self, v_NCHW: Tensor) -> Tensor:
        if torch.is_grad_enabled() and can_pass(v_NCHW, self.constants()[0]):
            return bent(v_NCHW, None, NOTHING, self, NOTHING)
        return self.plain(v_NCHW)

    def plain(self, v_NCHW: Tensor) -> Tensor:
        """In PyTorch's operations, which evaluation and export want."""
        raise NotImplementedError


def can_bend(y_NCHW: Tensor, norm: nn.Module, act: nn.Module, shift: nn.Module) -> bool:
    """An activation of two slopes with batch norms in training around it, at least one; none of them has a hook, which wants a call."""
    norms = [bn for bn in (norm, shift) if not isinstance(bn, nn.Identity)]
    hooks = any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in (norm, act, shift))
    known = isinstance(act, TwoSlopes) and bool(norms) and not hooks
    return known and all(in_training(bn, y_NCHW) for bn in norms)


NOTHING = nn.Identity()


def tail(y_NCHW: Tensor, beside_NCHW: Tensor | None, norm: nn.Module, act: nn.Module, shift: nn.Module) -> Tensor:
    """shift(act(norm(y) + beside)), in one function where it can be. Identities, and `beside` None, are what is not there."""
    same = beside_NCHW is None or beside_NCHW.shape == y_NCHW.shape
    if same and can_bend(y_NCHW, norm, act, shift):
        return bent(y_NCHW, None if beside_NCHW is None else beside_NCHW.to(y_NCHW.dtype), norm, act, shift)
    y = norm(y_NCHW)
    return shift(act(y if beside_NCHW is None else y + beside_NCHW))


def bent(y_NCHW: Tensor, beside_NCHW: Tensor | None, norm: nn.Module, act: TwoSlopes, shift: nn.Module) -> Tensor:
    """shift(act(norm(y) + beside)); the running statistics move as the batch norms move them."""
    count = y_NCHW.numel() // y_NCHW.shape[1]
    stats: list[Any] = []
    norms: list[Any] = [None, None]
    if isinstance(norm, nn.BatchNorm2d):
        mean, var = statistics(y_NCHW)
        move(norm, mean, var, count)
        stats, norms = [mean, var, norm.eps], [norm.weight, norm.bias]
    if not isinstance(shift, nn.BatchNorm2d):
        return Bent.apply(y_NCHW, beside_NCHW, stats, None, *norms, *act.constants(), None, None)[0]
    out, mean, var = Bent.apply(
        y_NCHW, beside_NCHW, stats, shift.eps, *norms, *act.constants(), shift.weight, shift.bias
    )
    move(shift, mean, var, count)
    return out


class Bent(torch.autograd.Function):
    """Arguments: y, beside or None, [mean_C, biased var_C, eps] of y's batch norm or [], eps of the shift or None, then [C]: weight
    and bias of the batch norm or None, pos, neg, knee, after, weight and bias of the shift or None. Gives out, and mean and var of a,
    which the shift is over."""

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, beside: Tensor | None, stats: list, shift_eps: float | None, *parameters: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        weight, bias, pos, neg, knee, after, shift_weight, shift_bias = parameters
        zero, one = torch.zeros_like(pos), torch.ones_like(pos)
        center, scale = (stats[0], (stats[1] + stats[2]).rsqrt()) if stats else (zero, one)
        gain, offset = (scale if weight is None else weight * scale), (zero if bias is None else bias) - knee
        threads, values, second = torch.get_num_threads(), Map(y).row, row(beside)
        constants, mean, var, shift_scale = [center, gain, offset, pos, neg, after], zero, one, one
        shifted = constants
        if shift_eps is not None:
            v = gain * (first(y) - center) + offset + (zero if beside is None else first(beside))
            origin = v * torch.where(v > 0, pos, neg) + after  # near the mean, so that squares do not cancel
            sums = _passes.bend_sums(values, second, None, lines([*constants[:-1], after - origin]), threads)
            mean, var = moments(torch.from_numpy(sums), y, origin)
            constants[-1] = (after - mean).to(pos.dtype)  # from here on a less its mean, so that sums do not cancel
            mean, var = mean.to(pos.dtype), var.to(pos.dtype)
            shift_scale = (var + shift_eps).rsqrt()
            by = shift_weight * shift_scale
            shifted = [center, gain, offset, pos * by, neg * by, constants[-1] * by + shift_bias]
        out = Map.like(y)
        _passes.bend(values, second, out.row, lines(shifted), threads)
        ctx.save_for_backward(y, beside, scale, *constants, shift_scale, shift_weight)
        ctx.mark_non_differentiable(mean, var)
        ctx.normed, ctx.shifted = bool(stats), shift_eps is not None
        return out.tensor, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        y, beside, scale, *constants, shift_scale, shift_weight = ctx.saved_tensors
        center, gain = constants[:2]
        threads, count = torch.get_num_threads(), y.numel() // len(center)
        values, second, grad, d_v = Map(y).row, row(beside), Map(grads[0]).row, Map.like(y)
        by = [torch.ones_like(gain), torch.zeros_like(gain), torch.zeros_like(gain)]
        d_shift: list[Tensor | None] = [None, None]
        if ctx.shifted:
            total, along = torch.from_numpy(_passes.bend_sums(values, second, grad, lines(constants), threads))
            d_weight = shift_scale * along
            d_shift = [d_weight.to(gain.dtype), total.to(gain.dtype)]
            by_grad, by_out = shift_weight * shift_scale, -shift_weight * shift_scale**2 * d_weight / count
            by = [c.to(gain.dtype) for c in (by_grad, by_out, -by_grad * total / count)]
        found = _passes.bend_gradient(values, second, grad, d_v.row, lines([*constants, *by]), threads)
        # float64, as differences of them are what counts
        d_after, d_pos, d_neg, d_bias, along = torch.from_numpy(found)
        d_norm: list[Tensor | None] = [None, None]
        d_y = d_v
        if ctx.normed:
            d_weight = scale * along
            d_norm = [d_weight.to(gain.dtype), d_bias.to(gain.dtype)]
            # d_y = gain (d_v - mean(d_v) - h mean(d_v h)), h = scale (y - center)
            by_y = -gain * scale * d_weight / count
            joined = [gain, by_y, -gain * d_bias / count - by_y * center]
            d_y = Map.like(y)
            _passes.join(d_v.row, values, d_y.row, lines([c.to(gain.dtype) for c in joined]), threads)
        d_slopes = [d.to(gain.dtype) for d in (d_pos, d_neg, -d_bias, d_after)]
        d_beside = None if beside is None else d_v.tensor
        return d_y.tensor, d_beside, None, None, *d_norm, *d_slopes, *d_shift


def row(x_NCHW: Tensor | None) -> Any:
    """The memory of a map that may be missing."""
    return None if x_NCHW is None else Map(x_NCHW).row
