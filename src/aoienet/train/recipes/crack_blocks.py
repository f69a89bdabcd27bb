"""Crack or clean for 64 px blocks, trained on 256 px crops with their context."""

from aoienet.data.datasets.crack_blocks import CLASSES
from aoienet.train.recipes import Recipe


def crack_blocks() -> Recipe:
    """Scanning AOIE-Net, local contrast over 65 px, cross-entropy over the grid of blocks."""
    return Recipe(
        name="crack_blocks",
        dataset="crack_blocks",
        model="aoienet_scan",
        classes=CLASSES,
        epochs=30,
        batch=16,
        lr=2e-3,
        split="photograph",
        val_fraction=0.1,
        loss="block_cross_entropy",
        window_px=65,
        block_px=64,
        block_stride_px=32,
        crack_weight=2.0,
        weak_weight=0.3,
        brick_per_epoch=128,
        drone_per_epoch=96,
        photo_per_epoch=96,
        scale_least=0.8,
        scale_most=1.6,
        keep_recall=0.95,
    )
