"""NEU-CLS, six steel defects, grouped split; what it reaches is in docs/results."""

from aoienet.data.datasets.neu_cls import CLASSES
from aoienet.train.recipes import Augment, Data, Input, Optim, Recipe


def neu_best() -> Recipe:
    """Compact two-plane AOIE-Net, pooled behind its stem, on whole pictures.

    No quarter turns: streaks of inclusions run along the strip, rolled-in scale does not. Plain pixels: brightness and contrast
    tell classes apart, and the gain of neighbouring crops varies little.
    """
    return Recipe(
        name="neu_best",
        model="aoienet_compact_pool",
        classes=CLASSES,
        data=Data("neu_cls", split="grouped"),
        epochs=30,
        label_smoothing=0.1,
        input=Input("pixels"),
        optim=Optim(lr=2e-3, warmup_epochs=1, weight_decay=1e-2),
        augment=Augment(turns=False, scale_least=0.8, scale_most=1.3, gain_spread=0.15),
    )
