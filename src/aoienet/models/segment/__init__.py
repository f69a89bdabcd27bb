"""Networks of the second stage: one value per pixel, crack or not."""

from torch import nn

from aoienet.models.segment.binary import NAME, BinaryUNet
from aoienet.models.segment.light import LightUNet
from aoienet.parts import nearest

NAMES = ("segment_light", "segment_heavy", NAME)
HEAVY_WIDTHS = (32, 96, 192, 384, 640)  # four times the channels of light


def create(name: str, in_channels: int = 1) -> nn.Module:
    """A segmentation network with random weights. Raises ValueError: unknown name, channels that it does not take."""
    if name == "segment_light":
        return LightUNet(in_channels)
    if name == "segment_heavy":
        return LightUNet(in_channels, HEAVY_WIDTHS)
    if name != NAME:
        raise ValueError(f"unknown segmentation network {name!r}; known: {', '.join(NAMES)}{nearest(name, NAMES)}")
    if in_channels != 1:
        raise ValueError(f"{NAME} is grey; received in_channels={in_channels}")
    return BinaryUNet()


__all__ = ["NAMES", "BinaryUNet", "LightUNet", "create"]
