"""NEU-CLS, six steel defects, grouped split. About 40 minutes on two cores; the accuracy is in the model's card."""

from aoienet.data.datasets.neu_cls import CLASSES
from aoienet.train.recipes import Recipe


def neu_cls() -> Recipe:
    """Compact two-plane AOIE-Net on whole pictures, standardised per picture."""
    return Recipe(
        name="neu_cls",
        dataset="neu_cls",
        model="aoienet_compact",
        classes=CLASSES,
        epochs=40,
        batch=32,
        lr=2e-3,
        window_px=0,
        label_smoothing=0.1,
        scale_least=0.8,
        scale_most=1.3,
    )
