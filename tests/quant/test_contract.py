"""Contract tests: every quantizer of quant/act and quant/weight is found and run through them."""

import sys

import pytest
import torch
from tests.quant.contract import CHANNELS, disturbed, from_levels, run_rows, step_losses

from aoienet import parts
from aoienet.quant.weights import WeightQuantizer

ALL = parts.known("quant.act")
PLANES = {name: kind for name, kind in ALL.items() if not kind.refusal}  # thresholds give their bits
REFUSED = {name: kind for name, kind in ALL.items() if kind.refusal}
WEIGHTS = parts.known("quant.weight")
BINARY = {name: kind for name, kind in WEIGHTS.items() if name != "real"}
SHAPES = [(5, 4, 3, 3), (8, 3, 3, 3), (6, 5, 1, 1), (4, 2, 1, 3), (4, 2, 3, 1), (2, 1, 1, 1)]


def each(kinds):
    return pytest.mark.parametrize(("name", "kind"), sorted(kinds.items()))


def test_the_package_is_not_empty():
    assert {"affine", "sign", "uniform2"} <= set(PLANES) and {"real", "sample_norm"} == set(REFUSED)
    assert {"affine_ede", "sign", "xnor"} <= set(BINARY)


@each(ALL | {f"{name} (weight)": kind for name, kind in WEIGHTS.items()})
def test_the_docstring_states_formula_gradient_export_shapes_and_source(name, kind):
    text = sys.modules[kind.__module__].__doc__
    lines = [line.split()[0] for line in text.splitlines() if line and line[0].isupper()][1:]
    assert lines == sorted(lines, key=["Forward", "Backward", "Deploy", "Shapes", "Args", "Raises", "Source"].index)
    assert {"Forward", "Backward", "Deploy", "Shapes", "Source"} <= set(lines)
    assert "Differs: " in text.split("Source")[1]


# ---- activations


@each(ALL)
def test_example_rows_of_value_and_slope(name, kind):
    q, slopes = run_rows(kind, kind.EXAMPLES)
    assert q == pytest.approx([row[1] for row in kind.EXAMPLES], abs=1e-6)
    assert slopes == pytest.approx([row[2] for row in kind.EXAMPLES], abs=1e-4)


@each(ALL)
def test_the_rows_have_a_zero_and_a_point_without_gradient_and_one_with(name, kind):
    slopes = [row[2] for row in kind.EXAMPLES]
    assert any(row[0] == 0 for row in kind.EXAMPLES) and any(slopes)
    assert name in ("real", "sample_norm") or not all(slopes)


@each(PLANES)
def test_levels_give_what_forward_gives_in_evaluation(name, kind):
    torch.manual_seed(5)
    module = disturbed(kind(CHANNELS)).double().eval()
    x = torch.randn(4, CHANNELS, 20, 20, dtype=torch.float64)
    with torch.no_grad():
        q = module(x)
    torch.testing.assert_close(q, from_levels(module.levels(), x), rtol=0, atol=1e-12)
    torch.testing.assert_close(module(x).detach(), q, rtol=0, atol=1e-12)  # with gradients: the same numbers
    values = module.levels().values()
    assert len(values) == module.passes + 1
    assert q.unique().tolist() == pytest.approx(values)


@each(PLANES)
def test_at_its_threshold_a_plane_is_high_and_just_below_it_is_low(name, kind):
    module = disturbed(kind(CHANNELS), seed=1).double().eval()
    levels = module.levels()
    for j, threshold in enumerate(levels.thresholds):
        x = threshold.detach().double().view(1, -1, 1, 1).expand(1, CHANNELS, 1, 1)
        below = torch.nextafter(x, torch.full_like(x, -torch.inf))
        for at, value in ((x, levels.values()[j + 1]), (below, levels.values()[j])):
            assert module(at).flatten().tolist() == pytest.approx([value] * CHANNELS, abs=1e-12)


@each(ALL)
def test_a_new_quantizer_maps_zero_to_a_value_and_nothing_to_nan(name, kind):
    for mode in (True, False):
        q = kind(CHANNELS).train(mode)(torch.zeros(2, CHANNELS, 4, 4))
        expected = dict((row[0], row[1]) for row in kind.EXAMPLES)[0.0]
        assert q.unique().tolist() == pytest.approx([expected])


@each(REFUSED)
def test_what_no_threshold_gives_is_refused_with_a_reason(name, kind):
    assert len(kind.refusal) > 10
    with pytest.raises(NotImplementedError):
        kind(CHANNELS).levels()


@each(ALL)
def test_three_steps_lower_a_toy_loss(name, kind):
    torch.manual_seed(0)
    losses = step_losses(kind(4), torch.randn(8, 4, 5, 5))
    assert losses[-1] < losses[0]


@each(ALL)
def test_state_survives_save_and_load(name, kind):
    torch.manual_seed(3)
    x = torch.randn(2, CHANNELS, 8, 8)
    first, second = disturbed(kind(CHANNELS), seed=2).eval(), kind(CHANNELS).eval()
    if list(first.parameters()):
        assert not torch.equal(first(x), second(x))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x), second(x))


def test_a_surrogate_that_a_method_does_not_take_is_said():
    with pytest.raises(ValueError, match="learns its own surrogate; received surrogate='clip'"):
        parts.find("quant.act", "dsq")(3, "clip")


# ---- weights


def trained(kind, shape, progress: float):
    """A weight quantizer in the middle of a training, with its weights."""
    module = disturbed(kind(shape)).double()
    w = torch.randn(shape, dtype=torch.float64)
    module.progress = progress
    module.refresh(w)
    return module, w


@each(BINARY)
@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_binary_set_is_what_forward_uses(name, kind, progress, shape):
    torch.manual_seed(sum(shape))
    module, w = trained(kind, shape, progress)
    if not module.binary:
        assert (name, progress) == ("bnext", 0.0)  # soft, and refused: test_methods.py
        return
    before = w.clone()
    high, low, step = module.binary_set(w)
    assert high.dtype == torch.bool and high.shape == w.shape and low.shape == step.shape == (shape[0],)
    assert torch.equal(w, before)
    expected = low.view(-1, 1, 1, 1) + step.view(-1, 1, 1, 1) * high
    torch.testing.assert_close(module.eval()(w).detach(), expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(module.train()(w).detach(), expected, rtol=1e-12, atol=1e-14)
    assert (step >= 0).all()


@each(BINARY)
def test_two_values_per_output_channel_and_both_in_use(name, kind):
    torch.manual_seed(6)
    module, w = trained(kind, (8, 16, 3, 3), 1.0)
    for row in module(w).detach():
        assert len(row.unique()) == 2


@each(BINARY)
def test_a_dead_filter_is_all_high_and_its_gradient_is_finite(name, kind):
    module, w = trained(kind, (4, 3, 3, 3), 0.5)
    module.load_state_dict(kind((4, 3, 3, 3)).state_dict())
    w = torch.zeros_like(w).requires_grad_()
    q = module(w)
    q.sum().backward()
    assert torch.isfinite(w.grad).all() and torch.isfinite(q).all()
    high = module.binary_set(w.detach())[0]
    assert not high.any() if name == "siman" else high.all()  # SiMaN: strictly more than the median magnitude


@each(WEIGHTS)
def test_one_set_of_weights_serves_two_convolutions(name, kind):
    torch.manual_seed(7)
    module, w = trained(kind, (4, 3, 3, 3), 0.5)
    w.requires_grad_()
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    (torch.conv2d(x, module(w)) + torch.conv2d(2 * x, module(w))).square().sum().backward()
    assert torch.isfinite(w.grad).all() and w.grad.abs().max() > 0


@each(WEIGHTS)
def test_three_steps_lower_a_toy_loss_of_weights(name, kind):
    torch.manual_seed(1)
    losses = step_losses(kind((8, 4, 3, 3)), 0.3 * torch.randn(8, 4, 3, 3))
    assert losses[-1] < losses[0]


@each(WEIGHTS)
def test_state_of_weights_survives_save_and_load(name, kind):
    torch.manual_seed(8)
    shape = (6, 4, 3, 3)
    first, w = trained(kind, shape, 0.3)
    second = kind(shape).double()
    if list(first.state_dict()):
        assert any(not torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.eval()(w), second.eval()(w))


def test_an_unknown_step_is_answered_with_the_known_ones():
    class Wrong(WeightQuantizer):
        name, center = "wrong", "mean"

    with pytest.raises(ValueError, match="unknown step 'mean' of 'wrong'; known: none, mean_o"):
        Wrong((2, 2, 3, 3))


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'affine'"):
        parts.find("quant.act", "afine")
