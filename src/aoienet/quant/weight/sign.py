"""Plain sign without a scale: FracBNN's weights and the thermometer stem.

Forward   b = sign(w), sign(0) = +1
Backward  db/dw = 1 inside of |w| <= 1.3
Deploy    bit = [w >= 0]; low value -1, step 2
Shapes    w_OIHW float32 -> w_OIHW float32
Source    FracBNN (Zhang 2021): FastSign with clip 1.3. Differs: sign(0) = +1.
"""

from aoienet.quant.weights import WeightQuantizer


class Sign(WeightQuantizer):
    name = "sign"
    surrogate = "clip:1.3"
