"""Sign times the mean magnitude of the whole layer.

Forward   E = mean |w| over the layer; w_b = E sign(w)
Backward  dw_b/dw = 1
Deploy    bit = [w >= 0]; low value -E, step 2 E
Shapes    w_OIHW float32 -> w_OIHW float32
Source    DoReFa-Net (Zhou 2016), arXiv 1606.06160; Group-Net (Zhuang 2019): its code. Differs: sign(0) = +1.
"""

from aoienet.quant.weights import WeightQuantizer


class DoReFa(WeightQuantizer):
    name = "dorefa"
    scale, scale_grad, surrogate = "mean_abs_layer", "none", "identity"
