"""Crack or not for every pixel: the light U-Net of the second stage."""

from aoienet.data.datasets.cracks import CLASSES
from aoienet.train.recipes import Augment, Data, Input, Optim, Pixels, Recipe


def segment() -> Recipe:
    """Light U-Net, Dice + cross-entropy + skeleton recall on DeepCrack and Crack500. Data set: cracks."""
    return Recipe(
        name="segment",
        model="segment_light",
        classes=CLASSES,
        data=Data("segment", split="photograph", val_fraction=0.1),
        epochs=60,
        batch=8,
        input=Input(kind="pixels"),
        optim=Optim(lr=3e-3, warmup_epochs=1, weight_decay=1e-2),
        augment=Augment(scale_least=0.6, scale_most=3.5, gain_spread=0.4),
        pixels=Pixels(crop_px=192, drone_per_epoch=96, photo_per_epoch=96),
    )
