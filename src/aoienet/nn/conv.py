"""Convolutions: binary weights, and the integer stem."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aoienet import parts

Kernel = int | tuple[int, int]


class BinaryConv2d(nn.Module):
    """Convolution with binarized weights; padding after quantization, with `pad`. Kernel sides 1 or 3, padding side // 2.

    Shapes    z_NCHW float32 -> y_NCHW float32; weight w_OIHW (latent, real)
    real      the latent weights take part as they are: the first step of two-step training, set by the loop
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Kernel, stride: int, weight_q: str, pad: float = 0.0
    ):
        super().__init__()
        self.kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.stride, self.pad, self.real = stride, pad, False
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *self.kernel))
        nn.init.kaiming_normal_(self.weight, mode="fan_out")
        self.weight_q = parts.find("quant.weight", weight_q)(tuple(self.weight.shape))

    @property
    def padding(self) -> tuple[int, int]:
        return self.kernel[0] // 2, self.kernel[1] // 2

    def forward(self, z_NCHW: Tensor) -> Tensor:
        weight = self.weight if self.real else self.weight_q(self.weight)
        if self.pad == 0:
            return F.conv2d(z_NCHW, weight, stride=self.stride, padding=self.padding)
        rows, columns = self.padding
        z = F.pad(z_NCHW, (columns, columns, rows, rows), value=self.pad)
        return F.conv2d(z, weight, stride=self.stride)


class Int8Conv2d(nn.Conv2d):
    """Convolution whose weights are rounded to 8-bit integers per output channel (straight-through gradient).

    The runtime multiplies int8 pixels with these integers, so the trained stem and the packed one are the same numbers.
    Runs that were trained with 16 bits are read with 8: 7,166 of 7,200 test decisions right for 7,165
    (docs/results/2026-11-27-runtime.md).
    """

    def integer_weight(self) -> tuple[Tensor, Tensor]:
        """(integers [O,I,k,k], step [O,1,1,1]), both float64; weight ~ step * integer, |integer| <= 127."""
        weight = self.weight.detach().double()
        step = weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-30) / 127
        return torch.round(weight / step), step

    def forward(self, input: Tensor) -> Tensor:
        integers, step = self.integer_weight()
        weight = self.weight + ((integers * step).to(self.weight.dtype) - self.weight).detach()
        return F.conv2d(input, weight, None, self.stride, self.padding)


def thermometer(u8_NCHW: Tensor) -> Tensor:
    """32 planes per colour: plane k is +1 if k < round(u / 8) (half up), else -1; u in 0..255 (FracBNN, section 3.2).

    A row of 32 codes is looked up per value: the result is written once, channels last.
    """
    level = torch.floor((u8_NCHW + 4) / 8).clamp(0, 32).long().permute(0, 2, 3, 1)
    kind = u8_NCHW.device.type
    half = kind != "meta" and torch.is_autocast_enabled(kind)
    dtype = torch.get_autocast_dtype(kind) if half else u8_NCHW.dtype  # of the convolution
    steps = torch.arange(32, device=u8_NCHW.device)
    codes = torch.where(steps < torch.arange(33, device=u8_NCHW.device)[:, None], 1.0, -1.0).to(dtype)
    return F.embedding(level, codes).flatten(3).permute(0, 3, 1, 2)
