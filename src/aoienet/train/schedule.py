"""Steps of a training, learning rates, optimisers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from aoienet.train.recipes import Recipe

MOMENTUM = 0.9
DROP = 0.1


@dataclass(frozen=True)
class Phase:
    """A part of the training with an optimiser and a schedule of its own. `first`: its first epoch."""

    first: int
    epochs: int
    real_weights: bool
    weight_decay: float


def phases(recipe: Recipe) -> tuple[Phase, ...]:
    """One, or real weights first."""
    n = recipe.real_weights.epochs
    binary = Phase(n, recipe.epochs - n, False, recipe.optim.weight_decay)
    return (Phase(0, n, True, recipe.real_weights.weight_decay), binary) if n else (binary,)


def phase_at(recipe: Recipe, epoch: int) -> Phase:
    """The phase that this epoch, counted from 0, lies in; after the last epoch still the last one."""
    return [phase for phase in phases(recipe) if phase.first <= epoch][-1]


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Of a step counted over the whole training: linear warm-up of the phase, then its schedule."""
    optim, phase = recipe.optim, phase_at(recipe, step // steps_per_epoch)
    step -= phase.first * steps_per_epoch
    warmup, total = optim.warmup_epochs * steps_per_epoch, phase.epochs * steps_per_epoch
    if step < warmup:
        return optim.lr * (step + 1) / max(1.0, warmup)
    if optim.schedule == "drops":
        return optim.lr * DROP ** sum(step >= epoch * steps_per_epoch for epoch in optim.drop_at)
    done = (step - warmup) / max(1.0, total - warmup)
    left = 0.5 * (1 + math.cos(math.pi * done)) if optim.schedule == "cosine" else 1 - done
    return optim.lr_last + (optim.lr - optim.lr_last) * left


def make_optimiser(net: torch.nn.Module, recipe: Recipe, phase: Phase) -> torch.optim.Optimizer:
    """Weight decay on the kernels of all convolutions, latent or real, never on alpha, beta, BN, slopes, biases."""

    def is_kernel(p: torch.Tensor) -> bool:  # OIHW; 1C11 is a constant per channel
        return p.ndim == 4 and p.shape[0] > 1 and p[0].numel() > 1

    kernels = [p for p in net.parameters() if is_kernel(p)]
    others = [p for p in net.parameters() if not is_kernel(p)]
    groups = [{"params": kernels, "weight_decay": phase.weight_decay}, {"params": others, "weight_decay": 0.0}]
    groups = [g for g in groups if g["params"]]
    # one kernel for all parameters on a GPU; on a CPU, whose fused kernel does not look at strides, one call: the same bits
    gpu = recipe.device.startswith("cuda")
    if recipe.optim.kind == "sgd":
        return torch.optim.SGD(groups, lr=recipe.optim.lr, momentum=MOMENTUM, fused=gpu, foreach=not gpu)
    return torch.optim.AdamW(groups, lr=recipe.optim.lr, fused=gpu, foreach=not gpu)
