"""ImageNet as the paper trains it: two steps of 120 epochs, batch 256, Adam 5e-4 falling linearly to 0, distillation."""

from aoienet.train.recipes import Augment, Data, Distill, Input, Optim, RealWeights, Recipe


def imagenet_paper() -> Recipe:
    """Random-resized crop, flip, lighting; decay 1e-5 with real weights, then 0; the loss is the KL divergence from the teacher.

    The teacher is a run of your own: first `aoienet train --recipe imagenet_float`, then -o distill.teacher=RUN; without one the
    loss is the cross-entropy. Source: AOIE-Net section 4 and the code of its parent FracBNN (design note A4). Differs: decay is
    decoupled from the gradient (AdamW), on kernels only; the teacher is in evaluation mode; lighting is on its own scale;
    gradients longer than 5 are cut to that length (`optim.clip_norm`), where the paper clips nothing.
    """
    return Recipe(
        name="imagenet_paper",
        model="aoienet_mobilenet",
        classes=(),
        data=Data("imagenet", workers=8),
        in_channels=3,
        epochs=240,
        batch=256,
        input=Input("pixels"),
        optim=Optim(lr=5e-4, schedule="linear"),
        real_weights=RealWeights(epochs=120, weight_decay=1e-5),
        distill=Distill(weight=1.0, temperature=1.0),
        augment=Augment(area_least=0.08, lighting=0.1),
    )
