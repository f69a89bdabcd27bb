"""XNOR-Net's K: the mean magnitude of the real input under the window of every position."""

import torch.nn.functional as F
from torch import Tensor, nn

from aoienet.nn.conv import BinaryConv2d
from aoienet.nn.graph import Graph, Value


class KMap(nn.Module):
    """y * K, K = box filter of mean_c |x| with the kernel and stride of the convolution, zeros outside.

    Deploy    none: K needs the magnitudes of the real input at every position.
    Source    XNOR-Net (Rastegari 2016), arXiv 1603.05279, eq. 11.
    """

    name = "kmap"

    def __init__(self, conv: BinaryConv2d, map_hw: tuple[int, int]):
        super().__init__()
        self.kernel, self.stride, self.padding = conv.kernel, conv.stride, conv.padding

    def forward(self, y_NCHW: Tensor, x_NCHW: Tensor) -> Tensor:
        magnitude = x_NCHW.abs().mean(dim=1, keepdim=True)
        return y_NCHW * F.avg_pool2d(magnitude, self.kernel, self.stride, self.padding)

    def emit(self, g: Graph, y: Value, x: Value) -> Value:
        g.refuse("XNOR-Net's K needs the magnitudes of the real input at every position; train with scale='none'")
