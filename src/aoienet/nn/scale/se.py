"""Squeeze and excitation: a factor per output channel from the means of the real input."""

import torch
from torch import Tensor, nn

from aoienet.nn.activation.relu import ReLU
from aoienet.nn.conv import BinaryConv2d
from aoienet.nn.graph import Graph, Value

REDUCTION = 8  # Real-to-Binary, section 4.3


class SqueezeExcite(nn.Module):
    """y_o * sigmoid(W2 relu(W1 mean(x)))_o, W1: C -> C / 8, W2: C / 8 -> O, no biases.

    Source: Real-to-Binary (Martinez 2020), arXiv 2003.11535, section 4.3; x is the real input before the sign (larq zoo).
    """

    name = "se"

    def __init__(self, conv: BinaryConv2d, map_hw: tuple[int, int]):
        super().__init__()
        outputs, inputs = conv.weight.shape[:2]
        hidden = max(inputs // REDUCTION, 1)
        self.squeeze = nn.Linear(inputs, hidden, bias=False)
        self.relu = ReLU(hidden)
        self.excite = nn.Linear(hidden, outputs, bias=False)

    def forward(self, y_NCHW: Tensor, x_NCHW: Tensor) -> Tensor:
        hidden = self.relu(self.squeeze(x_NCHW.mean(dim=(2, 3))))
        return y_NCHW * torch.sigmoid(self.excite(hidden))[:, :, None, None]

    def emit(self, g: Graph, y: Value, x: Value) -> Value:
        hidden = g.part(self.relu, g.part(self.squeeze, g.mean(x)))
        return g.mul(y, g.sigmoid(g.part(self.excite, hidden)))
