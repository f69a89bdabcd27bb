"""A learned factor per output channel."""

from torch import Tensor, nn

from aoienet.nn.conv import BinaryConv2d
from aoienet.nn.graph import Graph, Value


class LearnedScale(nn.Module):
    """y_o * s_o; starts at the mean magnitude of the filter. Source: RBNN, SiMaN, ReCU, IE-Net (their code)."""

    name = "learned"

    def __init__(self, conv: BinaryConv2d, map_hw: tuple[int, int]):
        super().__init__()
        self.factor = nn.Parameter(conv.weight.detach().abs().mean(dim=(1, 2, 3)))

    def forward(self, y_NCHW: Tensor, x_NCHW: Tensor) -> Tensor:
        return y_NCHW * self.factor.view(1, -1, 1, 1)

    def emit(self, g: Graph, y: Value, x: Value) -> Value:
        return g.affine(y, self.factor, 0.0)
