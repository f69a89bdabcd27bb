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


class Rows:
    """Maps of one shape and memory format as matrices; a constant per channel is one row of them.

    channels_last: N H x W C; contiguous: N x C H W
    """

    def __init__(self, x_NCHW: Tensor):
        self.format = memory_format(x_NCHW)
        self.samples, self.channels, self.height, self.width = x_NCHW.shape
        self.last = self.format == torch.channels_last

    def matrix(self, x_NCHW: Tensor) -> Tensor:
        """A view where x has this memory format, otherwise of a copy that has it."""
        x = x_NCHW.contiguous(memory_format=self.format)
        if self.last:
            return x.permute(0, 2, 3, 1).view(self.samples * self.height, self.width * self.channels)
        return x.view(self.samples, self.channels * self.height * self.width)

    def tile(self, c_C: Tensor) -> Tensor:
        """A constant per channel as one row."""
        return c_C.repeat(self.width) if self.last else c_C.repeat_interleave(self.height * self.width)

    def fold(self, row: Tensor) -> Tensor:
        """A row summed to one value per channel."""
        if self.last:
            return row.view(self.width, self.channels).sum(0)
        return row.view(self.channels, self.height * self.width).sum(1)

    def pieces(self, matrix: Tensor) -> Iterator[slice]:
        """Slices of rows of about PIECE values."""
        yield from pieces(len(matrix), matrix.shape[1] if len(matrix) else 1)


def pieces(rows: int, width: int = 1) -> Iterator[slice]:
    step = max(1, PIECE // max(1, width))
    for first in range(0, rows, step):
        yield slice(first, min(first + step, rows))


def dense(x: Tensor, format: torch.memory_format) -> Tensor:
    """All values as one row, in the order of that memory format."""
    x = x.contiguous(memory_format=format)
    return (x.permute(0, 2, 3, 1) if format == torch.channels_last else x).reshape(-1)
