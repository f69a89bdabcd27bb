"""Crack or not for every pixel, with binary weights and activations, for the packed runtime."""

from aoienet.data.datasets.cracks import CLASSES
from aoienet.train.recipes import Augment, Data, Finish, Input, Optim, Pixels, RealWeights, Recipe


def segment_binary() -> Recipe:
    """A U-Net of AOIE blocks, local contrast over 65 px, losses and data of `segment`, real weights first. Data set: cracks."""
    return Recipe(
        name="segment_binary",
        model="segment_binary",
        classes=CLASSES,
        data=Data("segment", split="photograph", val_fraction=0.1),
        epochs=60,
        batch=8,
        input=Input(window_px=65),
        optim=Optim(lr=2e-3, warmup_epochs=1, weight_decay=1e-2),
        augment=Augment(scale_least=0.6, scale_most=3.5, gain_spread=0.4),
        real_weights=RealWeights(epochs=20),
        finish=Finish(bn_batches=50),
        pixels=Pixels(crop_px=192, drone_per_epoch=96, photo_per_epoch=96),
    )
