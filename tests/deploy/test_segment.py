"""The exported U-Net gives PyTorch's numbers, and says how it is run."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aoienet.deploy import segment  # noqa: E402
from aoienet.models.segment import LightUNet  # noqa: E402
from aoienet.models.segment.light import TwoScales, transformed  # noqa: E402
from aoienet.segment import load, picture  # noqa: E402


@pytest.fixture(scope="module", params=[(1, None), (3, None), (1, 0.5)], ids=["grey", "colour", "two scales"])
def pair(request, tmp_path_factory):
    """A network with random statistics, which sees half its size too or not, and its file."""
    torch.manual_seed(0)
    channels, wide_shift = request.param
    net = LightUNet(channels)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
            torch.nn.init.normal_(module.bias)
            module.momentum = 1.0
    x = torch.from_numpy(transformed(image(3, 256, 256).transpose(2, 0, 1))[None, :channels])
    odds = net.train()(x)
    with torch.no_grad():  # answers of all sizes
        net.head.weight.mul_(2 / odds.std())
        net.head.bias.copy_((net.head.bias - odds.mean()) * 2 / odds.std())
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    segment.export(net.eval(), path, "light", 0.4, wide_shift)
    return net if wide_shift is None else TwoScales(net, wide_shift).eval(), load(path)


def image(channels: int, height: int, width: int) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


def in_pytorch(net: LightUNet | TwoScales, pixels: np.ndarray) -> np.ndarray:
    """Without the halo, in float64: how float32 rounds differs from processor to processor."""
    x = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    with torch.no_grad():
        said = deepcopy(net).double()(torch.from_numpy(transformed(x)[None]).double()).sigmoid()[0, 0].numpy()
    edge = net.halo_px - (len(pixels) - len(said)) // 2
    return said[edge : len(said) - edge, edge : said.shape[1] - edge]


def test_the_file_says_how_it_is_run(pair):
    net, segmenter = pair
    assert (segmenter.name, segmenter.threshold, segmenter.channels) == ("light", 0.4, net.in_channels)
    assert (segmenter.halo_px, segmenter.align_px, segmenter.side_px) == (net.halo_px, net.align_px, 0)


@pytest.mark.parametrize("size", [(352, 384), (416, 448)])
def test_onnx_runtime_agrees_with_pytorch(pair, size):
    net, segmenter = pair
    pixels = image(net.in_channels, *size)
    expected = in_pytorch(net, pixels)
    assert expected.std() > 0.1
    np.testing.assert_allclose(segmenter(pixels), expected, atol=1e-4)


def test_tiles_agree_with_one_run_in_pytorch(pair):
    net, segmenter = pair
    pixels = image(net.in_channels, 250, 333)
    halo = net.halo_px
    more = [(halo, halo + -n % net.align_px) for n in pixels.shape[:2]]
    wide = np.pad(pixels, more + [(0, 0)] * (pixels.ndim - 2), mode="symmetric")
    expected = in_pytorch(net, wide)[:250, :333]
    np.testing.assert_allclose(picture(segmenter, pixels, tile_px=128), expected, atol=1e-4)
