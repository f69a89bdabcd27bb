"""Gradients against the closed forms (design note A1) and against finite differences of a smooth twin."""

import pytest
import torch
from tests.quant.contract import disturbed

from aoienet import parts
from aoienet.quant import ste
from aoienet.quant.act.affine import AffineSign
from aoienet.quant.dsq import SoftStep

SURROGATES = sorted(ste.SURROGATES)
F64 = torch.float64


def mean_o(v):
    return v.mean(dim=(1, 2, 3), keepdim=True)


# ---- surrogates


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_a_slope_is_new_memory_never_negative_and_finite(name, progress):
    u = torch.linspace(-3, 3, 61)
    before = u.clone()
    slope = ste.surrogate(name)(u, progress)
    assert slope.shape == u.shape and slope.dtype == u.dtype
    assert torch.isfinite(slope).all() and (slope >= 0).all() and (slope > 0).any()
    slope.fill_(7.0)  # as the backward pass does
    assert torch.equal(u, before)


def test_slopes_at_chosen_points():
    u = torch.tensor([-1.5, -1.0, -0.25, 0.0, 0.5, 1.0, 1.5])
    assert ste.approx(u).tolist() == [0, 0, 1.5, 2, 1, 0, 0]
    assert ste.clip(u).tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert ste.clip_open(u).tolist() == [0, 0, 1, 1, 1, 0, 0]
    assert ste.si_bnn(u).tolist() == [0, 0, 2, 2, 2, 2, 0]
    assert ste.surrogate("clip:1.5")(u).tolist() == [1] * 7


@pytest.mark.parametrize("name", ["approx", "tri_rbnn_act"])
def test_the_area_under_a_slope_is_the_step_from_minus_one_to_one(name):
    u = torch.linspace(-4, 4, 80001, dtype=F64)
    for progress in (0.0, 0.7, 1.0):
        assert torch.trapezoid(ste.SURROGATES[name](u, progress), u).item() == pytest.approx(2.0, abs=1e-3)


def test_ede_goes_from_identity_to_narrow():
    assert ste.ede_constants(0.0) == (1000.0, 1e-3)
    assert ste.ede_constants(1.0) == (1.0, 10.0)
    with pytest.raises(ValueError, match="received 1.5"):
        ste.ede_constants(1.5)


def test_wrong_surrogates_are_named():
    with pytest.raises(ValueError, match="unknown surrogate 'aprox'; known: approx"):
        ste.surrogate("aprox")
    with pytest.raises(ValueError, match="above 0; received 'clip:0'"):
        ste.surrogate("clip:0")


def test_sign_has_no_third_value():
    assert ste.sign(torch.tensor([-0.0, 0.0, 1e-30, -1e-30])).tolist() == [1, 1, 1, -1]


# ---- activations


DERIVATIVES = {  # dq/dx of a disturbed quantizer, from its slope
    "sign": lambda m, x: m.slope(x, m.progress),
    "std_sign": lambda m, x: m.slope(x, m.progress),  # in evaluation
    "rsign": lambda m, x: m.slope(x - m.threshold.view(1, -1, 1, 1), m.progress),
    "affine": lambda m, x: m.slope((x - m.beta) / m.alpha, m.progress),
    "adabin_code": lambda m, x: m.slope((x - m.beta) / m.alpha, m.progress),
    "uniform2": lambda m, x: m.slope(x, m.progress),
    "round01": lambda m, x: m.slope(2 * x - 1, m.progress),
    "zero_one": lambda m, x: m.slope((x - m.theta) / m.delta, m.progress) / (2 * m.delta),
}


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("name", sorted(DERIVATIVES))
def test_the_gradient_is_the_slope_of_the_stated_surrogate(name, surrogate):
    torch.manual_seed(9)
    module = disturbed(parts.find("quant.act", name)(3, surrogate)).double().eval()
    module.progress = 0.6
    x = torch.randn(2, 3, 6, 6, dtype=F64, requires_grad=True)
    grad = torch.randn_like(x)
    module(x).backward(grad)
    torch.testing.assert_close(x.grad, grad * DERIVATIVES[name](module, x.detach()).detach(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_affine_gradients_equal_the_closed_form(surrogate):
    torch.manual_seed(1)
    p = torch.randn(3, 4, 5, 5, dtype=F64, requires_grad=True)
    alpha = torch.tensor(0.8, dtype=F64, requires_grad=True)
    beta = torch.tensor(-0.3, dtype=F64, requires_grad=True)
    grad = torch.randn_like(p)
    AffineSign.apply(p, alpha, beta, ste.surrogate(surrogate), 0.4).backward(grad)
    u = (p.detach() + 0.3) / 0.8
    g = ste.SURROGATES[surrogate](u, 0.4)
    s = ste.sign(u)
    assert torch.allclose(p.grad, grad * g)
    assert torch.allclose(alpha.grad, (grad * (s - u * g)).sum())
    assert torch.allclose(beta.grad, (grad * (1 - g)).sum())


def smooth(p, alpha, beta):
    """alpha * F(u) + beta with F the antiderivative of 2 - 2|u|: its true gradient in p, and in alpha and beta
    with s replaced by F, is the surrogate's."""
    u = ((p - beta) / alpha).clamp(-1, 1)
    return alpha * (2 * u - u * u.abs()) + beta


def test_affine_gradient_of_p_equals_finite_differences_of_the_smooth_twin():
    torch.manual_seed(2)
    p = torch.randn(40, dtype=F64)
    alpha, beta = torch.tensor(0.9, dtype=F64), torch.tensor(0.1, dtype=F64)
    x = p.clone().requires_grad_()
    AffineSign.apply(x, alpha, beta, ste.approx, 0.0).sum().backward()
    step = 1e-6
    numeric = (smooth(p + step, alpha, beta) - smooth(p - step, alpha, beta)) / (2 * step)
    assert torch.allclose(x.grad, numeric, atol=1e-5)


def test_affine_gradient_of_beta_equals_finite_differences_of_the_smooth_twin():
    torch.manual_seed(3)
    p = torch.randn(40, dtype=F64)
    alpha = torch.tensor(0.9, dtype=F64)
    beta = torch.tensor(0.1, dtype=F64, requires_grad=True)
    AffineSign.apply(p, alpha, beta, ste.approx, 0.0).sum().backward()
    step = 1e-6
    numeric = (smooth(p, alpha, beta.detach() + step) - smooth(p, alpha, beta.detach() - step)).sum() / (2 * step)
    assert beta.grad.item() == pytest.approx(numeric.item(), abs=1e-4)


def test_dsq_gradient_of_x_equals_finite_differences_of_the_soft_step():
    torch.manual_seed(4)
    step = disturbed(SoftStep()).double()
    x = torch.randn(60, dtype=F64, requires_grad=True)
    step(x).sum().backward()
    lower, upper, alpha = (t.detach() for t in (step.lower, step.upper, step.alpha))
    k = torch.log(2 / alpha - 1) / (upper - lower)

    def soft(v):
        phi = torch.tanh(k * (v.clamp(lower, upper) - (lower + upper) / 2)) / (1 - alpha)
        return lower + (upper - lower) * (phi + 1) / 2

    numeric = (soft(x.detach() + 1e-6) - soft(x.detach() - 1e-6)) / 2e-6
    assert torch.allclose(x.grad, numeric, atol=1e-6)


def test_dsq_soft_step_ends_at_its_bounds():
    step = disturbed(SoftStep()).double()
    with torch.no_grad():
        assert step(torch.tensor([-9.0, 9.0], dtype=F64)).tolist() == pytest.approx(
            [step.lower.item(), step.upper.item()]
        )
        step.upper.fill_(-5.0)  # crossed: kept apart
        assert torch.isfinite(step(torch.randn(5, dtype=F64))).all()


# ---- weights


@pytest.mark.parametrize("progress", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("name", ["affine_ede", "affine"])
def test_affine_weight_gradient_equals_the_closed_form(name, progress):
    torch.manual_seed(4)
    w = torch.randn(3, 4, 3, 3, dtype=F64, requires_grad=True)
    grad = torch.randn_like(w)
    module = parts.find("quant.weight", name)((3, 4, 3, 3))
    module.progress = progress
    module(w).backward(grad)
    beta = mean_o(w.detach())
    alpha = (mean_o((w.detach() - beta).square()) + 1e-8).sqrt()
    what = (w.detach() - beta) / alpha
    k, t = ste.ede_constants(progress)
    h = k * t * (1 - torch.tanh(t * what).square()) if name == "affine_ede" else (what.abs() <= 1).to(F64)
    b = ste.sign(what)
    n = w[0].numel()
    closed = grad * h - mean_o(grad * h) - what * mean_o(grad * h * what)
    closed = closed + what / n * (grad * b).sum((1, 2, 3), True) + mean_o(grad)
    assert torch.allclose(w.grad, closed, atol=1e-6)


def test_xnor_weight_gradient_has_the_part_of_the_scale():
    torch.manual_seed(5)
    w = (0.3 * torch.randn(3, 4, 3, 3, dtype=F64)).requires_grad_()
    grad = torch.randn_like(w)
    parts.find("quant.weight", "xnor")((3, 4, 3, 3))(w).backward(grad)
    latent = w.detach()  # centred by the forward pass
    assert torch.allclose(latent.mean(dim=1), torch.zeros(3, 3, 3, dtype=F64))
    s = ste.sign(latent)
    assert torch.allclose(w.grad, mean_o(latent.abs()) * grad + s * mean_o(s * grad))


def test_balanced_weight_gradient_passes_the_mean_and_not_the_scale():
    torch.manual_seed(6)
    w = torch.randn(3, 4, 3, 3, dtype=F64, requires_grad=True)
    grad = torch.randn_like(w)
    parts.find("quant.weight", "balanced")((3, 4, 3, 3))(w).backward(grad)
    v = w.detach() - mean_o(w.detach())
    inside = grad * (v.abs() <= 1)
    assert torch.allclose(w.grad, inside - mean_o(inside))
