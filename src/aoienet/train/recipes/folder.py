"""Whole pictures in class folders of your own; docs/guide/your-own-defects.md."""

from aoienet.train.recipes import Augment, Data, Optim, Recipe


def folder() -> Recipe:
    """Compact two-plane AOIE-Net, standardised per picture; the folders decide the classes."""
    return Recipe(
        name="folder",
        model="aoienet_compact",
        classes=(),
        data=Data("folders", split="near_duplicates", val_fraction=0.1, test_fraction=0.2),
        label_smoothing=0.1,
        class_weights=True,
        optim=Optim(lr=2e-3, warmup_epochs=1, weight_decay=1e-2),
        augment=Augment(scale_least=0.9, scale_most=1.15),  # a defect at the rim must not be cropped away
    )
