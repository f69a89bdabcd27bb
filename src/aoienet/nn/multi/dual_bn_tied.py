"""DualBN with one half-distance for both planes: their sum has three levels, and the runtime counts both in one pass."""

from aoienet.nn.cell import Cell
from aoienet.nn.multi.dual_bn import DualBN


class DualBNTied(DualBN):
    """alpha_1 = alpha_2, one parameter. The thresholds of the planes stay their own.

    Source: this project's own (design note E4). Differs from AOIE-Net: two levels of a plane are as far apart as those of the other.
    Raises ValueError: a quantizer without a learned half-distance.
    """

    name = "dual_bn_tied"

    def __init__(self, in_channels: int, out_channels: int, cell: Cell):
        super().__init__(in_channels, out_channels, cell)
        if not hasattr(self.act[0], "alpha"):
            raise ValueError(
                f"dual_bn_tied shares the learned half-distance of its planes: act_q='affine' or 'adabin_code'; received "
                f"'{cell.act_q}'; next: take multi='dual_bn' too"
            )
        self.act[1].alpha = self.act[0].alpha
