"""ReLU."""

from torch import nn

from aoienet.nn.graph import Graph, Slopes, Value


class ReLU(nn.ReLU):
    """max(v, 0)."""

    name = "relu"

    def __init__(self, channels: int):
        super().__init__()

    def emit(self, g: Graph, x: Value) -> Value:
        return g.slopes(x, self, Slopes.of(neg=0.0))
