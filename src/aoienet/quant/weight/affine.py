"""Statistical binary set per output channel, with a straight-through window that stays as it is: affine_ede without its annealing.

Forward   as affine_ede: w_b = alpha_o b + beta_o, b = sign((w - beta_o) / alpha_o)
Backward  through mean, std and b; db/dw^ = 1 inside of |w^| <= 1, else 0, over the whole training
Deploy    bit = [w >= beta_o]; low value beta_o - alpha_o, step 2 alpha_o
Shapes    w_OIHW float32 -> w_OIHW float32
Source    AdaBin (Tu 2022) eq. 4-5; window: BNN (Hubara 2016) eq. 4.
          Differs: the window lies on the normalised weight; AdaBin and AOIE-Net anneal it (EDE): this one measures what that brings.
"""

from aoienet.quant.weight.affine_ede import AffineEDE


class Affine(AffineEDE):
    name = "affine"
    surrogate = "clip"
