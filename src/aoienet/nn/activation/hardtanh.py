"""Hard tanh."""

from torch import nn

from aoienet.nn.graph import Graph, Value


class Hardtanh(nn.Hardtanh):
    """v clipped to [-1, 1]. Source: Hubara 2016, arXiv 1602.02830."""

    name = "hardtanh"

    def __init__(self, channels: int):
        super().__init__()

    def emit(self, g: Graph, x: Value) -> Value:
        return g.clip(x, self)
