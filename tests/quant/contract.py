"""What the contract tests know of quantizers: how to build one with a state of its own, and how to run it."""

import torch
from torch import Tensor, nn

CHANNELS = 3


@torch.no_grad()
def disturbed(module: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter moved, so that a constant in the wrong place shows."""
    rng = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        p.add_(0.3 * torch.rand(p.shape, generator=rng))
    return module


def run_rows(kind, rows) -> tuple[list[float], list[float]]:
    """(q, d(sum of q)/dx) of a new quantizer whose map is the rows' x."""
    x = torch.tensor([row[0] for row in rows]).view(1, 1, 1, -1).requires_grad_()
    q = kind(1)(x)
    q.sum().backward()
    return q.flatten().tolist(), x.grad.flatten().tolist()


def from_levels(levels, x_NCHW: Tensor) -> Tensor:
    """low + sum over j of step_j [x >= threshold_j]."""
    q = torch.full_like(x_NCHW, levels.low)
    for threshold, step in zip(levels.thresholds, levels.steps, strict=True):
        q = q + step * (x_NCHW >= threshold.detach().view(1, -1, 1, 1)).to(q.dtype)
    return q


def step_losses(module: nn.Module, x: Tensor, steps: int = 4) -> list[float]:
    """Losses of Adam towards random signs, over x and the module's parameters."""
    target = torch.where(torch.randn(x.shape) > 0, 1.0, -1.0)
    x = x.clone().requires_grad_()
    optimiser = torch.optim.Adam([x, *module.parameters()], lr=0.1)
    losses = []
    for _ in range(steps):
        loss = (module(x) - target).square().mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return losses
