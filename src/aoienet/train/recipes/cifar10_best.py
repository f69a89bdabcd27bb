"""CIFAR-10 with everything that is known to help: design note A4, list of ten."""

from dataclasses import replace

from aoienet.train.recipes import Finish, Net, Optim, RealWeights, Recipe
from aoienet.train.recipes.cifar10_paper import cifar10_paper


def cifar10_best() -> Recipe:
    """Two steps, DPReLU, real stem, batch norm before the linear layer, decay on kernels, EMA, re-estimated statistics.

    Distillation needs a teacher of your own: first `aoienet train --recipe cifar10_float`, then -o distill.teacher=RUN.
    """
    return replace(
        cifar10_paper(),
        name="cifar10_best",
        epochs=600,
        net=Net(stem="conv", act="dprelu", head_batchnorm=True),
        optim=Optim(lr=1e-3, schedule="cosine", warmup_epochs=5),
        real_weights=RealWeights(epochs=200, weight_decay=1e-5),
        finish=Finish(ema=0.999, bn_batches=100),
    )
