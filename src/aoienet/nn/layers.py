"""The layers that AOIE-Net is made of. Shapes are NCHW; sources in each docstring."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aoienet import quant


class DualPlanes(nn.Module):
    """DBN-IEB and the input half of ABA-IO: two batch norms, two binary planes, their sum.

    The batch norm biases start at +spread and -spread. With equal starts both branches get the same gradients for ever
    and the second plane stays a copy of the first.
    Source: AOIE-Net section 3.1-3.2; merge and symmetry: design note A2.
    """

    def __init__(self, channels: int, act_q: str, surrogate: str, spread: float):
        super().__init__()
        self.bn = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(2))
        self.act = nn.ModuleList(quant.find("act", act_q)(surrogate) for _ in range(2))
        nn.init.constant_(self.bn[0].bias, spread)
        nn.init.constant_(self.bn[1].bias, -spread)

    def planes(self, x_NCHW: Tensor) -> list[Tensor]:
        return [act(bn(x_NCHW)) for bn, act in zip(self.bn, self.act, strict=True)]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        first, second = self.planes(x_NCHW)
        return first + second

    @torch.no_grad()
    def distance(self) -> float:
        """Share of bits in which the planes differ if the normalised input is Gaussian, from the thresholds alone."""
        tau = [(act.beta - bn.bias) / bn.weight for bn, act in zip(self.bn, self.act, strict=True)]
        between = (torch.special.ndtr(tau[0]) - torch.special.ndtr(tau[1])).abs()
        same = (self.bn[0].weight * self.bn[1].weight) > 0
        return float(torch.where(same, between, 1 - between).mean())


class SinglePlane(nn.Module):
    """One binary plane of the input itself (FracBNN at one bit, AdaBin)."""

    def __init__(self, channels: int, act_q: str, surrogate: str, spread: float):
        super().__init__()
        self.act = nn.ModuleList([quant.find("act", act_q)(surrogate)])

    def planes(self, x_NCHW: Tensor) -> list[Tensor]:
        return [self.act[0](x_NCHW)]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.act[0](x_NCHW)


PLANES: dict[str, type[nn.Module]] = {"dual_bn": DualPlanes, "none": SinglePlane}


class BinaryConv2d(nn.Module):
    """Convolution with binarized weights; zero padding after quantization. Kernel 1 or 3, padding kernel // 2."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, weight_q: str):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel, kernel))
        nn.init.kaiming_normal_(self.weight, mode="fan_out")
        self.weight_q = quant.find("weight", weight_q)()
        self.kernel, self.stride = kernel, stride

    def forward(self, z_NCHW: Tensor) -> Tensor:
        return F.conv2d(z_NCHW, self.weight_q(self.weight), stride=self.stride, padding=self.kernel // 2)


class Int16Conv2d(nn.Conv2d):
    """Convolution whose weights are rounded to 16-bit integers per output channel (straight-through gradient).

    The runtime multiplies int8 pixels with these integers, so the trained stem and the packed one are the same numbers.
    """

    def integer_weight(self) -> tuple[Tensor, Tensor]:
        """(integers [O,I,k,k], step [O,1,1,1]), both float64; weight ~ step * integer, |integer| <= 32767."""
        weight = self.weight.detach().double()
        step = weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-30) / 32767
        return torch.round(weight / step), step

    def forward(self, input: Tensor) -> Tensor:
        integers, step = self.integer_weight()
        weight = self.weight + ((integers * step).to(self.weight.dtype) - self.weight).detach()
        return F.conv2d(input, weight, None, self.stride, self.padding)


class Maxout(nn.Module):
    """Two slopes per channel: pos * v for v > 0, neg * v otherwise (AdaBin, eq. 12 and code; starts at 1 and 0.25)."""

    def __init__(self, channels: int):
        super().__init__()
        self.pos = nn.Parameter(torch.ones(channels))
        self.neg = nn.Parameter(torch.full((channels,), 0.25))

    def forward(self, v_NCHW: Tensor) -> Tensor:
        positive = v_NCHW.clamp(min=0)
        return (self.pos - self.neg).view(1, -1, 1, 1) * positive + self.neg.view(1, -1, 1, 1) * v_NCHW


class RPReLU(nn.Module):
    """Shift, PReLU, shift, per channel (ReActNet, Liu 2020, eq. 5)."""

    def __init__(self, channels: int):
        super().__init__()
        self.before = nn.Parameter(torch.zeros(channels))
        self.prelu = nn.PReLU(channels)
        self.after = nn.Parameter(torch.zeros(channels))

    def forward(self, v_NCHW: Tensor) -> Tensor:
        return self.prelu(v_NCHW - self.before.view(-1, 1, 1)) + self.after.view(-1, 1, 1)


ACTIVATIONS: dict[str, type[nn.Module]] = {"maxout": Maxout, "rprelu": RPReLU, "prelu": nn.PReLU}


def activation(kind: str, channels: int) -> nn.Module:
    """The activation layer of that name; "none" is the identity."""
    return nn.Identity() if kind == "none" else ACTIVATIONS[kind](channels)


class Shortcut(nn.Module):
    """Identity, 2x2 average pooling at stride 2, then the channels twice or a float 1x1 convolution (design note A3)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, kind: str):
        super().__init__()
        # ceil_mode: at odd sizes the 3x3 stride-2 convolution gives ceil(H / 2) positions
        pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        self.pool: nn.Module = pool if stride == 2 else nn.Identity()
        self.twice = False
        self.conv: nn.Conv2d | None = None
        self.bn: nn.BatchNorm2d | None = None
        if kind == "avgpool_dup":
            self.twice = out_channels == 2 * in_channels
            if not self.twice and out_channels != in_channels:
                raise ValueError(
                    f"avgpool_dup keeps or doubles the channels; received {in_channels} -> {out_channels}."
                )
        elif stride == 2 or out_channels != in_channels:
            self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
            self.bn = nn.BatchNorm2d(out_channels) if kind == "avgpool_conv1x1_bn" else None

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x = self.pool(x_NCHW)
        if self.conv is not None:
            x = self.conv(x)
            return x if self.bn is None else self.bn(x)
        return torch.cat((x, x), dim=1) if self.twice else x


def thermometer(u8_NCHW: Tensor) -> Tensor:
    """32 planes per colour: plane k is +1 if k < round(u / 8) (half up), else -1; u in 0..255 (FracBNN, section 3.2)."""
    level = torch.floor((u8_NCHW + 4) / 8)
    steps = torch.arange(32, device=u8_NCHW.device, dtype=u8_NCHW.dtype).view(1, 1, 32, 1, 1)
    planes = torch.where(steps < level.unsqueeze(2), 1.0, -1.0)
    return planes.flatten(1, 2).to(u8_NCHW.dtype)
