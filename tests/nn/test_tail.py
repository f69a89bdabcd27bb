"""nn/tail.py against the modules one by one: values, gradients, running statistics."""

import copy

import pytest
import torch

from aoienet.models.blocks.unit import Unit
from aoienet.nn import tail
from aoienet.nn.cell import Cell

CELL = Cell(act_q="affine", weight_q="affine_ede", multi="dual_bn", act="maxout", shift=True)
REAL = {"act_q": "real", "weight_q": "real", "multi": "single", "shift": False, "act": "relu", "shortcut": "pad"}
CHANGES = {"act": "dprelu", "shift": False}, {"act": "rprelu", "bn": False}, {}
FORMS = (
    *((changes, 1, 1) for changes in CHANGES),
    (REAL, 2, 2),  # ResNet: an activation between the convolutions, and one at the end
    ({"out_act": "rprelu", "act": "none"}, 1, 1),  # FracBNN: the activation stands before the shortcut
    ({"out_act": "rprelu"}, 1, 2),
)


def made(
    changes: dict, stride: int = 1, kind: torch.dtype = torch.float64, out: int = 6, convs: int = 1
) -> torch.nn.Module:
    torch.manual_seed(0)
    net = Unit(out, stride=stride, convs=convs).build(6, Cell(**{**vars(CELL), **changes})).to(kind)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * torch.rand_like(p))
        for m in net.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.weight[:2].neg_()
                m.weight[2] = 0.0
    return net


def after_a_step(net: torch.nn.Module, x: torch.Tensor, grad: torch.Tensor) -> dict[str, torch.Tensor]:
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    out = net(x)
    out.backward(grad)
    assert x.grad is not None
    gradients = {f"d {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"out": out.detach(), "d x": x.grad, **gradients, **dict(net.named_buffers())}


@pytest.mark.parametrize(("changes", "convs", "used"), FORMS, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_in_float64_it_is_the_modules_one_by_one(changes, convs, used, stride, format, monkeypatch):
    fused = made(changes, stride, out=6 * stride, convs=convs)
    plain = copy.deepcopy(fused)
    x = (2 * torch.randn(5, 6, 8, 7, dtype=torch.float64) + 1).contiguous(memory_format=format)
    grad = torch.randn(5, 6 * stride, -(-8 // stride), -(-7 // stride), dtype=torch.float64)
    calls = []
    monkeypatch.setattr(tail.Bent, "apply", counted(tail.Bent.apply, calls))
    received = after_a_step(fused, x, grad)
    assert len(calls) == used
    monkeypatch.setattr(tail, "can_bend", lambda *args: False)
    monkeypatch.setattr(tail, "can_pass", lambda *args: False)
    expected = after_a_step(plain, x, grad)
    assert len(calls) == used and received.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(
            received[name], expected[name], rtol=1e-8, atol=1e-8, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_in_bf16_it_is_the_modules_in_float64_of_the_same_values(changes):
    """Maps that are BF16 numbers, parameters of float32: what differs is the rounding of what is written."""
    fused = made(changes, kind=torch.float32)
    y, beside, grad = (
        torch.randn(7, 6, 9, 8).bfloat16().contiguous(memory_format=torch.channels_last) for _ in range(3)
    )
    parts = fused.layers[-1].bn, fused.act, fused.shift
    exact = copy.deepcopy(parts)
    found = []
    for (bn, act, shift), kind in ((parts, torch.bfloat16), ([m.double() for m in exact], torch.float64)):
        a, b = (t.clone().to(kind).requires_grad_() for t in (y, beside))
        if kind == torch.bfloat16:
            assert tail.can_bend(a, bn, act, shift)
            out = tail.bent(a, b, bn, act, shift)
        else:
            out = shift(act(bn(a) + b))
        out.backward(grad.to(kind))
        state = [p.grad for m in (bn, act, shift) for p in m.parameters()] + [
            t for m in (bn, shift) for t in m.buffers()
        ]
        found.append([out.detach(), a.grad, b.grad, *state])
    for received, expected in zip(*found, strict=True):
        scale = expected.double().abs().max().item()
        torch.testing.assert_close(received.double(), expected.double(), rtol=2**-7, atol=2**-7 * scale + 1e-4)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_no_bit(threads, one_thread):
    """Several shares of 65,536 values."""
    net = made({}, kind=torch.float32)
    x, grad = (torch.randn(9, 6, 60, 61).contiguous(memory_format=torch.channels_last) for _ in range(2))
    expected = after_a_step(copy.deepcopy(net), x, grad)
    torch.set_num_threads(threads)
    received = after_a_step(net, x, grad)
    for name in ("d layers.0.bn.weight", "d act.pos", "d act.neg", "d shift.weight", "shift.running_var"):
        assert torch.equal(received[name], expected[name]), name


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_what_it_does_not_know_runs_as_the_modules():
    net, x = made({}, kind=torch.float32), torch.randn(2, 6, 4, 4)
    parts = net.layers[-1].bn, net.act, net.shift
    assert tail.can_bend(x, *parts) and tail.can_bend(x.bfloat16(), *parts)
    assert not tail.can_bend(x.double(), *parts) and not tail.can_bend(x.half(), *parts)
    assert not tail.can_bend(x, parts[0], torch.nn.PReLU(6), parts[2])
    assert not tail.can_bend(x, torch.nn.SyncBatchNorm(6), *parts[1:])
    assert not tail.can_bend(x, torch.nn.Identity(), parts[1], torch.nn.Identity())
    with torch.no_grad():
        assert not tail.can_bend(x, *parts)
    net.eval()
    assert not tail.can_bend(x, *parts)


def counted(function, calls: list):
    def call(*args):
        calls.append(args)
        return function(*args)

    return call
