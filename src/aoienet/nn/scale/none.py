"""No factor."""

from torch import Tensor, nn

from aoienet.nn.graph import Graph, Value


class NoScale(nn.Module):
    name = "none"

    def __init__(self, conv: nn.Module, map_hw: tuple[int, int]):
        super().__init__()

    def forward(self, y_NCHW: Tensor, x_NCHW: Tensor) -> Tensor:
        return y_NCHW

    def emit(self, g: Graph, y: Value, x: Value) -> Value:
        return y
