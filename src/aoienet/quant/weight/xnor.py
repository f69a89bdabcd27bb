"""Mean-centred, clamped weights; sign times the mean magnitude of each filter, with the gradient of that mean.

Forward   w = clip(w - mean_i(w), -1, 1), in place in training (mean over the input channels, for each tap);
          s_o = mean |w_o|; w_b = s sign(w)
Backward  dL/dw = s g 1[|w| <= 1] + sign(w) mean_o(sign(w) g)
Deploy    bit = [w >= 0] after centring; low value -s_o, step 2 s_o
Shapes    w_OIHW float32 -> w_OIHW float32
Source    XNOR-Net (Rastegari 2016), arXiv 1603.05279; the centring: the PyTorch code of jiecaoyu.
          Differs: sign(0) = +1; without that code's factor n (1 - 1/I) on the gradient, which Adam removes.
"""

from torch import Tensor

from aoienet.quant.weights import WeightQuantizer


class XNOR(WeightQuantizer):
    name = "xnor"
    scale = "mean_abs_o"

    def keep(self, w_OIHW: Tensor) -> Tensor:
        return (w_OIHW - w_OIHW.mean(dim=1, keepdim=True)).clamp(-1, 1)
