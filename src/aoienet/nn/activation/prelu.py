"""PReLU with a slope per channel."""

from torch import nn

from aoienet.nn.graph import Graph, Slopes, Value


class PReLU(nn.PReLU):
    """Source: He 2015, arXiv 1502.01852, eq. 1; starts at 0.25."""

    name = "prelu"

    def emit(self, g: Graph, x: Value) -> Value:
        return g.slopes(x, self, Slopes.of(neg=self.weight))
