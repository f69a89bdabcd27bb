"""One binary convolution with everything that a published method puts around it, as data."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Cell:
    """Order: pre_bn, planes (multi of act_q), convolution (weight_q), scale, bn, out_act, + shortcut, act, shift.

    act_q, weight_q       files of quant/act, quant/weight; surrogate: of the activation, "" = the method's own
    multi                 how planes are made and merged: files of nn/multi
    pad                   what a tap outside of the map stands for, after the planes are made (0: no code)
    scale                 factor on the convolution's result: files of nn/scale
    pre_bn, bn, shift     batch norms before the planes, after the convolution, after the add
    out_act, act          nonlinearity before and after the add: files of nn/activation, or "none"
    shortcut              files of nn/shortcut
    spread                start of the two batch norm biases of dual_bn at +spread and -spread: with equal starts the
                          branches get the same gradients for ever
    map_hw                size of the block's input map, given by the builder; (0, 0) = any
    """

    act_q: str = "sign"
    surrogate: str = ""
    weight_q: str = "scaled_sign"
    multi: str = "single"
    pad: float = 0.0
    scale: str = "none"
    pre_bn: bool = False
    bn: bool = True
    out_act: str = "none"
    act: str = "none"
    shift: bool = False
    shortcut: str = "avgpool_dup"
    spread: float = 0.5
    map_hw: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        """Raises ValueError: pad or spread that is no finite number."""
        for name in ("pad", "spread"):
            value = getattr(self, name)
            if not (isinstance(value, (int, float)) and math.isfinite(value)):
                raise ValueError(f"{name} is a finite number; received {value!r}")

    def after(self, stride: int) -> "Cell":
        """The same method on the map behind a convolution of that stride."""
        rows, columns = (-(-side // stride) for side in self.map_hw)
        return replace(self, map_hw=(rows, columns))
