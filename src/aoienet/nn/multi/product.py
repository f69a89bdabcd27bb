"""DBN-IEB at one plane: the product of the two planes."""

from torch import Tensor, nn

from aoienet.nn.cell import Cell
from aoienet.nn.graph import Graph, Value
from aoienet.nn.multi.dual_bn import DualBN

UNIT_CODES = ("sign", "rsign")


class Product(DualBN):
    """q1 q2 with codes -1 and +1: -1 inside of a window of x, +1 outside (XNOR of the planes).

    Deploy    none: a window is no threshold, and the runtime packs planes by thresholds.
    Raises    ValueError: a quantizer with other codes, whose product has more than two values.
    Source    design note A2, merge "product"; this project's own.
    """

    name = "product"
    merges_by_sum = False
    passes = 1  # the convolution reads one plane

    def __init__(self, in_channels: int, out_channels: int, cell: Cell):
        if cell.act_q not in UNIT_CODES:
            raise ValueError(f"product needs codes -1 and +1: act_q in {UNIT_CODES}; received '{cell.act_q}'.")
        super().__init__(in_channels, out_channels, cell)

    def merge(self, first: Tensor, second: Tensor) -> Tensor:
        return first * second

    def emit(self, g: Graph, x: Value, conv: nn.Module) -> Value:
        g.refuse("the product of two planes is a window of x, not a threshold; use multi='split' for one plane")
