"""ImageNet with everything that is known to help binary networks: design note A4 and C."""

from dataclasses import replace

from aoienet.train.recipes import Distill, Finish, Net, Optim, RealWeights, Recipe
from aoienet.train.recipes.imagenet_paper import imagenet_paper


def imagenet_best() -> Recipe:
    """Real stem, DPReLU, scales by squeeze-and-excitation, longer second step on a cosine, averages and statistics counted anew.

    Not yet trained at length; what each switch brings is known from CIFAR-10 and from the literature only.
    """
    return replace(
        imagenet_paper(),
        name="imagenet_best",
        epochs=384,
        net=Net(stem="conv", act="dprelu", scale="se"),
        optim=Optim(lr=1e-3, schedule="cosine", warmup_epochs=5),
        real_weights=RealWeights(epochs=128, weight_decay=5e-6),
        distill=Distill(weight=0.9, temperature=1.0),
        finish=Finish(ema=0.9999, bn_batches=200),
    )
