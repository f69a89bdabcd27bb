"""Sign times the mean magnitude of each filter; no gradient through the scale.

Forward   b = sign(w), s_o = mean |w_o|; w_b = s b
Backward  dw_b/dw = 1 inside of |w| <= 1: the scale does not multiply it
Deploy    bit = [w >= 0]; low value -s_o, step 2 s_o
Shapes    w_OIHW float32 -> w_OIHW float32
Source    Bi-Real Net (Liu 2018), ReActNet (Liu 2020): their code. Differs: sign(0) = +1.
"""

from aoienet.quant.weights import WeightQuantizer


class ScaledSign(WeightQuantizer):
    name = "scaled_sign"
    scale, scale_grad = "mean_abs_o", "none"
