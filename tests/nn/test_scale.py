"""Factors on a convolution's result."""

import pytest
import torch
from tests.packing import exercise, tiny, verified

from aoienet.deploy.export import NotExportable, graph_of
from aoienet.nn.cell import Cell
from aoienet.nn.conv import BinaryConv2d
from aoienet.nn.scale.kmap import KMap
from aoienet.nn.scale.learned import LearnedScale
from aoienet.nn.scale.rank1 import Rank1Scale
from aoienet.nn.scale.se import SqueezeExcite

CONV = BinaryConv2d(16, 4, 3, 2, "sign")


def test_learned_scale_starts_at_the_mean_magnitude_of_the_filter():
    scale = LearnedScale(CONV, (3, 3))
    y = scale(torch.ones(1, 4, 3, 3), torch.ones(1))
    assert torch.allclose(y[0, :, 1, 1], CONV.weight.abs().mean(dim=(1, 2, 3)))


def test_rank1_is_a_product_of_channel_row_and_column():
    scale = Rank1Scale(CONV, (2, 3))
    with torch.no_grad():
        scale.rows.copy_(torch.tensor([1.0, 2.0]))
        scale.columns.copy_(torch.tensor([1.0, 10.0, 100.0]))
    y = scale(torch.ones(1, 4, 2, 3), torch.ones(1)) / scale.factor.view(1, -1, 1, 1)
    assert torch.allclose(y[0, 0], torch.tensor([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]]))


def test_rank1_refuses_a_map_of_unknown_size():
    with pytest.raises(ValueError, match=r"received \(0, 0\)"):
        Rank1Scale(CONV, (0, 0))


def test_rank1_learns_the_size_of_every_map_from_the_builder():
    net = tiny(Cell(scale="rank1"), hw=(9, 11))
    sizes = [tuple(unit.layers[0].scale.rows.shape + unit.layers[0].scale.columns.shape) for unit in net.units]
    assert sizes == [(9, 11), (5, 6)]


def test_kmap_is_the_mean_magnitude_under_the_window():
    x = torch.randn(1, 16, 5, 5)
    k = KMap(CONV, (3, 3))(torch.ones(1, 4, 3, 3), x)
    assert torch.allclose(k[0, 0, 1, 1], x[0, :, 1:4, 1:4].abs().mean())
    assert torch.allclose(k[0, 3, 0, 0], x[0, :, :2, :2].abs().mean(dim=0).sum() / 9)


def test_squeeze_and_excitation_starts_between_0_and_1_per_picture_and_channel():
    torch.manual_seed(0)
    y = SqueezeExcite(CONV, (3, 3))(torch.ones(2, 4, 3, 3), torch.randn(2, 16, 6, 6) + 3)
    assert (y > 0).all() and (y < 1).all()
    assert torch.equal(y, y[:, :, :1, :1].expand_as(y)) and not torch.equal(y[0], y[1])


@pytest.mark.parametrize("scale", ["none", "learned", "bias", "rank1", "se"])
def test_scales_are_packed_bit_for_bit(scale, tmp_path):
    result = verified(exercise(tiny(Cell(scale=scale, pre_bn=True))), tmp_path)
    assert result.passed, result.first_difference


def test_kmap_is_refused_with_the_reason():
    with pytest.raises(NotExportable, match="magnitudes of the real input"):
        graph_of(tiny(Cell(scale="kmap")))
