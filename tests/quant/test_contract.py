"""Contract tests: every quantizer of quant/act and quant/weight is found and run through them."""

import pytest
import torch

from aoienet import quant
from aoienet.quant import ste

ACTS = sorted(quant.known("act").items())
WEIGHTS = sorted(quant.known("weight").items())


@pytest.mark.parametrize(("name", "kind"), ACTS)
def test_example_rows_of_value_and_slope(name, kind):
    for x, q, slope in kind.EXAMPLES:
        p = torch.tensor([[[[x]]]], requires_grad=True)
        out = kind()(p)
        out.backward()
        assert out.item() == pytest.approx(q)
        assert p.grad.item() == pytest.approx(slope)


@pytest.mark.parametrize(("name", "kind"), ACTS)
def test_only_the_two_legal_values_come_out(name, kind):
    module = kind()
    with torch.no_grad():
        module.alpha.fill_(0.7)
        module.beta.fill_(0.2)
    values = module(torch.randn(2, 3, 5, 7)).unique().tolist()
    assert values == pytest.approx(list(module.legal_values()))


@pytest.mark.parametrize(("name", "kind"), ACTS)
def test_sign_of_zero_is_the_high_value(name, kind):
    module = kind()
    assert module(torch.zeros(1, 1, 1, 1)).item() == pytest.approx(module.legal_values()[1])


@pytest.mark.parametrize(("name", "kind"), WEIGHTS)
def test_two_values_per_output_channel(name, kind):
    w = torch.randn(5, 4, 3, 3)
    b = kind()(w)
    beta, alpha = kind.statistics(w)
    for row, low, high in zip(b, (beta - alpha).flatten(), (beta + alpha).flatten(), strict=True):
        assert sorted(row.unique().tolist()) == pytest.approx([low.item(), high.item()], abs=1e-6)


@pytest.mark.parametrize(("name", "kind"), ACTS + WEIGHTS)
def test_three_steps_lower_a_toy_loss(name, kind):
    torch.manual_seed(0)
    x = torch.randn(8, 4, 5, 5, requires_grad=True)
    module = kind()
    target = torch.where(torch.randn(8, 4, 5, 5) > 0, 1.0, -1.0)
    optimiser = torch.optim.Adam([x, *module.parameters()], lr=0.1)
    losses = []
    for _ in range(4):
        loss = (module(x) - target).square().mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(("name", "kind"), ACTS)
def test_state_survives_save_and_load(name, kind):
    first, second = kind(), kind()
    with torch.no_grad():
        first.alpha.fill_(0.3)
    second.load_state_dict(first.state_dict())
    assert second.legal_values() == first.legal_values()


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'affine'"):
        quant.find("act", "afine")


def test_sign_has_no_third_value():
    assert ste.sign(torch.tensor([-0.0, 0.0, 1e-30, -1e-30])).tolist() == [1, 1, 1, -1]


def test_ede_goes_from_identity_to_narrow():
    assert ste.ede_constants(0.0) == (1000.0, 1e-3)
    assert ste.ede_constants(1.0) == (1.0, 10.0)
    with pytest.raises(ValueError, match="received 1.5"):
        ste.ede_constants(1.5)
