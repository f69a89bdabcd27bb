"""NEU-CLS, six steel defects, grouped split; what it reaches is in docs/results."""

from aoienet.data.datasets.neu_cls import CLASSES
from aoienet.train.recipes import Augment, Data, Input, Optim, Recipe


def neu_best() -> Recipe:
    """Compact two-plane AOIE-Net, pooled behind its stem, on whole pictures.

    No quarter turns: streaks of inclusions run along the strip, rolled-in scale does not. Plain pixels and little change of gain
    and size: brightness, contrast and grain tell the classes apart, and all pictures are of one camera.
    """
    return Recipe(
        name="neu_best",
        model="aoienet_compact_pool",
        classes=CLASSES,
        data=Data("neu_cls", split="grouped"),
        epochs=20,
        batch=16,
        label_smoothing=0.1,
        input=Input("pixels"),
        optim=Optim(lr=1.5e-3, warmup_epochs=1, weight_decay=1e-2),
        augment=Augment(turns=False, scale_least=0.9, scale_most=1.12, gain_spread=0.05),
    )
