"""Maps as what bindings/passes.cc reads and writes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from aoienet.quant import _passes
from aoienet.quant.rows import dense


class Map:
    """A map with channels last, N x C x H x W, and its memory as one row; of BF16 as the integers that its bits are."""

    def __init__(self, x_NCHW: Tensor):
        self.tensor = x_NCHW.detach().contiguous(memory_format=torch.channels_last)
        row = dense(self.tensor, torch.channels_last)
        half = row.dtype == torch.bfloat16
        self.row: np.ndarray = row.view(torch.int16).numpy().view(np.uint16) if half else row.numpy()

    @classmethod
    def like(cls, x_NCHW: Tensor) -> Map:
        """One to be written."""
        return cls(torch.empty_like(x_NCHW, memory_format=torch.channels_last))


def lines(constants_C: Sequence[Tensor]) -> np.ndarray:
    """Constants per channel, a line each."""
    return torch.stack(list(constants_C)).detach().numpy()


def statistics(x_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance per channel, float32 or float64."""
    x, origin = Map(x_NCHW), first(x_NCHW)  # near the mean, so that squares do not cancel
    sums = torch.from_numpy(_passes.stats(x.row, lines([origin]), torch.get_num_threads()))
    mean, var = moments(sums, x_NCHW, origin)
    return mean.to(origin.dtype), var.to(origin.dtype)


def first(x_NCHW: Tensor) -> Tensor:
    """The values at the first position, float32 or float64."""
    values = x_NCHW.detach()[0, :, 0, 0]
    return values.float() if values.dtype == torch.bfloat16 else values


def moments(sums: Tensor, x_NCHW: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance from the sums of x - origin and of its square; all float64 but origin."""
    mean, square = sums / (x_NCHW.numel() // x_NCHW.shape[1])
    return mean + origin, (square - mean * mean).clamp(min=0)


def can_pass(x_NCHW: Tensor, parameter: Tensor) -> bool:
    """A map that is to be trained with on a CPU, in the precision of the parameter or in BF16 beside float32, by code that PyTorch
    runs as it stands."""
    kinds = x_NCHW.dtype, parameter.dtype
    known = kinds in ((torch.float32,) * 2, (torch.float64,) * 2, (torch.bfloat16, torch.float32))
    on_cpu = x_NCHW.device.type == "cpu" and x_NCHW.ndim == 4
    return known and on_cpu and torch.is_grad_enabled() and not torch.compiler.is_compiling()
