"""Crack or not for every pixel, with binary weights and activations, for the packed runtime."""

from aoienet.data.datasets.cracks import CLASSES
from aoienet.train.recipes import Augment, Data, Input, Optim, Pixels, Recipe


def segment_binary() -> Recipe:
    """AOIE blocks that answer for every pixel, local contrast over 65 px, losses and data of `segment`. Data set: cracks."""
    return Recipe(
        name="segment_binary",
        model="segment_binary",
        classes=CLASSES,
        data=Data("segment", split="photograph", val_fraction=0.1),
        epochs=36,
        batch=8,
        input=Input(window_px=65),
        optim=Optim(lr=2e-3, warmup_epochs=1, weight_decay=1e-2),
        augment=Augment(scale_least=0.6, scale_most=3.5, gain_spread=0.4),
        pixels=Pixels(crop_px=128, drone_per_epoch=96, photo_per_epoch=96),
    )
