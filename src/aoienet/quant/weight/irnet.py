"""Balanced and standardised weights, a power of two as scale, error decay estimator.

Forward   n = (w - mean_o) / std_o (unbiased); s_o = 2^round(log2 mean |n_o|); w_b = s sign(n)
Backward  through mean and std, not through s; db/dn = k t (1 - tanh^2(t n)), t from 1e-3 to 10 over the training
Deploy    bit = [w >= mean_o]; low value -s_o, step 2 s_o
Shapes    w_OIHW float32 -> w_OIHW float32
Source    IR-Net (Qin 2020), arXiv 1909.10788, and its code. Differs: 1e-8 under the root; sign(0) = +1.
"""

from aoienet.quant.weights import WeightQuantizer


class IRNet(WeightQuantizer):
    name = "irnet"
    center, norm, scale, scale_grad, surrogate = "mean_o", "std_unbiased_o", "pow2_o", "detached", "ede"
