"""NEU-CLS, six steel defects, grouped split; what it reaches is in docs/results."""

from aoienet.data.datasets.neu_cls import CLASSES
from aoienet.train.recipes import Augment, Data, Input, Optim, Recipe


def neu_best() -> Recipe:
    """Compact two-plane AOIE-Net with a head on every level, on whole pictures.

    No quarter turns: streaks of inclusions run along the strip, rolled-in scale does not. Plain pixels, no change of contrast, and
    shifts in place of changes of size: brightness, contrast and the finest grain tell the classes apart, resampling wipes
    the grain out, and all pictures are of one camera.
    """
    return Recipe(
        name="neu_best",
        model="aoienet_compact_small",
        classes=CLASSES,
        data=Data("neu_cls", split="grouped"),
        epochs=60,
        batch=16,
        label_smoothing=0.1,
        input=Input("pixels"),
        optim=Optim(lr=1.5e-3, warmup_epochs=1, weight_decay=1e-2),
        augment=Augment(turns=False, gain_spread=0.0),
    )
