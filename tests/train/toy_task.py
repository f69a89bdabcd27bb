"""A task of noise, brighter in class 1, and a small network: for tests of the loop, also where they run as programs of their own."""

from functools import partial

import numpy as np
import torch

from aoienet.models.blocks.unit import residual
from aoienet.models.spec import Conv, Head, NetSpec, Stem
from aoienet.nn.cell import Cell


def spec(name: str, cell: Cell, head: Head) -> NetSpec:
    return NetSpec(
        name=name,
        stem=Stem("conv", (Conv(4, 3, 2),)),
        body=residual(((4, 1, 1), (8, 1, 2))),
        cell=cell,
        head=head,
        in_channels=1,
        input_hw=(16, 16),
        num_classes=2,
    )


class Toy:
    """sizes: pictures of each batch of an epoch. `event` is called with (epoch, step) in the thread that makes the batch."""

    split, data_hash = "made up", "0"

    def __init__(self, recipe, sizes, event=lambda epoch, step: None, in_loss=lambda: None):
        self.recipe, self.sizes, self.event, self.in_loss = recipe, sizes, event, in_loss

    def _batch(self, epoch, step):
        self.event(epoch, step)
        rng = np.random.default_rng([self.recipe.seed, epoch, step])
        n = self.sizes[step]
        labels = rng.integers(0, 2, n)
        return (rng.normal(0, 40, (n, 1, 16, 16)) + 30 * labels[:, None, None, None]).astype(np.float32), labels

    def epoch_jobs(self, epoch):
        return [partial(self._batch, epoch, step) for step in range(len(self.sizes))]

    def loss(self, logits, labels):
        self.in_loss()
        return torch.nn.functional.cross_entropy(logits, labels)

    def correct(self, logits, labels):
        return int((logits.argmax(1) == labels).sum()), len(labels)

    def validate(self, net):
        net.eval()
        with torch.no_grad():
            return {"val_loss": float(net(torch.ones(2, 1, 16, 16)).square().mean())}

    def result(self, net):
        return {}
