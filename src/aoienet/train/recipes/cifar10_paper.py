"""CIFAR-10 as the paper trains it: 300 epochs, batch 128, Adam 1e-3 falling linearly to 0, flip and crop."""

from aoienet.data.datasets.cifar10 import CLASSES
from aoienet.train.recipes import Recipe


def cifar10_paper() -> Recipe:
    """Any CIFAR form of the zoo with -o model=NAME. Source: AOIE-Net section 4."""
    return Recipe(
        name="cifar10_paper",
        dataset="cifar10",
        model="aoienet_cifar",
        classes=CLASSES,
        in_channels=3,
        input="pixels",
        epochs=300,
        batch=128,
        lr=1e-3,
        schedule="linear",
        warmup_epochs=0.0,
        weight_decay=0.0,
        split="official",
        val_fraction=0.1,
    )
