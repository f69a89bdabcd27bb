"""Statistical binary set per output channel: mean and standard deviation, with the error decay estimator.

Forward   beta_o = mean(w_o), alpha_o = sqrt(mean((w_o - beta_o)^2) + 1e-8), b = sign((w - beta) / alpha); w_b = alpha b + beta
Backward  through mean, std and b; db/dw^ = k t (1 - tanh^2(t w^)), t from 1e-3 to 10 over the training
Deploy    bit = [w >= beta_o]; low value beta_o - alpha_o, step 2 alpha_o
Shapes    w_OIHW float32 -> w_OIHW float32
Source    AdaBin (Tu 2022) eq. 4-5 and its code; AOIE-Net eq. 3-5; EDE: IR-Net (Qin 2020) eq. 11.
          Differs: 1e-8 under the root; sign(0) = +1.
"""

from aoienet.quant.weights import WeightQuantizer


class AffineEDE(WeightQuantizer):
    name = "affine_ede"
    center, keep_center, norm, scale, surrogate = "mean_o", True, "std_o", "norm", "ede"
