"""Quantizers against numbers that the original implementations gave (`source` in each JSON).

Where a quantizer differs on purpose (sign(0) = +1, ties, a guard) the points are left out by name and the difference has its own test.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from aoienet import parts
from aoienet.quant import activation, ste
from aoienet.quant.act.uniform2 import Uniform2
from aoienet.quant.weight import rbnn as rbnn_file
from aoienet.quant.weight import recu as recu_file
from aoienet.quant.weights import WeightQuantizer
from tests.published import HERE, published


def same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def act(name: str, channels: int = 1, surrogate: str = ""):
    return parts.find("quant.act", name)(channels, surrogate)


def weight(name: str, shape) -> WeightQuantizer:
    return parts.find("quant.weight", name)(tuple(shape))


def run(quantizer, x: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """(q, dL/dx) for dL/dq = grad; a flat x is one map."""
    shape = x.shape
    leaf = (x if x.ndim == 4 else x.view(1, 1, 1, -1)).clone().requires_grad_()
    out = quantizer(leaf)
    out.backward(grad.view_as(out))
    return out.detach().view(shape), leaf.grad.view(shape)


def progress_of(t: float, first: float) -> float:
    """The progress at which an annealed t, from `first` to 10, has that value."""
    progress = (math.log10(t) - math.log10(first)) / (1.0 - math.log10(first))
    return min(1.0, max(0.0, progress))  # t is stored in float32


# ---- no file is forgotten

COVERED = {
    *(
        "adabin_activation",
        "adabin_weight",
        "bireal_activation",
        "bireal_weight",
        "reactnet_activation",
        "reactnet_weight",
    ),
    *("bnext_activation", "bnext_weight", "bnn_activation", "bnn_conv", "dorefa_activations", "dorefa_weights"),
    *("dsq_activations", "dsq_weights", "fracbnn_fast_sign", "fracbnn_quant_sign"),
    *(
        "groupnet_activations",
        "groupnet_weights",
        "ienet_weight",
        "ienet_conv_bias",
        "irnet_activations",
        "irnet_weights",
    ),
    *("rbnn_activations", "rbnn_rotation", "rbnn_weights", "recu_activations", "recu_weights"),
    *(
        "meliusnet_activation",
        "siman_activations",
        "siman_weights",
        "xnor_activation",
        "xnor_weights",
        "xnor_weights_1x1",
        "xnorpp_weights",
    ),
}


def test_every_stored_quantizer_is_compared_here():
    stored = {path.stem for path in HERE.glob("*.json")}
    wanted = {name for name in stored if "weight" in name or "activation" in name}
    assert wanted <= COVERED <= stored


# ---- plain signs


@pytest.mark.parametrize(
    ("name", "out", "surrogate"),
    [
        ("bireal_activation", "quantized", "approx"),
        ("bnext_activation", "quantized", "clip:1.5"),
        ("xnor_activation", "y", "clip_open"),
        ("bnn_activation", "y", "clip_open"),
        ("groupnet_activations", "y", "approx"),
        ("recu_activations", "y", "approx"),
        ("siman_activations", "y", "approx"),
    ],
)
def test_sign_and_its_surrogate(name, out, surrogate):
    d = published(name)
    q, dx = run(act("sign", surrogate=surrogate), d["inputs"]["x"], d["inputs"]["G"])
    same(q, d["outputs"][out])
    same(dx, d["gradients"]["x"])


@pytest.mark.parametrize(
    "name", ["bireal_activation", "bnext_activation", "xnor_activation", "irnet_activations", "recu_activations"]
)
def test_the_originals_have_a_third_value_at_zero_and_we_do_not(name):
    zeros = published(name)["zeros"]
    x = zeros.get("x", zeros.get("inputs", {}).get("x"))
    assert torch.equal(zeros.get("quantized", zeros.get("outputs", {}).get("y")), torch.zeros(len(x)))
    assert torch.equal(act("sign")(x.view(1, 1, 1, -1)).flatten(), torch.ones(len(x)))


@pytest.mark.parametrize("width", [1.0, 1.3])
def test_sign_of_meliusnet_with_its_edges_and_zero(width):
    d = published("meliusnet_activation")
    q, dx = run(act("sign", surrogate=f"clip:{width}"), d["inputs"]["x"], d["inputs"]["G"])
    assert 0.0 in d["inputs"]["x"] and width in d["inputs"]["x"].abs()
    same(q, d["outputs"]["y"])
    same(dx, d["gradients"][f"x_{width}"])


def test_group_net_squares_its_gradient_at_one_and_we_do_not():
    ones = published("groupnet_activations")["ones"]
    _, dx = run(act("sign", surrogate="approx"), ones["inputs"]["x"], torch.full((2,), 0.5))
    assert ones["gradients"]["x"].tolist() == [0.25, 0.0]
    assert dx.tolist() == [0.0, 0.0]


def test_irnet_sign_over_the_training():
    d = published("irnet_activations")
    for case, constants in d["config"].items():
        q = act("sign", surrogate="ede")
        q.progress = progress_of(constants["t"], 1e-3)
        out, dx = run(q, d["inputs"]["x"], d["inputs"]["G"])
        same(out, d["outputs"]["y"])
        same(dx, d["gradients"][f"x_{case}"])


def test_rbnn_sign_over_the_training():
    d = published("rbnn_activations")
    for i in range(5):
        p = progress_of(d["config"][f"case_{i}"]["t"], 1e-2)
        for surrogate, key in (("tri_rbnn_act", f"x_{i}"), ("tri_rbnn", f"x_weightform_{i}")):
            q = act("sign", surrogate=surrogate)
            q.progress = p
            out, dx = run(q, d["inputs"]["x"], d["inputs"]["G"])
            same(out, d["outputs"]["y"])
            same(dx, d["gradients"][key])


def test_ienet_surrogates_over_the_training():
    d = published("ienet_weight")
    for case in ("progress=0.0", "progress=0.5", "progress=1.0", "progress=default"):
        p = progress_of(d["config"][case]["t"], 1e-2)
        points = d["inputs"]["points"]
        same(ste.tri_ienet(points, p), d["gradients"][f"surrogate_weight.{case}"])
        same(ste.tri_ienet_act(points, p), d["gradients"][f"surrogate_activation.{case}"])


# ---- other activations


@pytest.mark.parametrize(("case", "alpha", "beta"), [("", 0.75, 0.25), (".init", 1.0, 0.0)])
def test_adabin_code(case, alpha, beta):
    d = published("adabin_activation")
    q = act("adabin_code", 3)
    with torch.no_grad():
        q.alpha.fill_(alpha)
        q.beta.fill_(beta)
    out, dx = run(q, d["inputs"]["x"], d["inputs"]["G"])
    same(out, d["outputs"][f"quantized{case}"])
    same(dx, d["gradients"][f"x{case}"])
    same(q.alpha.grad, d["gradients"][f"alpha{case}"])
    same(q.beta.grad, d["gradients"][f"beta{case}"])


def test_adabin_code_keeps_alpha_positive_where_the_original_does_not():
    d = published("adabin_activation")
    q = act("adabin_code", 3)
    with torch.no_grad():
        q.alpha.fill_(d["config"]["alpha_negative"])
        values = q(d["inputs"]["x"]).unique()
    assert d["outputs"]["quantized.alpha_negative"].max() > 0.5
    assert values.tolist() == pytest.approx([-1e-3, 1e-3])


def test_adabin_code_at_its_threshold_takes_the_high_value():
    d = published("adabin_activation")
    q = act("adabin_code")
    with torch.no_grad():
        q.alpha.fill_(0.75)
        q.beta.fill_(0.25)
    out, dx = run(q, d["zeros"]["x"], d["zeros"]["G"])
    assert d["zeros"]["quantized"][:2].tolist() == [0.1875, 0.1875]
    assert out[:2].tolist() == pytest.approx([0.9375, 0.9375])
    same(dx, d["zeros"]["gradient_x"])


def test_rsign_of_reactnet():
    d = published("reactnet_activation")
    q = act("rsign", 3)
    with torch.no_grad():
        q.threshold.copy_(-d["inputs"]["bias"].flatten())
    out, dx = run(q, d["inputs"]["x"], d["inputs"]["G"])
    same(out, d["outputs"]["quantized"])
    same(dx, d["gradients"]["x"])
    same(-q.threshold.grad, d["gradients"]["bias"].flatten())


def test_round01_of_dorefa_but_for_one_half_which_rounds_up():
    d = published("dorefa_activations")
    x = d["inputs"]["x"]
    out, dx = run(act("round01"), x, d["inputs"]["G"])
    half = x == 0.5
    same(out[~half], d["outputs"]["y_round"][~half])
    same(dx, d["gradients"]["x_round"])
    assert half.any() and (out[half] == 1).all() and (d["outputs"]["y_round"][half] == 0).all()


def test_the_port_of_dorefa_has_its_threshold_at_zero_and_we_follow_the_paper():
    d = published("dorefa_activations")
    x = d["inputs"]["x"]
    assert torch.equal(d["outputs"]["y_port"], (x > 0).float())


@pytest.mark.parametrize("case", range(3))
def test_dsq_activations(case):
    d = published("dsq_activations")
    q = act("dsq", 4)
    check_dsq(q, q.step, d, case, "x")


@pytest.mark.parametrize("case", range(3))
def test_dsq_weights(case):
    d = published("dsq_weights")
    q = weight("dsq", d["inputs"]["w_0"].shape)
    check_dsq(q, q.step, d, case, "w")


def check_dsq(q, step, d, case, letter):
    """The original takes the least and largest value of the clipped tensor as levels; where a value lies exactly on a bound it
    gets a share of the level's gradient there, so only the sum of the two is the same."""
    constants = d["config"][f"case_{case}"]
    with torch.no_grad():
        step.lower.fill_(constants["l"])
        step.upper.fill_(constants["u"])
        step.alpha.fill_(constants["alpha"])
    x, theirs = d["inputs"][f"{letter}_{case}"], d["gradients"]
    out, dx = run(q, x, d["inputs"][f"G_{case}"])
    same(out, d["outputs"][f"q_{case}"])
    edge = (x == constants["l"]) | (x == constants["u"])
    assert 1 <= edge.sum() <= 2
    same(dx[~edge], theirs[f"{letter}_{case}"][~edge])
    torch.testing.assert_close(step.alpha.grad, theirs[f"alpha_{case}"], rtol=1e-4, atol=1e-4)  # a sum of 200
    for level, bound in (("l", step.lower), ("u", step.upper)):
        on = x == constants[level]
        both = theirs[f"{level}_{case}"] + theirs[f"{letter}_{case}"][on].sum()
        torch.testing.assert_close(bound.grad + dx[on].sum(), both, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_uniform_of_fracbnn_but_for_its_ties(bits):
    d = published("fracbnn_quant_sign")
    kind = type("Uniform", (Uniform2,), {"bits": bits})
    q, x = kind(3), d["inputs"]["x"]
    out, dx = run(q, x, d["inputs"]["G"])
    tie = ((x.unsqueeze(-1) - q.thresholds).abs() < 1e-6).any(dim=-1)
    same(out[~tie], d["outputs"][f"bits={bits}"][~tie])
    same(dx, d["gradients"][f"bits={bits}.x"])
    assert tie.sum() < 0.2 * x.numel()
    high = -1 + q.step * (x.unsqueeze(-1) >= q.thresholds).sum(dim=-1)
    same(out[tie], high[tie])


@pytest.mark.parametrize(
    ("name", "surrogate", "progress", "eps"),
    [("siman_activations", "approx", 0.0, 1e-5), ("rbnn_activations", "tri_rbnn_act", progress_of(2.0, 1e-2), 0.0)],
)
def test_sample_norm_of_siman_and_of_rbnn_which_has_nothing_under_the_root(name, surrogate, progress, eps, monkeypatch):
    monkeypatch.setattr(activation, "SAMPLE_EPS", eps)
    d = published(name)
    q = act("sample_norm", surrogate=surrogate)
    q.progress = progress
    out, dx = run(q, d["inputs"]["a"], d["inputs"]["G_a"])
    same(out, d["outputs"]["a_binary"])
    same(dx, d["gradients"]["a"])


def test_std_sign_of_recu_in_training_and_evaluation():
    d = published("recu_activations")
    q = act("std_sign", surrogate="approx")
    for mode in ("train", "eval"):
        q.train(mode == "train")
        out, dx = run(q, d["inputs"]["a"], d["inputs"]["G_a"])
        same(out, d["outputs"]["a_binary"])
        same(dx, d["gradients"][f"a_{mode}"])


def test_std_sign_and_weights_of_ienet_in_a_convolution():
    d = published("ienet_conv_bias")
    x, w = (d["inputs"][k].clone().requires_grad_() for k in ("x", "param.weight"))
    q, wq = act("std_sign", surrogate="tri_ienet_act"), weight("ienet", w.shape)
    q.progress = wq.progress = d["config"]["progress"]
    out = F.conv2d(q(x), wq(w), d["inputs"]["param.bias"], stride=2, padding=1) * d["inputs"]["param.alpha"]
    out.backward(d["inputs"]["G"])
    same(out.detach(), d["outputs"]["train"])
    same(x.grad, d["gradients"]["x"])
    same(w.grad, d["gradients"]["param.weight"])
    assert torch.equal(q.eval()(x), q.train()(x))


# ---- weights


@pytest.mark.parametrize(
    ("name", "part", "inside", "out", "gradient"),
    [
        ("bireal_weight", "scaled_sign", "weight", "quantized", "weight"),
        ("reactnet_weight", "scaled_sign", "weight", "quantized", "weight"),
        ("fracbnn_fast_sign", "sign", "weight", "quantized", "weight"),
        ("dorefa_weights", "dorefa", "w", "binary", "w"),
        ("groupnet_weights", "dorefa", "w", "binary", "w"),
    ],
)
def test_weights_without_state(name, part, inside, out, gradient):
    d = published(name)
    w = d["inputs"][inside]
    q, dw = run(weight(part, w.shape), w, d["inputs"]["G"])
    same(q, d["outputs"][out])
    same(dw, d["gradients"][gradient])


@pytest.mark.parametrize(("name", "part"), [("bireal_weight", "scaled_sign"), ("adabin_weight", "affine_ede")])
def test_a_zero_weight_is_the_high_value(name, part):
    zeros = published(name)["zeros"]
    w = zeros["weight"]
    q, _ = run(weight(part, w.shape), w, zeros["G"])
    assert (zeros["quantized"][w == 0] == 0).all()
    same(q[w != 0], zeros["quantized"][w != 0])
    same(q[w == 0], q.max().expand(3))


@pytest.mark.parametrize(
    ("name", "part", "first", "inside", "out"),
    [
        ("adabin_weight", "affine_ede", 1e-3, "weight", "quantized"),
        ("irnet_weights", "irnet", 1e-3, "w", "binary"),
        ("ienet_weight", "ienet", 1e-2, "weight", "quantized"),
    ],
)
def test_annealed_weights_over_the_training(name, part, first, inside, out):
    d = published(name)
    w = d["inputs"][inside]
    separator = "_" if f"{inside}_epoch0" in d["gradients"] else "."
    cases = [c for c, v in d["config"].items() if isinstance(v, dict)]
    assert len(cases) >= 3
    for case in cases:
        q = weight(part, w.shape)
        q.progress = progress_of(d["config"][case]["t"], first)
        values, dw = run(q, w, d["inputs"]["G"])
        same(values, d["outputs"][out])
        same(dw, d["gradients"][f"{inside}{separator}{case}"])


def test_bnn_weights_get_every_gradient_and_stay_in_their_window():
    d = published("bnn_activation")
    w = d["inputs"]["x"].view(1, 1, 1, -1)
    q = weight("bnn", w.shape)
    latent = w.clone().requires_grad_()
    out = q(latent)
    out.backward(d["inputs"]["G"].view_as(w))
    same(out.detach().flatten(), d["outputs"]["y_weight"])
    same(latent.grad.flatten(), d["gradients"]["x_weight"])
    assert w.abs().max() > 1 and torch.equal(latent.detach(), w.clamp(-1, 1))


def test_bnn_convolution():
    d = published("bnn_conv")
    x, w = (d["inputs"][k].clone().requires_grad_() for k in ("x", "weight"))
    out = F.conv2d(act("sign", surrogate="identity")(x), weight("bnn", w.shape)(w), d["inputs"]["bias"], padding=1)
    out.backward(d["inputs"]["G"])
    same(out.detach(), d["outputs"]["y"])
    same(x.grad, d["gradients"]["x"])
    same(w.grad, d["gradients"]["weight"])


@pytest.mark.parametrize("name", ["xnor_weights", "xnor_weights_1x1"])
def test_xnor_weights_but_for_the_factor_on_the_gradient(name):
    d = published(name)
    w = d["inputs"]["w"]
    latent = w.clone().requires_grad_()
    out = weight("xnor", w.shape)(latent)
    out.backward(d["inputs"]["G"])
    same(latent.detach(), d["outputs"]["latent"])
    same(out.detach(), d["outputs"]["binary"])
    factor = d["config"]["n"] * (1 - 1 / d["config"]["c_in"])
    same(latent.grad * factor, d["gradients"]["w"])


def test_weights_of_the_library_behind_xnor_net_plus_plus():
    class Plain(WeightQuantizer):
        name = "plain"
        surrogate = "clip_open"

    class Scaled(Plain):
        scale = "mean_abs_o"

    d = published("xnorpp_weights")
    w, grad = d["inputs"]["w"], d["inputs"]["G"]
    for kind, case in ((Plain, "plain"), (Scaled, "scaled")):
        q, dw = run(kind(tuple(w.shape)), w, grad)
        same(q, d["outputs"][case])
        same(dw, d["gradients"][f"w_{case}"])
    leaf = w.clone().requires_grad_()
    q = Scaled(tuple(w.shape))(leaf - leaf.mean(dim=1, keepdim=True))
    q.backward(grad)
    same(q.detach(), d["outputs"]["centred_scaled"])
    same(leaf.grad, d["gradients"]["w_centred_scaled"])


@pytest.mark.parametrize("case", range(4))
def test_rbnn_weights_with_the_gradient_of_its_code(case, monkeypatch):
    monkeypatch.setattr(rbnn_file.RBNN, "ROTATION_GRAD", False)
    d = published("rbnn_weights")
    q = rbnn_at(d, case)
    out, dw = run(q, d["inputs"]["w"], d["inputs"]["G"])
    same(out, d["outputs"]["binary"])
    same(dw, d["gradients"][f"w_{case}"])
    torch.testing.assert_close(q.theta.grad, d["gradients"][f"theta_{case}"], rtol=1e-4, atol=1e-5)


def rbnn_at(d, case):
    q = weight("rbnn", d["inputs"]["w"].shape)
    q.progress = progress_of(d["config"][f"case_{case}"]["t"], 1e-2)
    q.r1.copy_(d["inputs"]["R1"])
    q.r2.copy_(d["inputs"]["R2"])
    with torch.no_grad():
        q.theta.copy_(d["inputs"]["theta"])
    return q


def test_rbnn_at_its_start_learns_only_through_the_rotation():
    d = published("rbnn_weights")
    assert d["inputs"]["theta"].flatten()[0].item() == pytest.approx(math.pi / 2)
    assert d["gradients"]["w_2"][0].abs().max() == 0  # the code: no gradient at all
    _, dw = run(rbnn_at(d, 2), d["inputs"]["w"], d["inputs"]["G"])
    assert dw[0].abs().max() > 0.01


def test_rbnn_rotations_after_three_iterations():
    d = published("rbnn_rotation")
    w = d["inputs"]["w"]
    q = weight("rbnn", w.shape)
    q.r1.copy_(d["inputs"]["R1"])
    q.r2.copy_(d["inputs"]["R2"])
    q.refresh(w)
    torch.testing.assert_close(q.r1, d["outputs"]["R1"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(q.r2, d["outputs"]["R2"], rtol=1e-4, atol=1e-4)
    x, r1, r2 = q.matrices(q.normalised(w)[0])
    torch.testing.assert_close((r1.T @ x @ r2).view_as(w), d["outputs"]["rotated"], rtol=1e-4, atol=1e-4)


def test_recu_weights_over_the_training():
    d = published("recu_weights")
    for case, constants in d["config"].items():
        q = weight("recu", d["inputs"]["w"].shape)
        q.progress = int(case.removeprefix("epoch")) / 600
        assert recu_file.tau(q.progress) == pytest.approx(constants["tau"], rel=1e-6)
        out, dw = run(q, d["inputs"]["w"], d["inputs"]["G"])
        same(out, d["outputs"]["binary"])
        same(dw, d["gradients"][f"w_{case}"])


@pytest.mark.parametrize("case", range(4))
def test_siman_weights(case):
    d = published("siman_weights")
    w = d["inputs"][f"w_{case}"]
    q = weight("siman", w.shape)
    q.progress = 1 - d["config"][f"case_{case}"]["percent"] / 15
    q.refresh(w)
    latent = w.clone().requires_grad_()
    out = q(latent)
    out.backward(d["inputs"][f"G_{case}"])
    same(latent.detach(), d["outputs"][f"latent_{case}"])
    same(out.detach(), d["outputs"][f"binary_{case}"])
    same(latent.grad, d["gradients"][f"w_{case}"])


def test_bnext_weights_while_they_cool():
    d = published("bnext_weight")
    w = d["inputs"]["weight"]
    for temperature in d["config"]["temperatures"]:
        q = weight("bnext", w.shape)
        q.temperature.fill_(temperature)
        latent = w.clone().requires_grad_()
        out = q(latent)
        out.backward(d["inputs"]["G"])
        same(out.detach(), d["outputs"][f"train.T={temperature}"])
        same(latent.detach(), d["outputs"]["clamped_parameter"])
        same(latent.grad, d["gradients"][f"train.T={temperature}.weight"])
        same(q.eval()(w), d["outputs"][f"eval.T={temperature}"])


def test_bnext_cools_as_published_at_512_epochs():
    q = weight("bnext", (2, 2, 1, 1))
    q.progress = 100 / 512
    q.refresh(torch.zeros(2, 2, 1, 1))
    assert q.temperature.item() == pytest.approx(0.9**100)
    assert not q.binary
