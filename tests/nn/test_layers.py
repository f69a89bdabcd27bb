"""The branches must part, Maxout has two slopes, the stem is integer, odd sizes fit."""

import pytest
import torch

from aoienet.nn.layers import DualPlanes, Int16Conv2d, Maxout, RPReLU, Shortcut, thermometer


def train_branches(spread: float) -> DualPlanes:
    torch.manual_seed(0)
    planes = DualPlanes(4, "affine", "approx", spread)
    mix = torch.nn.Conv2d(4, 2, 1)
    x = torch.randn(64, 4, 4, 4)
    target = x[:, :2] * 0.7 + x[:, 2:].abs()
    optimiser = torch.optim.Adam([*planes.parameters(), *mix.parameters()], lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        (mix(planes(x)) - target).square().mean().backward()
        optimiser.step()
    return planes


def test_branches_that_start_apart_stay_apart():
    planes = train_branches(0.5)
    assert planes.distance() > 0.15
    assert (planes.bn[0].bias - planes.bn[1].bias).abs().mean() > 0.5


def test_branches_that_start_alike_never_part():
    planes = train_branches(0.0)
    assert planes.distance() == 0.0
    assert torch.equal(planes.bn[0].weight, planes.bn[1].weight)


def test_distance_is_the_share_of_differing_bits():
    torch.manual_seed(0)
    planes = DualPlanes(8, "affine", "approx", 0.5)
    with torch.no_grad():
        planes.bn[1].weight[:4].neg_()
    first, second = planes.planes(torch.randn(32, 8, 32, 32))
    assert planes.distance() == pytest.approx((first != second).float().mean().item(), abs=0.01)


def test_maxout_has_two_slopes():
    v = torch.tensor([-2.0, 0.0, 3.0]).view(1, 1, 1, 3)
    assert Maxout(1)(v).flatten().tolist() == [-0.5, 0.0, 3.0]


def test_rprelu_shifts_before_and_after():
    act = RPReLU(1)
    with torch.no_grad():
        act.before.fill_(1.0)
        act.after.fill_(0.5)
    assert act(torch.tensor([[[[0.0, 3.0]]]])).flatten().tolist() == pytest.approx([0.25, 2.5])


def test_stem_weights_are_integers_times_a_step():
    torch.manual_seed(0)
    conv = Int16Conv2d(1, 4, 7, 4, 3, bias=False)
    integers, step = conv.integer_weight()
    assert torch.equal(integers, integers.round()) and integers.abs().max() == 32767
    x = torch.randint(-127, 128, (1, 1, 16, 16)).float()
    expected = torch.nn.functional.conv2d(x.double(), integers * step, stride=4, padding=3)
    assert torch.allclose(conv(x).double(), expected, rtol=1e-4, atol=1e-3)


def test_thermometer_counts_eighths_half_up():
    planes = thermometer(torch.tensor([0.0, 3.0, 4.0, 12.0, 255.0]).view(1, 1, 1, 5))
    assert ((planes + 1) / 2).sum(dim=1).flatten().tolist() == [0, 0, 1, 2, 32]


def test_shortcut_at_an_odd_size_has_the_size_of_the_convolution():
    out = Shortcut(2, 4, 2, "avgpool_dup")(torch.arange(50.0).view(1, 2, 5, 5))
    assert out.shape == (1, 4, 3, 3)
    assert out[0, 0, 2, 2] == 24.0  # the last corner is the mean of one value


def test_shortcut_refuses_a_width_it_cannot_make():
    with pytest.raises(ValueError, match="received 4 -> 12"):
        Shortcut(4, 12, 1, "avgpool_dup")
