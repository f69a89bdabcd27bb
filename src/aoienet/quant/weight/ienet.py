"""Standardised weights, sign, the wide triangle as surrogate; the scale is learned behind the convolution.

Forward   n = (w - mean_o) / sqrt(var_o + 1e-5) (unbiased); w_b = sign(n)
Backward  through mean and var; db/dn = k (sqrt(3) t - 1.5 t^2 |n|)+, t from 1e-2 to 10 over the training
Deploy    bit = [w >= mean_o]; low value -1, step 2
Shapes    w_OIHW float32 -> w_OIHW float32
Source    IE-Net (Ding 2022): its code. Differs: sign(0) = +1.
"""

from aoienet.quant.weights import WeightQuantizer


class IENet(WeightQuantizer):
    name = "ienet"
    center, norm, eps, surrogate = "mean_o", "std_unbiased_o", 1e-5, "tri_ienet"
