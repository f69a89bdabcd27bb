"""Stems: from pixels to the first real-valued map."""

from torch import Tensor, nn

from aoienet.models.spec import Stem
from aoienet.nn.conv import BinaryConv2d, Int8Conv2d, thermometer
from aoienet.nn.graph import Graph, Value
from aoienet.nn.layer import activation


class ThermometerStem(nn.Module):
    """Thermometer code, binary convolution with plain signs, batch norm. Input: pixels 0..255. Source: FracBNN, section 3.2."""

    def __init__(self, spec: Stem, in_channels: int):
        super().__init__()
        (conv,) = spec.convs
        self.conv = BinaryConv2d(32 * in_channels, conv.out, conv.kernel, conv.stride, "sign")
        self.bn = nn.BatchNorm2d(conv.out)
        self.act = activation(spec.act, conv.out)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if spec.maxpool else nn.Identity()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.maxpool(self.act(self.bn(self.conv(thermometer(x_NCHW)))))

    def emit(self, g: Graph, x: Value) -> Value:
        y = g.conv_bits(g.thermometer(x), self.conv)
        return g.part(self.maxpool, g.part(self.act, g.part(self.bn, y)))


class ConvStem(nn.Module):
    """Real convolutions, each with batch norm, ReLU between them; the first one has integer weights.

    Input: the transformed image, integers in -128..127 as floats (docs/format.md, Input).
    """

    def __init__(self, spec: Stem, in_channels: int):
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for i, conv in enumerate(spec.convs):
            layers += [activation("relu", channels)] if i else []
            kind = nn.Conv2d if i else Int8Conv2d
            side = conv.kernel
            layers += [kind(channels, conv.out, side, conv.stride, side // 2, groups=conv.groups, bias=False)]
            layers += [nn.BatchNorm2d(conv.out)]
            channels = conv.out
        self.layers = nn.Sequential(*layers)
        self.act = activation(spec.act, channels)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if spec.maxpool else nn.Identity()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.maxpool(self.act(self.layers(x_NCHW)))

    def emit(self, g: Graph, x: Value) -> Value:
        return g.part(self.maxpool, g.part(self.act, g.part(self.layers, x)))


STEMS: dict[str, type[nn.Module]] = {"thermometer": ThermometerStem, "conv": ConvStem}
