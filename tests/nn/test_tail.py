"""nn/tail.py against the modules one by one: values, gradients, running statistics."""

import copy

import pytest
import torch

from aoienet.models import create_model
from aoienet.models.blocks.unit import Unit
from aoienet.nn import tail
from aoienet.nn.activation.dprelu import DPReLU
from aoienet.nn.activation.relu import ReLU
from aoienet.nn.activation.rprelu import RPReLU
from aoienet.nn.cell import Cell

CELL = Cell(act_q="affine", weight_q="affine_ede", multi="dual_bn", act="maxout", shift=True)
REAL = {"act_q": "real", "weight_q": "real", "multi": "single", "shift": False, "act": "relu", "shortcut": "pad"}
CHANGES = {"act": "dprelu", "shift": False}, {"act": "rprelu", "bn": False}, {}
FORMS = (
    *((changes, 1, "add", 1) for changes in CHANGES),
    (REAL, 2, "add", 2),  # ResNet: an activation between the convolutions, and one at the end
    ({"out_act": "rprelu", "act": "none"}, 1, "add", 1),  # FracBNN: the activation stands before the shortcut
    ({"out_act": "rprelu"}, 1, "add", 2),
    ({"act": "dprelu"}, 1, "none", 1),
    ({"out_act": "rprelu"}, 1, "none", 2),
    ({"out_act": "relu"}, 1, "concat", 1),
    ({"out_act": "dprelu"}, 1, "tail", 1),
)

SMALLER = [(*form, 2) for form in FORMS if form[2] not in ("concat", "tail")]


def made(
    changes: dict, stride: int = 1, kind: torch.dtype = torch.float64, out: int = 6, convs: int = 1, join: str = "add"
) -> torch.nn.Module:
    torch.manual_seed(0)
    net = Unit(out, stride=stride, convs=convs, join=join).build(6, Cell(**{**vars(CELL), **changes})).to(kind)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * torch.rand_like(p))
        for m in net.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.weight[:2].neg_()
                m.weight[2] = 0.0
                m.momentum = None if join == "none" else 0.1
    return net


def after_a_step(net: torch.nn.Module, x: torch.Tensor, grad: torch.Tensor) -> dict[str, torch.Tensor]:
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    out = net(x)
    out.backward(grad)
    assert x.grad is not None
    gradients = {f"d {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"out": out.detach(), "d x": x.grad, **gradients, **dict(net.named_buffers())}


@pytest.mark.parametrize(
    ("changes", "convs", "join", "used", "stride"), [(*form, 1) for form in FORMS] + SMALLER, ids=str
)
@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_in_float64_it_is_the_modules_one_by_one(changes, convs, join, used, stride, format, monkeypatch):
    fused = made(changes, stride, out=4 if join == "tail" else 6 * stride, convs=convs, join=join)
    plain = copy.deepcopy(fused)
    x = (2 * torch.randn(5, 6, 8, 7, dtype=torch.float64) + 1).contiguous(memory_format=format)
    channels = {"concat": 12, "tail": 6}.get(join, 6 * stride)
    grad = torch.randn(5, channels, -(-8 // stride), -(-7 // stride), dtype=torch.float64)
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
    ours = (
        "out",
        "shift.running_var",
        "d layers.0.bn.weight",
        "d act.pos",
        "d act.neg",
        "d shift.weight",
        "d shift.bias",
    )
    for name in ours:  # not of the convolution, which is PyTorch's
        assert torch.equal(received[name], expected[name]), name


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("offset", [0.0, 30.0, 300.0])
def test_a_mean_far_from_zero_costs_no_precision(offset):
    """In float32, of the spread of what the shift normalises."""
    torch.manual_seed(6)
    act, shift = DPReLU(5), torch.nn.BatchNorm2d(5)
    with torch.no_grad():
        act.after.fill_(offset)
    exact = copy.deepcopy(act).double(), copy.deepcopy(shift).double()
    y, grad = (torch.randn(9, 5, 12, 13) for _ in range(2))
    leaves = y.clone().requires_grad_(), y.double().requires_grad_()
    out = tail.tail(leaves[0], None, tail.NOTHING, act, shift)
    expected = exact[1](exact[0].plain(leaves[1]))
    out.backward(grad)
    expected.backward(grad.double())
    pairs = [(out, expected), (leaves[0].grad, leaves[1].grad), (shift.running_var, exact[1].running_var)]
    pairs += [
        (a.grad, b.grad)
        for a, b in zip((*act.parameters(), shift.weight), (*exact[0].parameters(), exact[1].weight), strict=True)
    ]
    for a, b in pairs:
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-6 * max(offset, 100))


def test_at_the_knee_it_is_the_slope_below():
    """As of ReLU and PReLU in PyTorch: a channel without variance is 0 everywhere."""
    norm, grad = torch.nn.BatchNorm2d(3), torch.randn(4, 3, 5, 5)
    for act in (ReLU(3), RPReLU(3)):
        found = []
        for known in (True, False):
            beside = torch.zeros(4, 3, 5, 5).requires_grad_()
            y = norm(torch.ones(4, 3, 5, 5)) if not known else torch.ones(4, 3, 5, 5)
            out = tail.tail(y, beside, norm, act, tail.NOTHING) if known else act.plain(y + beside)
            out.backward(grad)
            found.append(beside.grad)
        torch.testing.assert_close(*found)


def test_a_shortcut_of_another_shape_is_no_map_of_as_many_values():
    norm, act = torch.nn.BatchNorm2d(3), ReLU(3)
    with pytest.raises(RuntimeError, match="must match"):
        tail.tail(torch.randn(2, 3, 4, 6), torch.randn(2, 3, 6, 4), norm, act, tail.NOTHING)


def test_compiled_units_run_the_modules_one_by_one():
    """torch.compile cannot look into the passes; "eager" needs no compiler."""
    net = made({}, kind=torch.float32)
    x = torch.randn(3, 6, 8, 8)
    expected = copy.deepcopy(net)(x)
    torch.testing.assert_close(torch.compile(net, backend="eager", fullgraph=True)(x), expected, rtol=1e-4, atol=1e-4)


def test_bf16_reaches_every_map_of_a_network(monkeypatch):
    """Under autocast, with a shortcut of float32 at first; the loss is near that in float32."""
    torch.manual_seed(7)
    net, calls = create_model("aoienet_cifar").to(memory_format=torch.channels_last).train(), []
    monkeypatch.setattr(tail.Bent, "apply", counted(tail.Bent.apply, calls))
    x, labels = torch.randint(0, 256, (8, 3, 32, 32)).float(), torch.arange(8)
    plain = torch.nn.functional.cross_entropy(copy.deepcopy(net)(x), labels)
    assert len(calls) == 18 and all(y.dtype == torch.float32 for y, *_ in calls)
    with torch.autocast("cpu", torch.bfloat16):
        loss = torch.nn.functional.cross_entropy(net(x).float(), labels)
    loss.backward()
    assert len(calls) == 36 and all(a.dtype == torch.bfloat16 for y, b, *_ in calls[18:] for a in (y, b))
    assert abs(loss - plain) < 0.1 and all(torch.isfinite(p.grad).all() for p in net.parameters())


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
    hook = net.act.register_forward_hook(lambda *args: None)
    assert not tail.can_bend(x, *parts)
    hook.remove()
    net.eval()
    assert not tail.can_bend(x, *parts)


def counted(function, calls: list):
    def call(*args):
        calls.append(args)
        return function(*args)

    return call
