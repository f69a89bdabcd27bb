"""bindings/passes.cc against the modules one by one: float32 at any size of map, whatever the number of threads."""

import copy

import numpy as np
import pytest
import torch

from aoienet.nn.activation.maxout import Maxout
from aoienet.nn.cell import Cell
from aoienet.nn.multi import dual_bn
from aoienet.nn.multi.dual_bn import DualBN
from aoienet.quant import _passes
from aoienet.quant.maps import statistics
from aoienet.quant.normed import numbers
from aoienet.quant.ste import SURROGATES, Shape

# one value; channels that fill no vector; several shares of 65,536 values with a short last row; more channels than a row of constants
MAPS = [(2, 1, 1, 1), (3, 5, 7, 3), (9, 6, 40, 41), (4, 16, 32, 33), (70, 300, 2, 2)]


def planes_for(channels: int, surrogate: str, progress: float) -> DualBN:
    planes = DualBN(channels, 2, Cell(act_q="affine", surrogate=surrogate))
    with torch.no_grad():
        for p in planes.parameters():
            p.add_(0.3 * torch.rand_like(p))
        planes.bn[1].weight[: channels // 2].neg_()
    for act in planes.act:
        act.progress = progress
    return planes


def step(module: torch.nn.Module, x: torch.Tensor, grad: torch.Tensor, *more) -> list[torch.Tensor]:
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    out = module(x, *more)
    out.backward(grad)
    return [out.detach(), x.grad, *(p.grad for p in module.parameters())]


@pytest.mark.parametrize("shape", MAPS[1:])
@pytest.mark.parametrize("surrogate", ["approx", "ede", "tri_ienet_act"])  # without an edge that rounding could cross
@pytest.mark.parametrize("progress", [0.0, 0.7])
def test_float32_is_the_modules_in_float64(shape, surrogate, progress, monkeypatch):
    torch.manual_seed(0)
    fused = planes_for(shape[1], surrogate, progress)
    plain = copy.deepcopy(fused).double()
    x, grad = (torch.randn(shape).contiguous(memory_format=torch.channels_last) for _ in range(2))
    received = step(fused, x, grad, torch.nn.Identity())
    monkeypatch.setattr(dual_bn, "can_fuse", lambda *args: False)
    expected = step(plain, x.double(), grad.double(), torch.nn.Identity())
    decided = (received[0].double() - expected[0]).abs() < 1e-5
    assert decided.float().mean() > 0.9999  # a value within rounding of a threshold may fall on either side
    for a, b in zip(received[1:], expected[1:], strict=True):
        assert float((a.double() - b).abs().mean()) <= 1e-3 * (float(b.abs().max()) + 1)


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("progress", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_slope_is_that_of_the_surrogate(surrogate, progress, dtype):
    u = np.concatenate([np.linspace(-4, 4, 1601), [-1, -0.3, 0, 0.3, 1, 60, -60, 1e4]]).astype(dtype)
    slope, d = SURROGATES[surrogate], np.empty_like(u)
    lines = np.array([1, 0, 1, 1, 0], dtype)[:, None]  # h = u = x
    sums = _passes.gradient(u, np.ones_like(u), d, lines, *numbers(slope.at(progress), u.dtype), 1)
    expected = slope(torch.from_numpy(u), progress).double().numpy()
    np.testing.assert_allclose(
        d, expected, rtol=2e-5 if dtype == np.float32 else 1e-12, atol=1e-6 * slope.at(progress).height
    )
    np.testing.assert_allclose(sums[:, 0], [u.size, d.sum(), (d * u).sum(), (u >= 0).sum()], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("shape", MAPS)
def test_maxout_in_float32_is_that_in_float64(shape):
    torch.manual_seed(1)
    act = Maxout(shape[1])
    x, grad = (torch.randn(shape).contiguous(memory_format=torch.channels_last) for _ in range(2))
    for a, b in zip(step(act, x, grad), step(copy.deepcopy(act).double(), x.double(), grad.double()), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)


def test_any_number_of_threads_gives_the_same_bits():
    torch.manual_seed(2)
    x, grad = (torch.randn(9, 6, 90, 91).contiguous(memory_format=torch.channels_last) for _ in range(2))
    before, found = torch.get_num_threads(), []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        torch.manual_seed(3)
        mean, spread = x.mean((0, 2, 3)), x.var((0, 2, 3))
        planes = torch.rand(6), torch.rand(6), torch.tensor(0.7), torch.tensor(0.1)
        leaves = [t.clone().requires_grad_() for t in (x, *planes, *planes)]
        q = dual_bn_function(leaves, mean, spread)
        q.backward(grad)
        act = Maxout(6)
        found.append([q, *(t.grad for t in leaves), *step(act, x, grad)])
    torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def dual_bn_function(leaves: list[torch.Tensor], mean: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    from aoienet.quant.normed import NormedPlanes

    return NormedPlanes.apply(leaves[0], mean, spread, 1e-5, SURROGATES["approx"], 0.0, *leaves[1:])


def test_the_ends_of_an_open_window_are_outside():
    assert numbers(Shape(1.0, low=-1.0, high=1.0, open=True), np.dtype(np.float32))[3:] == (-1 + 2**-24, 1 - 2**-24)
    assert numbers(Shape(1.0, low=-1.0, high=1.0), np.dtype(np.float32))[3:] == (-1.0, 1.0)
    assert numbers(Shape(2.0, 2.0), np.dtype(np.float64))[3:] == (-np.inf, np.inf)


def test_a_map_that_is_not_finite_has_gradients_that_are_not():
    planes = planes_for(4, "approx", 0.0)
    x = torch.randn(3, 4, 8, 8)
    x[1, 2, 3, 3] = float("nan")
    assert not torch.isfinite(step(planes, x, torch.randn(3, 4, 8, 8), torch.nn.Identity())[2]).all()


def test_what_does_not_fit_is_refused():
    row, lines = np.zeros(12, np.float32), np.zeros((2, 3), np.float32)
    nine, six = row[:9].copy(), np.zeros((6, 3), np.float32)
    for call in (
        lambda: _passes.bend(row, None, nine, six, 1),
        lambda: _passes.bend(row, nine, row.copy(), six, 1),
        lambda: _passes.bend_sums(row, None, nine, six, 1),
        lambda: _passes.bend_gradient(row, None, row, nine, np.zeros((9, 3), np.float32), 1),
        lambda: _passes.join(nine, row, row.copy(), lines, 1),
        lambda: _passes.planes(row, nine, lines, lines[:1, 0], 0.0, 1),
    ):
        with pytest.raises(ValueError, match="as many values"):
            call()
    with pytest.raises(ValueError, match="whole positions"):
        _passes.stats(row, np.zeros((1, 5), np.float32), 1)
    with pytest.raises(ValueError, match="lines of constants"):
        _passes.join(row, row, row.copy(), lines, 1)
    with pytest.raises(ValueError, match="one plane or two"):
        _passes.planes(row, row.copy(), np.zeros((6, 3), np.float32), np.zeros(3, np.float32), 0.0, 1)
    with pytest.raises(TypeError):
        _passes.bend(row, None, row.astype(np.float64), six, 1)
    with pytest.raises(TypeError):
        _passes.bend(row, None, row.astype(np.uint16), six, 1)


def test_bf16_is_rounded_as_pytorch_rounds_it():
    """Every pattern of the upper 16 bits beside lower ones around a tie."""
    upper = np.arange(1 << 16, dtype=np.uint32)[:, None] << 16
    values = (upper + np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)).reshape(-1).view(np.float32)
    x = np.full(values.size, 0x3F80, np.uint16)  # 1
    out = np.empty_like(x)
    for first in range(0, values.size, 3 << 12):  # values as constants, which are float32
        part = slice(first, first + (3 << 12))
        line = np.ascontiguousarray(values[None, part])
        zero = np.zeros_like(line)
        _passes.join(x[part].copy(), x[part].copy(), got := out[part].copy(), np.concatenate([line, zero, zero]), 1)
        out[part] = got
    expected = torch.from_numpy(values.copy()).bfloat16()
    received = torch.from_numpy(out.view(np.int16)).view(torch.bfloat16)
    torch.testing.assert_close(received, expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("shape", MAPS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_statistics_are_those_of_the_map(shape, dtype):
    torch.manual_seed(5)
    offset = 100 * torch.rand(shape[1], 1, 1)
    x = (torch.randn(shape) + offset).to(dtype).contiguous(memory_format=torch.channels_last)
    var, mean = torch.var_mean(x.double(), (0, 2, 3), correction=0)
    received = statistics(x)
    assert received[0].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(received[0].double(), mean, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(received[1].double(), var, rtol=1e-4, atol=1e-6)


def test_compiled_code_runs_the_modules_one_by_one():
    """torch.compile cannot look into the passes; "eager" needs no compiler."""
    torch.manual_seed(4)
    planes, act = planes_for(4, "approx", 0.0), Maxout(4)
    x = torch.randn(3, 4, 8, 8)
    conv = torch.nn.Conv2d(4, 4, 1)
    expected = act(copy.deepcopy(planes)(x, conv))
    compiled = torch.compile(lambda x: act(planes(x, conv)), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), expected)
