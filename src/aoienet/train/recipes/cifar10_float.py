"""A float ResNet on CIFAR-10: the twin of Table 2's float row, and the teacher of cifar10_best."""

from dataclasses import replace

from aoienet.train.recipes import Optim, Recipe
from aoienet.train.recipes.cifar10_paper import cifar10_paper


def cifar10_float() -> Recipe:
    """SGD 0.1, decay 1e-4, cosine (design note B1, first row). -o model=resnet56 for a stronger teacher."""
    return replace(
        cifar10_paper(),
        name="cifar10_float",
        model="resnet20",
        epochs=200,
        optim=Optim("sgd", lr=0.1, schedule="cosine", warmup_epochs=1, weight_decay=1e-4),
    )
