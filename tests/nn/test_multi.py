"""How planes are made and merged: branches must part, gates switch, every way is packed as it is computed or says no."""

import copy

import pytest
import torch
from tests.packing import exercise, tiny, verified

from aoienet.deploy.export import NotExportable, graph_of
from aoienet.nn import normed
from aoienet.nn.cell import Cell
from aoienet.nn.conv import BinaryConv2d
from aoienet.nn.multi import collapsed, dual_bn
from aoienet.nn.multi.collapsed import Collapsed
from aoienet.nn.multi.dual_bias import DualBias
from aoienet.nn.multi.dual_bn import DualBN
from aoienet.nn.multi.dual_bn_tied import DualBNTied
from aoienet.nn.multi.gated import Gated
from aoienet.nn.multi.product import Product
from aoienet.nn.multi.split import Split
from aoienet.parts import known

AFFINE = Cell(act_q="affine")


def trained(planes: torch.nn.Module, steps: int = 60) -> torch.nn.Module:
    """Adam on a small task; `planes` and one real convolution behind it."""
    torch.manual_seed(0)
    mix = torch.nn.Conv2d(4, 2, 1)
    x = torch.randn(64, 4, 4, 4)
    target = x[:, :2] * 0.7 + x[:, 2:].abs()
    optimizer = torch.optim.Adam([*planes.parameters(), *mix.parameters()], lr=1e-2, eps=1e-30)
    for _ in range(steps):
        optimizer.zero_grad()
        (planes(x, mix) - target).square().mean().backward()
        optimizer.step()
    return planes


def test_branches_that_start_apart_stay_apart():
    planes = trained(DualBN(4, 2, Cell(act_q="affine", spread=0.5)))
    assert planes.distance() > 0.15
    assert (planes.bn[0].bias - planes.bn[1].bias).abs().mean() > 0.5


def test_branches_that_start_alike_never_part():
    planes = trained(DualBN(4, 2, Cell(act_q="affine", spread=0.0)))
    assert planes.distance() == 0.0
    assert torch.equal(planes.bn[0].weight, planes.bn[1].weight)


def test_tied_planes_keep_one_half_distance_and_two_thresholds():
    planes = trained(DualBNTied(4, 2, Cell(act_q="affine", spread=0.5)))
    first, second = (act.levels() for act in planes.act)
    assert first.steps == second.steps != (2.0,)
    assert first.thresholds[0] != second.thresholds[0] and planes.distance() > 0.15


def test_distance_is_the_share_of_differing_bits():
    torch.manual_seed(0)
    planes = DualBN(8, 2, AFFINE)
    with torch.no_grad():
        planes.bn[1].weight[:4].neg_()
    first, second = planes.planes(torch.randn(32, 8, 32, 32))
    assert planes.distance() == pytest.approx((first != second).float().mean().item(), abs=0.01)


def test_collapsed_walks_the_path_of_two_equal_branches():
    conv = torch.nn.Conv2d(4, 2, 3, padding=1, bias=False)
    x = torch.randn(8, 4, 6, 6)
    two, one = DualBN(4, 2, Cell(act_q="affine", spread=0.0)), Collapsed(4, 2, AFFINE)
    assert torch.allclose(two(x, conv), one(x, conv), atol=1e-5)
    for planes in (two, one):
        planes(x, conv).square().sum().backward()
    both = two.bn[0].bias.grad + two.bn[1].bias.grad
    assert torch.allclose(both, one.bn.bias.grad, rtol=1e-4, atol=1e-4)


def states_and_gradients(planes: torch.nn.Module, x: torch.Tensor, grad: torch.Tensor) -> list[torch.Tensor]:
    """Value, gradients of x and of every parameter, running statistics, after two training steps."""
    found = []
    for _ in range(2):
        x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
        planes.zero_grad()
        q = planes(x, torch.nn.Identity())
        q.backward(grad)
        found += [q.detach(), x.grad, *(p.grad.clone() for p in planes.parameters())]
    return found + [b.clone() for b in planes.buffers()]


FORMATS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("kind", [DualBN, Collapsed, Split])
@pytest.mark.parametrize("surrogate", ["approx", "clip:1.3", "ede"])
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("momentum", [0.1, None])
def test_the_fused_function_is_the_modules_one_by_one(kind, surrogate, format, momentum, monkeypatch):
    torch.manual_seed(1)
    fused = kind(6, 2, Cell(act_q="affine", surrogate=surrogate)).double()
    with torch.no_grad():
        for p in fused.parameters():
            p.add_(0.3 * torch.rand_like(p))
    for module in fused.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = momentum
            with torch.no_grad():
                module.weight[:2].neg_()
                module.weight[2] = 0.0
        if hasattr(module, "progress"):
            module.progress = 0.6
    plain = copy.deepcopy(fused)
    x = (2 * torch.randn(9, 6, 7, 5, dtype=torch.float64) + 1).contiguous(memory_format=format)
    grad = torch.randn(9, 6, 7, 5, dtype=torch.float64)
    received = states_and_gradients(fused, x, grad)
    calls = []
    monkeypatch.setattr(dual_bn, "can_fuse", lambda *args: calls.append(args) and False)
    monkeypatch.setattr(collapsed, "can_fuse", lambda *args: calls.append(args) and False)
    expected = states_and_gradients(plain, x, grad)
    assert len(calls) == 2
    for a, b in zip(received, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_what_is_not_plain_batch_norm_and_affine_is_not_fused():
    x = torch.randn(4, 3, 5, 5)
    planes = DualBN(3, 2, AFFINE)
    assert normed.can_fuse(x, planes.bn, planes.act)
    assert not normed.can_fuse(x.double(), planes.bn, planes.act)
    assert not normed.can_fuse(x.half(), planes.half().bn, planes.act)
    planes = planes.float()
    planes.act[1].progress = 0.5
    assert not normed.can_fuse(x, planes.bn, planes.act)
    planes.act[1].progress = 0.0
    assert not normed.can_fuse(x, planes.bn, DualBN(3, 2, Cell(act_q="adabin_code")).act)
    assert not normed.can_fuse(x, torch.nn.SyncBatchNorm.convert_sync_batchnorm(DualBN(3, 2, AFFINE)).bn, planes.act)
    assert not normed.can_fuse(x, DualBN(3, 2, AFFINE).eval().bn, planes.act)
    with torch.no_grad():
        assert not normed.can_fuse(x, planes.bn, planes.act)
    assert normed.can_fuse(x.bfloat16(), planes.bn, planes.act)


def test_one_value_per_channel_is_still_refused_by_batch_norm():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        DualBN(3, 2, AFFINE)(torch.randn(1, 3, 1, 1), torch.nn.Identity())


def test_split_gives_each_half_of_the_channels_its_own_start():
    split = Split(6, 2, Cell(act_q="affine", spread=0.5))
    assert split.bn.bias.tolist() == [0.5] * 3 + [-0.5] * 3


def test_product_is_the_xnor_of_the_planes():
    product = Product(3, 2, Cell(act_q="sign", surrogate="approx"))
    first, second = product.planes(torch.randn(4, 3, 5, 5))
    z = product.merge(first, second)
    assert torch.equal(z == 1, first == second) and set(z.unique().tolist()) == {-1.0, 1.0}


def test_product_refuses_sets_that_are_not_unit_codes():
    with pytest.raises(ValueError, match="received 'affine'"):
        Product(3, 2, AFFINE)


def test_dual_bias_is_two_convolutions_with_one_set_of_weights():
    torch.manual_seed(0)
    cell = Cell(act_q="sign")
    planes, conv = DualBias(3, 4, cell), BinaryConv2d(3, 4, 3, 1, "sign")
    assert planes.factor.min() >= 0 and planes.factor.max() <= 1e-3 and planes.factor.std() > 0
    with torch.no_grad():
        planes.shift[1] += 0.5
    x = torch.randn(2, 3, 6, 6)
    expected = conv(planes.act[0](x)) + planes.factor.view(-1, 1, 1) * conv(planes.act[1](x + 0.5))
    assert torch.allclose(planes(x, conv), expected)


def test_gate_takes_the_full_value_above_the_threshold_and_the_high_bit_below():
    torch.manual_seed(0)
    planes, conv = Gated(3, 4, Cell(act_q="uniform2")), BinaryConv2d(3, 4, 3, 1, "sign")
    x = torch.randn(2, 3, 6, 6)
    q = planes.act(x)
    high, full = 2 / 3 * conv(torch.where(q > 0, 1.0, -1.0)), conv(q)
    assert torch.allclose(planes(x, conv), torch.where(high > -1, full, high), atol=1e-5)
    with torch.no_grad():
        planes.threshold.fill_(1e6)
    assert torch.allclose(planes(x, conv), high, atol=1e-5)


CELLS = {
    "single": AFFINE,
    "dual_bn": Cell(act_q="affine", multi="dual_bn"),
    "collapsed": Cell(act_q="affine", multi="collapsed"),
    "split": Cell(act_q="affine", multi="split"),
    "dual_bias": Cell(act_q="sign", multi="dual_bias", scale="learned"),
    "gated": Cell(act_q="uniform2", multi="gated", weight_q="sign", out_act="rprelu", shift=True),
}


@pytest.mark.parametrize("name", CELLS)
def test_planes_are_packed_bit_for_bit(name, tmp_path):
    result = verified(exercise(tiny(CELLS[name])), tmp_path)
    assert result.passed, result.first_difference
    assert result.bits > 100


def test_product_is_refused_with_the_reason():
    with pytest.raises(NotExportable, match="a window of x, not a threshold"):
        graph_of(tiny(Cell(act_q="sign", multi="product")))


@pytest.mark.parametrize("multi", known("nn.multi"))
@pytest.mark.parametrize("act", known("quant.act"))
def test_every_quantizer_trains_and_is_packed_or_is_refused_in_words(multi, act):
    try:
        net = exercise(tiny(Cell(act_q=act, multi=multi)))
    except ValueError as error:
        assert f"received '{act}'" in str(error) and "act_q" in str(error)
        return
    assert all(0 <= share <= 1 for share in net.plane_distance().values())  # every epoch asks for it
    try:
        graph_of(net)
    except NotExportable as error:
        assert len(str(error)) > 20
