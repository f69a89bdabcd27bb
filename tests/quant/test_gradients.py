"""Gradients against the closed forms (design note A1) and against finite differences of a smooth twin."""

import pytest
import torch

from aoienet.quant import ste
from aoienet.quant.act.affine import AffineSign
from aoienet.quant.weight.affine_ede import Quantizer as WeightQuantizer


@pytest.mark.parametrize("surrogate", sorted(ste.SURROGATES))
def test_affine_gradients_equal_the_closed_form(surrogate):
    torch.manual_seed(1)
    p = torch.randn(3, 4, 5, 5, dtype=torch.float64, requires_grad=True)
    alpha = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    beta = torch.tensor(-0.3, dtype=torch.float64, requires_grad=True)
    grad = torch.randn_like(p)
    AffineSign.apply(p, alpha, beta, surrogate).backward(grad)
    u = (p.detach() + 0.3) / 0.8
    g = ste.SURROGATES[surrogate](u)
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
    p = torch.randn(40, dtype=torch.float64)
    alpha, beta = torch.tensor(0.9, dtype=torch.float64), torch.tensor(0.1, dtype=torch.float64)
    x = p.clone().requires_grad_()
    AffineSign.apply(x, alpha, beta, "approx").sum().backward()
    step = 1e-6
    numeric = (smooth(p + step, alpha, beta) - smooth(p - step, alpha, beta)) / (2 * step)
    assert torch.allclose(x.grad, numeric, atol=1e-5)


def test_affine_gradient_of_beta_equals_finite_differences_of_the_smooth_twin():
    torch.manual_seed(3)
    p = torch.randn(40, dtype=torch.float64)
    alpha = torch.tensor(0.9, dtype=torch.float64)
    beta = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    AffineSign.apply(p, alpha, beta, "approx").sum().backward()
    step = 1e-6
    numeric = (smooth(p, alpha, beta.detach() + step) - smooth(p, alpha, beta.detach() - step)).sum() / (2 * step)
    assert beta.grad.item() == pytest.approx(numeric.item(), abs=1e-4)


@pytest.mark.parametrize("progress", [0.0, 0.6, 1.0])
def test_weight_gradient_equals_the_closed_form(progress):
    torch.manual_seed(4)
    w = torch.randn(3, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    grad = torch.randn_like(w)
    module = WeightQuantizer()
    module.progress = progress
    module(w).backward(grad)
    beta, alpha = module.statistics(w.detach())
    what = (w.detach() - beta) / alpha
    k, t = ste.ede_constants(progress)
    h = k * t * (1 - torch.tanh(t * what).square())
    b = ste.sign(what)
    n = w[0].numel()

    def mean(v):
        return v.mean(dim=(1, 2, 3), keepdim=True)

    closed = grad * h - mean(grad * h) - what * mean(grad * h * what) + what / n * (grad * b).sum((1, 2, 3), True)
    closed = closed + mean(grad)
    assert torch.allclose(w.grad, closed, atol=1e-6)
