"""A float ResNet-34 on ImageNet: the teacher of imagenet_paper and imagenet_best."""

from dataclasses import replace

from aoienet.train.recipes import Augment, Distill, Optim, RealWeights, Recipe
from aoienet.train.recipes.imagenet_paper import imagenet_paper


def imagenet_float() -> Recipe:
    """90 epochs, SGD 0.1, decay 1e-4, cosine (He 2016, with the cosine of later trainings)."""
    return replace(
        imagenet_paper(),
        name="imagenet_float",
        model="resnet34",
        epochs=90,
        optim=Optim("sgd", lr=0.1, schedule="cosine", warmup_epochs=5, weight_decay=1e-4),
        real_weights=RealWeights(),
        distill=Distill(),
        augment=Augment(area_least=0.08),
    )
