"""NEU-CLS, six steel defects, grouped split; the accuracy is in the model's card."""

from aoienet.data.datasets.neu_cls import CLASSES
from aoienet.train.recipes import Augment, Data, Optim, Recipe


def neu_best() -> Recipe:
    """Compact two-plane AOIE-Net on whole pictures, standardised per picture."""
    return Recipe(
        name="neu_best",
        model="aoienet_compact",
        classes=CLASSES,
        data=Data("neu_cls", split="grouped"),
        label_smoothing=0.1,
        optim=Optim(lr=2e-3, warmup_epochs=1, weight_decay=1e-2),
        augment=Augment(scale_least=0.8, scale_most=1.3),
    )
