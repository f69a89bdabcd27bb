"""Nonlinearities of the real-valued stream."""

import pytest
import torch
from tests.packing import exercise, tiny, verified

from aoienet.nn.activation.dprelu import DPReLU
from aoienet.nn.activation.maxout import Maxout
from aoienet.nn.activation.rprelu import RPReLU
from aoienet.nn.cell import Cell
from aoienet.parts import find, known

V = torch.tensor([-2.0, 0.0, 3.0]).view(1, 1, 1, 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("maxout", [-0.5, 0.0, 3.0]),
        ("prelu", [-0.5, 0.0, 3.0]),
        ("rprelu", [-0.5, 0.0, 3.0]),
        ("dprelu", [-0.5, 0.0, 3.0]),
        ("relu", [0.0, 0.0, 3.0]),
        ("hardtanh", [-1.0, 0.0, 1.0]),
    ],
)
def test_new_activations(name, expected):
    assert find("nn.activation", name)(1)(V).flatten().tolist() == expected


def test_rprelu_shifts_before_and_after():
    act = RPReLU(1)
    with torch.no_grad():
        act.before.fill_(1.0)
        act.after.fill_(0.5)
    assert act(torch.tensor([[[[0.0, 3.0]]]])).flatten().tolist() == pytest.approx([0.25, 2.5])


def test_dprelu_holds_maxout_and_rprelu():
    dprelu, maxout, rprelu = DPReLU(1), Maxout(1), RPReLU(1)
    with torch.no_grad():
        for module in (dprelu, maxout):
            module.pos.fill_(0.7)
            module.neg.fill_(-0.4)
    assert torch.allclose(dprelu(V), maxout(V))
    with torch.no_grad():
        dprelu.pos.fill_(1.0)
        dprelu.neg.fill_(0.25)
        for module, shift in ((dprelu.knee, 0.3), (rprelu.before, 0.3), (dprelu.after, -0.2), (rprelu.after, -0.2)):
            module.fill_(shift)
    assert torch.allclose(dprelu(V), rprelu(V))


@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_gradients_of_maxout_are_those_of_its_formula(format):
    torch.manual_seed(3)
    act = Maxout(6).double()
    with torch.no_grad():
        act.pos.add_(0.5 * torch.randn(6))
        act.neg.add_(0.5 * torch.randn(6))
    v = torch.randn(9, 6, 7, 5, dtype=torch.float64).contiguous(memory_format=format)
    v[0, :, 0, 0] = 0.0
    grad = torch.randn(9, 6, 7, 5, dtype=torch.float64)
    fused, plain = (v.clone(memory_format=torch.preserve_format).requires_grad_() for _ in range(2))
    received = act(fused)
    received.backward(grad)
    found = [received, fused.grad, act.pos.grad, act.neg.grad]
    pos, neg = (p.detach().clone().requires_grad_() for p in (act.pos, act.neg))
    expected = torch.where(plain > 0, pos.view(-1, 1, 1) * plain, neg.view(-1, 1, 1) * plain)
    expected.backward(grad)
    for a, b in zip(found, [expected, plain.grad, pos.grad, neg.grad], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", sorted(known("nn.activation")))
@pytest.mark.parametrize("place", ["act", "out_act"])
def test_activations_are_packed_as_they_are_computed(name, place, tmp_path):
    cell = Cell(**{place: name})
    result = verified(exercise(tiny(cell)), tmp_path)
    assert result.passed, result.first_difference
