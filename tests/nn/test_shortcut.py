"""Shortcuts: sizes, values, packing."""

import pytest
import torch
from tests.packing import exercise, tiny, verified

from aoienet.deploy.export import NotExportable, graph_of
from aoienet.nn.cell import Cell
from aoienet.nn.conv import BinaryConv2d
from aoienet.nn.shortcut.avgpool_dup import AvgPoolDup
from aoienet.nn.shortcut.avgpool_dup_4bit import Levels16
from aoienet.nn.shortcut.avgpool_pad import AvgPoolPad
from aoienet.nn.shortcut.binary_conv1x1_bn import BinaryConv1x1BN
from aoienet.nn.shortcut.pad import Pad
from aoienet.parts import find, known

X = torch.arange(50.0).view(1, 2, 5, 5)
PACKED = sorted(known("nn.shortcut").keys() - {"avgpool_dup_4bit"})


@pytest.mark.parametrize("name", sorted(known("nn.shortcut")))
def test_shortcuts_at_an_odd_size_have_the_size_of_the_convolution(name):
    assert find("nn.shortcut", name)(2, 4, 2, Cell())(X).shape == (1, 4, 3, 3)
    assert find("nn.shortcut", name)(2, 2, 1, Cell())(X).shape == X.shape


def test_the_last_corner_of_a_pooled_odd_map_is_the_mean_of_one_value():
    assert AvgPoolDup(2, 4, 2, Cell())(X)[0, 0, 2, 2] == 24.0


def test_option_a_takes_every_second_position_between_zero_channels():
    out = Pad(2, 4, 2, Cell())(X)
    assert not out[:, [0, 3]].any() and torch.equal(out[:, 1:3], X[:, :, ::2, ::2])
    pooled = AvgPoolPad(2, 4, 2, Cell())(X)
    assert not pooled[:, [0, 3]].any() and pooled[0, 1, 0, 0] == X[0, 0, :2, :2].mean()


@pytest.mark.parametrize("kind", [AvgPoolDup, Pad])
def test_a_width_that_a_shortcut_cannot_make_is_refused(kind):
    with pytest.raises(ValueError, match="received 4 -> 11"):
        kind(4, 11, 1, Cell())


def test_the_binary_shortcut_has_the_cells_weights_and_one_quantizer():
    layer = BinaryConv1x1BN(2, 4, 2, Cell(act_q="rsign", multi="dual_bias", weight_q="sign")).layer
    assert isinstance(layer.conv, BinaryConv2d) and layer.conv.kernel == (1, 1)
    assert layer.planes.name == "single"
    assert isinstance(BinaryConv1x1BN(4, 4, 1, Cell()).layer, torch.nn.Identity)


def test_sixteen_levels_between_minus_one_and_one():
    x = torch.linspace(-1.2, 1.2, 1001, requires_grad=True)
    q = Levels16.apply(x)
    assert len(q.unique()) == 16 and q.min() == -1 and float(q.detach().max()) == pytest.approx(1)
    q.sum().backward()
    assert torch.equal(x.grad, (x.abs() < 1).float())


@pytest.mark.parametrize("name", PACKED)
def test_shortcuts_are_packed_bit_for_bit(name, tmp_path):
    result = verified(exercise(tiny(Cell(shortcut=name))), tmp_path)
    assert result.passed, result.first_difference


def test_the_four_bit_shortcut_is_refused_with_the_reason():
    with pytest.raises(NotExportable, match="rounding op"):
        graph_of(tiny(Cell(shortcut="avgpool_dup_4bit")))
