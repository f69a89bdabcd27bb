"""Whole pictures in class folders of your own; docs/guide/your-own-defects.md."""

from aoienet.train.recipes import Recipe


def folder() -> Recipe:
    """Compact two-plane AOIE-Net, standardised per picture; the folders decide the classes."""
    return Recipe(
        name="folder",
        dataset="folders",
        model="aoienet_compact",
        classes=(),
        epochs=40,
        batch=32,
        lr=2e-3,
        split="near_duplicates",
        val_fraction=0.1,
        test_fraction=0.2,
        label_smoothing=0.1,
        scale_least=0.9,  # a defect at the rim must not be cropped away
        scale_most=1.15,
        class_weights=True,
    )
