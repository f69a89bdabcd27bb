"""Maps as what bindings/passes.cc reads and writes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from aoienet.quant.rows import dense


class Map:
    """A map with channels last, N x C x H x W, and its memory as one row."""

    def __init__(self, x_NCHW: Tensor):
        self.tensor = x_NCHW.detach().contiguous(memory_format=torch.channels_last)
        self.row: np.ndarray = dense(self.tensor, torch.channels_last).numpy()

    @classmethod
    def like(cls, x_NCHW: Tensor) -> Map:
        """One to be written."""
        return cls(torch.empty_like(x_NCHW, memory_format=torch.channels_last))


def lines(constants_C: Sequence[Tensor]) -> np.ndarray:
    """Constants per channel, a line each."""
    return torch.stack(list(constants_C)).detach().numpy()


def can_pass(x_NCHW: Tensor, parameter: Tensor) -> bool:
    """A map that is to be trained with on a CPU, in the precision of the parameter, by code that PyTorch runs as it stands."""
    known = x_NCHW.dtype in (torch.float32, torch.float64) and x_NCHW.dtype == parameter.dtype
    on_cpu = x_NCHW.device.type == "cpu" and x_NCHW.ndim == 4
    return known and on_cpu and torch.is_grad_enabled() and not torch.compiler.is_compiling()
