"""Crack or clean for 64 px blocks, trained on 256 px crops with their context."""

from aoienet.data.datasets.crack_blocks import CLASSES
from aoienet.train.recipes import Augment, Blocks, Data, Input, Optim, Recipe


def blocks() -> Recipe:
    """Scanning AOIE-Net, local contrast over 65 px, cross-entropy over the grid of blocks. Data set: crack_blocks."""
    return Recipe(
        name="blocks",
        model="aoienet_scan_pool",
        classes=CLASSES,
        data=Data("crack_blocks", split="photograph", val_fraction=0.1),
        epochs=30,
        batch=16,
        input=Input(window_px=65),
        optim=Optim(lr=2e-3, warmup_epochs=1, weight_decay=1e-2),
        augment=Augment(scale_least=0.8, scale_most=1.6),
        blocks=Blocks(
            px=64,
            stride_px=32,
            crack_weight=2.0,
            weak_weight=0.3,
            brick_per_epoch=128,
            drone_per_epoch=96,
            photo_per_epoch=96,
            keep_recall=0.99,
        ),
    )
