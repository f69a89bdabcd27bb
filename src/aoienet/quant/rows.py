"""Large maps in pieces that stay in the processor's cache: many cheap passes over a piece cost less than two over a map.

Comparisons write 0.0 and 1.0 into floats in place: on a CPU turning a Boolean map into floats costs as much as ten products.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

PIECE = 1 << 17  # values; half a megabyte of float32


def memory_format(x: Tensor) -> torch.memory_format:
    """channels_last where x is kept so and not also contiguous."""
    last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def pieces(values: int) -> Iterator[slice]:
    """Slices of PIECE values, the last one shorter."""
    for first in range(0, values, PIECE):
        yield slice(first, min(first + PIECE, values))


def dense(x: Tensor, format: torch.memory_format) -> Tensor:
    """All values as one row, in the order of that memory format."""
    x = x.contiguous(memory_format=format)
    return (x.permute(0, 2, 3, 1) if format == torch.channels_last else x).reshape(-1)
