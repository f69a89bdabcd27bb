"""Every second position and zero channels on both sides: option A of ResNet for CIFAR."""

from torch import Tensor, nn
from torch.nn import functional as F

from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value


class Pad(nn.Module):
    """Source: He 2016, arXiv 1512.03385, option A; half of the zero channels before, half behind, as in the CIFAR code
    that IR-Net, RBNN and AdaBin share."""

    name = "pad"

    def __init__(self, in_channels: int, out_channels: int, stride: int, cell: Cell):
        super().__init__()
        if out_channels < in_channels or (out_channels - in_channels) % 2:
            raise ValueError(f"pad adds an even count of channels; received {in_channels} -> {out_channels}.")
        self.in_channels, self.extra, self.stride = in_channels, (out_channels - in_channels) // 2, stride

    def pooled(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW[:, :, ::2, ::2] if self.stride == 2 else x_NCHW

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return F.pad(self.pooled(x_NCHW), (0, 0, 0, 0, self.extra, self.extra))

    def emit(self, g: Graph, x: Value) -> Value:
        x = g.subsample2(x) if self.stride == 2 else x
        return g.channels(x, 0, self.in_channels, self.extra, self.extra) if self.extra else x
