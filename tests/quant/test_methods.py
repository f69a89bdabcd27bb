"""What single methods promise beyond the contract: state, schedules, ties."""

import pytest
import torch

from aoienet import parts
from aoienet.quant.weight import rbnn as rbnn_file
from aoienet.quant.weight import recu as recu_file


def weight(name: str, shape):
    return parts.find("quant.weight", name)(shape)


@pytest.mark.parametrize(
    ("n", "expected"), [(36, (6, 6)), (144, (12, 12)), (27, (3, 9)), (7, (1, 7)), (4608, (64, 72))]
)
def test_rbnn_sides_are_as_square_as_the_number_allows(n, expected):
    assert rbnn_file.sides(n) == expected


def test_rbnn_refresh_brings_the_weights_closer_to_their_signs_by_rotations():
    torch.manual_seed(0)
    w = torch.randn(16, 8, 3, 3)
    q = weight("rbnn", w.shape)

    def reached():
        x, r1, r2 = q.matrices(q.normalised(w)[0])
        return (r1.T @ x @ r2).abs().sum().item()

    before = reached()
    q.refresh(w)
    assert reached() > 1.02 * before
    for r in (q.r1, q.r2):
        torch.testing.assert_close(r @ r.T, torch.eye(len(r)), atol=1e-5, rtol=0)


def test_rbnn_without_its_rotation_is_the_plain_sign():
    w = torch.randn(4, 4, 3, 3)
    q = weight("rbnn", w.shape)
    with torch.no_grad():
        q.theta.zero_()
    assert torch.equal(q(w).detach(), torch.where(w >= w.mean(dim=(1, 2, 3), keepdim=True), 1.0, -1.0))


def test_siman_halves_each_filter_by_magnitude_and_its_clamp_fades():
    torch.manual_seed(1)
    q = weight("siman", (4, 4, 3, 3))
    w = torch.randn(4, 4, 3, 3)
    assert q.percent == 0
    percents = []
    for q.progress in (0.0, 0.5, 1.0):
        q.refresh(w)
        percents.append(q.percent.item())
    assert percents == [15.0, 7.5, 0.0]
    out = q(w).detach()
    assert (out.sum(dim=(1, 2, 3)) == 0).all()
    sizes = (w - w.mean(dim=(1, 2, 3), keepdim=True)).abs()
    for size, bits in zip(sizes, out > 0, strict=True):
        assert size[bits].min() > size[~bits].max()


def test_siman_clamps_the_latent_weights_to_percentiles_of_the_layer():
    torch.manual_seed(2)
    w = torch.randn(4, 4, 3, 3)
    q = weight("siman", w.shape)
    q.percent.fill_(15.0)
    size = (w - w.mean(dim=(1, 2, 3), keepdim=True)).abs()
    q(w)
    low, high = torch.quantile(size, torch.tensor([0.15, 0.85]))
    assert w.abs().min().item() == pytest.approx(low.item()) and w.abs().max().item() == pytest.approx(high.item())


def test_recu_tau_is_convex_from_first_to_last():
    tau = [recu_file.tau(p) for p in (0.0, 0.5, 1.0)]
    assert tau[0] == pytest.approx(0.85) and tau[2] == pytest.approx(0.99)
    assert 0.85 < tau[1] < 0.92


def test_recu_gives_the_tails_no_gradient():
    torch.manual_seed(3)
    w = torch.randn(2, 8, 3, 3, requires_grad=True)
    q = weight("recu", w.shape)
    n = recu_file.LAPLACE * q.normalised(w)[0]
    bound = -n.detach().abs().mean() * torch.log(torch.tensor(2 - 2 * 0.85))
    inside = (q.transform(q.normalised(w)[0]) == n).detach()
    assert torch.equal(inside, n.detach().abs() <= bound) and 0 < (~inside).sum() < 0.5 * inside.numel()


def test_bnext_is_refused_while_it_is_soft_and_binary_once_cold():
    w = torch.randn(4, 3, 3, 3)
    q = weight("bnext", w.shape)
    assert q.binary
    q.refresh(w)
    assert not q.binary and len(q(w).unique()) > 2
    q.progress = 0.31
    q.refresh(w)
    assert q.binary and q(w).unique().tolist() == [-1, 1]


def test_latent_weights_are_clipped_in_training_and_left_alone_in_evaluation():
    for name, bound in (("bnn", 1.0), ("bnext", 1.5), ("xnor", 1.0)):
        w = 3 * torch.randn(4, 3, 3, 3)
        before = w.clone()
        q = weight(name, w.shape).eval()
        evaluated = q(w)
        assert torch.equal(w, before)
        trained = q.train()(w)
        assert w.abs().max() == bound
        torch.testing.assert_close(evaluated, trained)


def test_circulant_filters_are_quarter_turns_of_one_and_so_are_their_gradients():
    torch.manual_seed(4)
    w = torch.randn(10, 3, 3, 3, requires_grad=True)  # two groups of four, two left alone
    q = weight("circulant", w.shape)(w)
    q.backward(torch.randn_like(w))
    for first in (0, 4):
        for m in range(1, 4):
            for tied in (q.detach(), w.grad):
                torch.testing.assert_close(tied[first + m], torch.rot90(tied[first], m, dims=(1, 2)))
    assert torch.equal(torch.sign(q[8:]), torch.sign(w[8:]))


def test_irnet_scale_is_a_power_of_two():
    w = torch.randn(4, 4, 3, 3)
    w[0, 0, 0, 0] = 30.0  # a heavy tail
    _, _, step = weight("irnet", w.shape).binary_set(w.double())
    exponents = torch.log2(step / 2)
    assert torch.equal(exponents, exponents.round()) and exponents[0] < 0
