"""NEU-CLS as the paper trains it: 90 epochs, 1e-3, x 0.1 at epoch 45, random 8:2 (section 4)."""

from aoienet.data.datasets.neu_cls import CLASSES
from aoienet.train.recipes import Augment, Data, Input, Optim, Recipe


def neu_paper() -> Recipe:
    """ResNet-18 form on 200x200 grey pictures. The paper names no augmentation: flips only. Its input of three equal channels
    at 224x224 holds nothing that one channel at 200x200 lacks. A random split leaks (docs/paper.md): -o data.split=grouped. Differs: gradients
    longer than 5 are cut to that length (`optim.clip_norm`); the paper clips nothing."""
    return Recipe(
        name="neu_paper",
        model="aoienet_resnet18",
        classes=CLASSES,
        data=Data("neu_cls", split="random", val_fraction=0.0),
        epochs=90,
        batch=32,
        input=Input("pixels"),
        optim=Optim(lr=1e-3, schedule="drops", drop_at=(45,)),
        augment=Augment(turns=False, gain_spread=0.0),
    )
