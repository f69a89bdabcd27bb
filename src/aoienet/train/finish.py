"""What a training does after its last epoch: averaged parameters, batch norm statistics counted anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from aoienet.nn.conv import BinaryConv2d


def latent_names(net: nn.Module) -> set[str]:
    """Parameters of which only the sign is used."""
    convs = {name: m for name, m in net.named_modules() if isinstance(m, BinaryConv2d) and m.weight_q.binary}
    return {f"{name}.weight" if name else "weight" for name in convs}


class Average:
    """Exponential averages of all parameters but latent ones. The first steps count more, as if there had been no others:
    a step keeps min(decay, (1 + n) / (10 + n)) after n steps (the rule of TensorFlow's ExponentialMovingAverage)."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        latent = latent_names(net)
        self.decay, self.steps = decay, 0
        self.values = {name: p.detach().clone() for name, p in net.named_parameters() if name not in latent}

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """After a step of the optimiser."""
        kept = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        now = dict(net.named_parameters())
        # all at once: on a GPU a call for each parameter takes as long as a step
        get_ema_multi_avg_fn(kept)(list(self.values.values()), [now[name] for name in self.values], None)

    @torch.no_grad()
    def put_into(self, net: nn.Module) -> None:
        """The averages become the parameters."""
        for name, p in net.named_parameters():
            if name in self.values:
                p.copy_(self.values[name])

    def state(self) -> dict:
        """For the checkpoint."""
        return {"steps": self.steps, "values": self.values}

    def load(self, state: dict) -> None:
        """Undo `state`."""
        self.steps = state["steps"]
        for name, value in state["values"].items():
            self.values[name].copy_(value)


@contextmanager
def counting_anew(net: nn.Module) -> Iterator[None]:
    """Batch norms forget their statistics and take the mean over what comes; all other parts are in evaluation mode."""
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    momenta = [m.momentum for m in norms]
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        net.eval()


def reestimate(net: nn.Module, batches: Iterator[Tensor], forward: Callable[[Tensor], Tensor]) -> None:
    """Batch norm statistics of the network as it is now, over these batches."""
    with counting_anew(net), torch.no_grad():
        for x_NCHW in batches:
            forward(x_NCHW)
