"""The stem is integer, the thermometer counts eighths, a cell knows the size of its map."""

import torch

from aoienet.models.spec import after
from aoienet.nn.cell import Cell
from aoienet.nn.conv import BinaryConv2d, Int8Conv2d, thermometer


def test_stem_weights_are_integers_times_a_step():
    torch.manual_seed(0)
    conv = Int8Conv2d(1, 4, 7, 4, 3, bias=False)
    integers, step = conv.integer_weight()
    assert torch.equal(integers, integers.round()) and integers.abs().max() == 127
    x = torch.randint(-127, 128, (1, 1, 16, 16)).float()
    expected = torch.nn.functional.conv2d(x.double(), integers * step, stride=4, padding=3)
    assert torch.allclose(conv(x).double(), expected, rtol=1e-4, atol=1e-3)


def test_thermometer_counts_eighths_half_up():
    planes = thermometer(torch.tensor([0.0, 3.0, 4.0, 12.0, 255.0]).view(1, 1, 1, 5))
    assert ((planes + 1) / 2).sum(dim=1).flatten().tolist() == [0, 0, 1, 2, 32]


def test_sizes_of_maps_are_those_of_the_convolutions():
    for side in (7, 8, 9):
        for kernel, stride in ((3, 2), (1, 2), (3, 1)):
            y = BinaryConv2d(1, 1, kernel, stride, "sign")(torch.zeros(1, 1, side, side))
            assert tuple(y.shape[2:]) == after((side, side), ((kernel, stride),))
            assert Cell(map_hw=(side, side)).after(stride).map_hw == tuple(y.shape[2:])
