"""DBN-IEB at one plane: half of the channels take branch a, half branch b."""

import torch

from aoienet.nn.cell import Cell
from aoienet.nn.multi.collapsed import Collapsed


class Split(Collapsed):
    """Two batch norms on disjoint channels are one batch norm; the halves differ in the start of its bias, +spread and -spread.

    alpha and beta are shared by the branches: a step per channel has no packed form. What is lost is their ratio, which the
    batch norm behind the convolution cannot absorb (design note A2). One binary plane (W1/A1).
    Source: design note A2, merge "channel split"; this project's own.
    """

    name = "split"

    def __init__(self, in_channels: int, out_channels: int, cell: Cell):
        super().__init__(in_channels, out_channels, cell)
        with torch.no_grad():
            self.bn.bias[: in_channels // 2] = cell.spread
            self.bn.bias[in_channels // 2 :] = -cell.spread
