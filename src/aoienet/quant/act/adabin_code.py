"""Adaptive binary set as AdaBin's code has it: alpha * (sign((p - beta) / alpha) + beta).

Forward   q(p) = alpha (s + beta), s = +1 if p >= beta else -1: the centre alpha beta of the set is not the threshold beta
Backward  dq/dp = g(u), u = (p - beta) / alpha;  dq/dalpha = s + beta - u g(u);  dq/dbeta = alpha - g(u);  g: the surrogate's slope
Deploy    bit = [p >= beta]; low value alpha (beta - 1), step 2 alpha
Shapes    p_NCHW float32 -> q_NCHW float32
Source    AdaBin (Tu 2022), arXiv 2208.08084: its code. Differs: alpha >= 1e-3 (there it may turn negative); sign(0) = +1.
"""

from torch import Tensor

from aoienet.quant.act.affine import Affine
from aoienet.quant.activation import Levels


class AdaBinCode(Affine):
    name = "adabin_code"

    def forward(self, p_NCHW: Tensor) -> Tensor:
        return super().forward(p_NCHW) + self.beta * (self.half_distance() - 1)

    def levels(self) -> Levels:
        alpha, beta = float(self.half_distance().detach()), float(self.beta.detach())
        return Levels(alpha * (beta - 1), (self.beta,), (2 * alpha,))
