"""Balanced weights: as many high as low bits, nearly; sign times the mean magnitude of each filter.

Forward   v = w - mean_o(w); s_o = mean |v_o|; w_b = s sign(v)
Backward  through the mean: dL/dw = g' - mean_o(g') with g' = g 1[|v| <= 1]
Deploy    bit = [w >= mean_o]; low value -s_o, step 2 s_o
Shapes    w_OIHW float32 -> w_OIHW float32
Source    BBG (Shen 2020), arXiv 1909.12117. Differs: no code is public; one scale per filter and its part in the gradient
          (none) are our reading; sign(0) = +1.
"""

from aoienet.quant.weights import WeightQuantizer


class Balanced(WeightQuantizer):
    name = "balanced"
    center, scale, scale_grad = "mean_o", "mean_abs_o", "none"
