"""The zoo in timm's registry: `register(); timm.create_model("aoienet_cifar", num_classes=6)`. timm is no dependency."""

from typing import Any

from aoienet.models import create_model, list_models
from aoienet.models.net import BinaryNet

NOT_OURS = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")


def entrypoint(name: str) -> Any:
    """A function that timm may call with its own keywords."""

    def build(pretrained: bool = False, in_chans: int | None = None, **kwargs: Any) -> BinaryNet:
        if pretrained:
            raise ValueError(f"{name} has no PyTorch weights to download; packed weights are in aoienet.weights.")
        return create_model(name, in_channels=in_chans, **{k: v for k, v in kwargs.items() if k not in NOT_OURS})

    build.__name__, build.__module__ = name, __name__
    return build


def register() -> list[str]:
    """Make every network known to timm but those whose name timm has already; returns the new names.

    Raises    ModuleNotFoundError: timm is not installed.
    """
    from timm.models import is_model, register_model

    names = [name for name in list_models() if not is_model(name)]
    for name in names:
        register_model(entrypoint(name))
    return names
