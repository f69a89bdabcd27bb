"""CIFAR-10 as the paper trains it: 300 epochs, batch 128, Adam 1e-3 falling linearly to 0, flip and crop."""

from aoienet.data.datasets.cifar10 import CLASSES
from aoienet.train.recipes import Data, Input, Optim, Recipe


def cifar10_paper() -> Recipe:
    """Any CIFAR form of the zoo with -o model=NAME. Source: AOIE-Net section 4. Differs: gradients longer than 5 are cut to
    that length (`optim.clip_norm`); the paper clips nothing."""
    return Recipe(
        name="cifar10_paper",
        model="aoienet_cifar",
        classes=CLASSES,
        data=Data("cifar10", val_fraction=0.1),
        in_channels=3,
        epochs=300,
        batch=128,
        input=Input("pixels"),
        optim=Optim(lr=1e-3, schedule="linear"),
    )
