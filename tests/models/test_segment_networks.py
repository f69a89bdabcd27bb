"""The light U-Net: small, local, and the same wherever a tile begins."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aoienet.models.segment import LightUNet  # noqa: E402
from aoienet.models.segment.light import Inside, TwoScales, transformed  # noqa: E402


@pytest.fixture(scope="module")
def net():
    """Random weights with lively deep levels, in double precision."""
    torch.manual_seed(3)
    made = LightUNet(1).double()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
            torch.nn.init.normal_(module.bias)
    made.train()(torch.randn(2, 1, 256, 256).double())
    return made.eval()


def test_size(net):
    assert sum(p.numel() for p in net.parameters()) <= 300_000
    assert (net.align_px, net.halo_px) == (16, 80)


def test_no_pixel_further_away_than_the_halo_matters(net):
    """Of an aligned square: the corners reach furthest."""
    align, side = net.align_px, 2 * net.halo_px + 4 * net.align_px
    x = torch.randn(1, 1, side, side).double().requires_grad_()
    y = net(x)
    first = side // 2 // align * align
    furthest = 0
    for place in (first, first + align - 1):
        (gradient,) = torch.autograd.grad(y[0, 0, place, place], x, retain_graph=True)
        lines = np.concatenate(np.nonzero(gradient[0, 0].numpy()))
        furthest = max(furthest, first - lines.min(), lines.max() - (first + align - 1))
    assert net.halo_px - align < furthest <= net.halo_px


def test_inside_is_the_answer_without_the_halo(net):
    h = net.halo_px
    x = torch.randn(1, 1, 2 * h + 48, 2 * h + 16).double()
    with torch.no_grad():
        torch.testing.assert_close(Inside(net)(x), net(x)[:, :, h:-h, h:-h], rtol=0, atol=1e-12)


def test_inside_computes_nothing_that_the_answer_does_not_feel(net):
    """A position at the edge of any map on the way down changes the answer."""
    made = Inside(net)
    h = made.halo_px
    x = torch.randn(1, 1, 2 * h + 32, 2 * h + 32).double().requires_grad_()
    maps = []
    for step in (made.net.stem, *made.net.down):
        step.register_forward_hook(lambda _, __, out: maps.append(out))
    y = made(x)
    assert [len(m[0, 0]) for m in maps] == [163, 79, 35, 13, 4]
    for m in maps:
        (gradient,) = torch.autograd.grad(y.square().sum(), m, retain_graph=True)
        felt = gradient.abs().sum((0, 1)).numpy() > 0
        assert felt[0].any() and felt[-1].any() and felt[:, 0].any() and felt[:, -1].any()


def test_two_scales_say_the_larger_of_the_picture_and_of_its_half(net):
    shift = 0.01
    made = TwoScales(net, shift).eval()
    h = made.halo_px
    assert (made.align_px, h) == (2 * net.align_px, 2 * net.halo_px)
    x = torch.randn(1, 1, 2 * h + 64, 2 * h + 32).double()
    with torch.no_grad():
        fine, said = net(x)[0, 0, h:-h, h:-h], made(x)[0, 0]
        half = net(x.reshape(1, 1, h + 32, 2, h + 16, 2).mean((3, 5)))[0, 0, h // 2 : -h // 2, h // 2 : -h // 2]
    place = (np.arange(32) + 0.5) / 2 - 0.5  # of a pixel among those of the half, in a square of 32 px
    share = np.maximum(0, 1 - np.abs(np.clip(place, 0, 15)[:, None] - np.arange(16)))
    wide = np.concatenate([share @ square @ share.T for square in np.split(half.numpy(), 2)])
    np.testing.assert_allclose(said, np.maximum(fine.numpy(), wide - shift), rtol=0, atol=1e-12)
    assert 0.05 < (wide - shift > fine.numpy()).mean() < 0.95  # both speak


def test_two_scales_know_nothing_beyond_the_halo(net):
    made = TwoScales(net, 0.01).eval()
    x = torch.randn(1, 1, 480, 512).double()
    a, h = made.align_px, made.halo_px
    with torch.no_grad():
        whole = made(x)
        part = made(x[:, :, a : a + 2 * h + a, 3 * a : 3 * a + 2 * h + 2 * a])
    torch.testing.assert_close(part, whole[:, :, a : 2 * a, 3 * a : 5 * a], rtol=0, atol=1e-12)


def test_moved_by_a_multiple_of_the_alignment(net):
    x = torch.randn(1, 1, 320, 320).double()
    a = net.align_px
    h = net.halo_px
    with torch.no_grad():
        whole, moved = net(x), net(x[:, :, a:, 3 * a :])
    inside = np.s_[:, :, h:-h, h:-h]
    torch.testing.assert_close(whole[:, :, a:, 3 * a :][inside], moved[inside])


def test_colour(net):
    assert LightUNet(3).eval()(torch.zeros(1, 3, 32, 48)).shape == (1, 1, 32, 48)


def test_transform():
    pixels = np.array([[[0, 128, 192]]], np.uint8)
    assert transformed(pixels).tolist() == [[[-2.0, 0.0, 1.0]]]
