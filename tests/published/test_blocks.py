"""Blocks against numbers that the original implementations gave (`source` in each JSON): forward in training and evaluation,
gradients of the input and of every parameter, running statistics.

Where a block differs on purpose, the difference is set back by name (DIFFERENCES) or the file is excluded with the reason (EXCLUDED).
"""

import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from aoienet.models.blocks.unit import Unit
from aoienet.models.zoo import adabin, bireal, fracbnn, ienet, irnet, rbnn, reactnet, recu, siman, xnor
from aoienet.nn.activation.maxout import Maxout
from aoienet.nn.activation.rprelu import RPReLU
from aoienet.nn.cell import Cell
from aoienet.nn.conv import BinaryConv2d, thermometer
from aoienet.nn.layer import BinaryLayer
from aoienet.nn.multi.gated import Gated
from aoienet.nn.scale.learned import LearnedScale
from aoienet.quant import ste
from aoienet.quant.act.adabin_code import AdaBinCode
from aoienet.quant.weight.rbnn import RBNN
from aoienet.quant.weight.recu import TAU_FIRST, TAU_LAST
from tests.published import HERE, published

EXCLUDED = {
    "bnn_block": "adds before the second batch norm; the units here add behind it (models/zoo/bnn.py says so)",
    "bnn_block_down": "as bnn_block",
}
ELSEWHERE = ("bnext_", "groupnet_", "meliusnet_", "realtobinary_")


def same(ours: Tensor, theirs: Tensor, what: str, tolerance: float = 2e-5) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=tolerance, msg=lambda text: f"{what}: {text}")


@dataclass(frozen=True)
class Case:
    """names: ours -> theirs; "-" in front negates, several with "|" are stacked. first: start of the annealed t."""

    file: str
    cell: Cell
    units: tuple[Unit, ...]
    names: dict[str, str]
    first: float = 0.0


def bn(ours: str, theirs: str) -> dict[str, str]:
    """Weight, bias and statistics of a batch norm."""
    theirs_of = {key: "|".join(f"{t}.{key}" for t in theirs.split("|")) for key in BN_NAMES}
    return {f"{ours}.{key}": theirs_of[key] for key in BN_NAMES}


BN_NAMES = ("weight", "bias", "running_mean", "running_var")


def pair(names: dict[str, str]) -> dict[str, str]:
    """Names of a block of two equal halves: "@" is the unit's number in ours, "#" the number in theirs."""
    return {
        ours.replace("@", str(i)): theirs.replace("#", str(i + 1)) for i in range(2) for ours, theirs in names.items()
    }


HALF = {"@.layers.0.conv.weight": "conv#.weight", **bn("@.layers.0.bn", "bn#")}
ALPHA = {"@.layers.0.scale.factor": "conv#.alpha"}
ROTATION = {
    f"@.layers.0.conv.weight_q.{ours}": f"conv#.{t}" for ours, t in (("theta", "rotate"), ("r1", "R1"), ("r2", "R2"))
}
DOWN = {"0.shortcut.conv.weight": "downsample.1.weight", **bn("0.shortcut.bn", "downsample.2")}
ADABIN = HALF | {
    "@.layers.0.planes.act.alpha": "conv#.binary_a.alpha_a",
    "@.layers.0.planes.act.beta": "conv#.binary_a.beta_a",
    "@.act.pos": "nonlinear#.pos_scale",
    "@.act.neg": "nonlinear#.neg_scale",
}
BIREAL = {"0.layers.0.conv.weight": "binary_conv.weights", **bn("0.layers.0.bn", "bn1")}
REACT = {
    "0.layers.0.planes.act.threshold": "-move0.bias",
    "0.layers.0.conv.weight": "binary_conv.weight",
    **bn("0.layers.0.bn", "bn1"),
    "0.act.before": "-move1.bias",
    "0.act.prelu.weight": "prelu.weight",
    "0.act.after": "move2.bias",
}
MOBILE = {
    "@.layers.0.planes.act.threshold": "-move#1.bias",
    "@.act.before": "-move#2.bias",
    "@.act.prelu.weight": "prelu#.weight",
    "@.act.after": "move#3.bias",
}
MOBILE_3X3 = pair(MOBILE) | {"0.layers.0.conv.weight": "binary_3x3.weights", **bn("0.layers.0.bn", "bn1")}
MOBILE_SAME = MOBILE_3X3 | {"1.layers.0.conv.weight": "binary_pw.weights", **bn("1.layers.0.bn", "bn2")}
MOBILE_TWICE = MOBILE_3X3 | {
    "1.layers.0.conv.weight": "binary_pw_down1.weights|binary_pw_down2.weights",
    **bn("1.layers.0.bn", "bn2_1|bn2_2"),
}
IENET = {
    "0.layers.0.planes.shift": "shift1|shift2",
    "0.layers.0.planes.factor": "scale.w1",
    "0.layers.0.conv.weight": "binary_conv1.weight",
    "0.layers.0.scale.factor": "binary_conv1.alpha",
    **bn("0.layers.0.bn", "bn1"),
}
RPRELU = {
    "@.out_act.before": "-rprelu#.shift_x.bias",
    "@.out_act.prelu.weight": "rprelu#.prelu.weight",
    "@.out_act.after": "rprelu#.shift_y.bias",
}
FRACBNN = (
    pair(HALF | RPRELU | {"@.layers.0.planes.threshold": "conv#.threshold"})
    | bn("0.shift", "bn3")
    | bn("1.shift", "bn4")
)
FRACBNN_IMAGENET = pair(RPRELU) | {
    "0.layers.0.conv.weight": "conv3x3.0.weight",
    "0.layers.0.planes.threshold": "conv3x3.0.threshold",
    **bn("0.layers.0.bn", "conv3x3.1"),
    "1.layers.0.conv.weight": "pointwise.0.weight",
    "1.layers.0.planes.threshold": "pointwise.0.threshold",
    **bn("1.layers.0.bn", "pointwise.1"),
    **bn("0.shift", "shiftbn1"),
    **bn("1.shift", "shiftbn2"),
}
XNOR = {**bn("0.layers.0.pre_bn", "bn"), "0.layers.0.conv.weight": "conv.weight", "0.layers.0.scale.bias": "conv.bias"}

SAME, DOUBLE = (Unit(4), Unit(4)), (Unit(8, stride=2), Unit(8))
CASES = [
    Case("adabin_block_s1", adabin.CELL, SAME, pair(ADABIN), 1e-3),
    Case("adabin_block_s2", adabin.CELL, DOUBLE, pair(ADABIN), 1e-3),
    Case("adabin_imagenet_block_s2", adabin.REAL_1X1, DOUBLE, pair(ADABIN) | DOWN, 1e-3),
    Case("bireal_block_s1", bireal.CELL, SAME[:1], BIREAL),
    Case("bireal_block_s2", bireal.CELL, DOUBLE[:1], BIREAL | DOWN),
    Case("fracbnn_block_s1", fracbnn.CELL, SAME, FRACBNN),
    Case("fracbnn_block_s2", fracbnn.CELL, DOUBLE, FRACBNN),
    Case(
        "fracbnn_imagenet_block_s2",
        replace(fracbnn.CELL, shortcut="avgpool_dup_4bit"),
        (Unit(4, 3, 2), Unit(8, 1, 1)),
        FRACBNN_IMAGENET,
    ),
    Case("ienet_block_s1", ienet.CELL, SAME[:1], IENET, 1e-2),
    Case("ienet_block_s2", ienet.CELL, DOUBLE[:1], IENET, 1e-2),
    Case("irnet_block", irnet.CELL, SAME, pair(HALF), 1e-3),
    Case("irnet_block_down", irnet.CELL, DOUBLE, pair(HALF), 1e-3),
    Case("rbnn_block", rbnn.CELL, SAME, pair(HALF | ALPHA | ROTATION), 1e-2),
    Case("reactnet_resnet_block_s1", reactnet.CELL, SAME[:1], REACT),
    Case("reactnet_resnet_block_s2", reactnet.RESNET18.cell, DOUBLE[:1], REACT | DOWN),
    Case("reactnet_mobilenet_block_s1", reactnet.CELL, (Unit(4), Unit(4, 1)), MOBILE_SAME),
    Case("reactnet_mobilenet_block_s1_double", reactnet.CELL, (Unit(4), Unit(8, 1)), MOBILE_TWICE),
    Case("reactnet_mobilenet_block_s2_double", reactnet.CELL, (Unit(4, 3, 2), Unit(8, 1)), MOBILE_TWICE),
    Case("recu_block", recu.CELL, SAME, pair(HALF | ALPHA)),
    Case("recu_block_down", recu.CELL, DOUBLE, pair(HALF | ALPHA)),
    Case("siman_block", siman.CELL, SAME, pair(HALF | ALPHA | {"@.act.weight": "nonlinear#.weight"})),
    # the weights of this file are used as given
    Case("xnor_block", replace(xnor.CELL, weight_q="real", surrogate="clip_open"), (Unit(6, join="none"),), XNOR),
]


def test_every_stored_block_is_compared_or_excluded_with_the_reason():
    stored = {p.stem for p in HERE.glob("*block*.json") if not p.stem.startswith(ELSEWHERE)}
    assert stored == {case.file for case in CASES} | set(EXCLUDED)


def progress_of(config: dict, first: float) -> float:
    """The share of training at which the annealed t, ReCU's tau or SiMaN's percent has the stored value."""
    if "tau" in config:
        a = (TAU_LAST - TAU_FIRST) / (math.e - 1)
        return math.log((config["tau"] - TAU_FIRST + a) / a)
    if "t" in config:
        return (math.log10(config["t"]) - math.log10(first)) / (1.0 - math.log10(first))
    return 0.0


def stack(values: dict[str, Tensor], theirs: str) -> Tensor | None:
    """Their values under our name, flat; None where the file lacks them."""
    sign = -1 if theirs.startswith("-") else 1
    found = [values.get(f"{p}{n}") for n in theirs.lstrip("-").split("|") for p in PREFIXES if f"{p}{n}" in values]
    return sign * torch.cat([v.flatten() for v in found]) if found else None


PREFIXES = ("param.", "buffer.", "")


def build(case: Case, d: dict) -> nn.Sequential:
    channels, units = d["inputs"]["x"].shape[1], []
    for unit in case.units:
        units.append(unit.build(channels, case.cell))
        channels = unit.out
    block = nn.Sequential(*units)
    state = block.state_dict()
    given = [theirs for theirs in case.names.values() if stack(d["inputs"], theirs) is not None]
    known = {n.lstrip("-") for theirs in given for n in theirs.split("|")}
    assert {k.removeprefix("param.").removeprefix("buffer.") for k in d["inputs"]} == known | {"x", "G"}
    for ours, theirs in case.names.items():
        value = stack(d["inputs"], theirs)
        if value is not None:
            state[ours].copy_(value.view(state[ours].shape))
    for module in block.modules():
        if hasattr(module, "progress"):
            module.progress = progress_of(d["config"], case.first)
        if hasattr(module, "percent"):
            module.percent.fill_(d["config"]["percent"])
        if isinstance(module, nn.BatchNorm2d):
            module.eps = d["config"].get("bn_eps", 1e-5)
    return block


def with_their_ways(case: Case, monkeypatch) -> None:
    """DIFFERENCES, set back. sign(0) is 0 there, and some stored inputs lie exactly on a threshold (SiMaN's weights have no sign).
    RBNN's code detaches the rotated weights; quant/weight/rbnn.py says why this project does not."""
    ours = AdaBinCode.forward
    if case.file != "siman_block":
        monkeypatch.setattr(ste, "sign", torch.sign)
    monkeypatch.setattr(AdaBinCode, "forward", lambda self, p: ours(self, p) - self.alpha * (p == self.beta))
    monkeypatch.setattr(RBNN, "ROTATION_GRAD", False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_block_equals_the_original(case, monkeypatch):
    with_their_ways(case, monkeypatch)
    d = published(case.file)
    inputs, outputs, gradients = d["inputs"], d["outputs"], d["gradients"]
    block = build(case, d)
    if "eval" in outputs:
        same(block.eval()(inputs["x"]), outputs["eval"], "eval")
    x = inputs["x"].clone().requires_grad_()
    y = block.train()(x)
    same(y, outputs.get("train", outputs.get("y")), "train")
    (y * inputs["G"]).sum().backward()
    same(x.grad, gradients["x"], "gradient of x", 1e-4)
    compared = 1
    for name, p in block.named_parameters():
        theirs = stack(gradients, case.names[name])
        same(p.grad.flatten(), theirs, f"gradient of {name}", 1e-4)
        compared += len(case.names[name].split("|"))
    assert compared == len(gradients)
    if "y" in outputs:
        for ours, theirs in case.names.items():
            statistics = stack(outputs, theirs)
            if statistics is not None:
                same(block.state_dict()[ours].flatten(), statistics, ours)


# ---- parts of blocks


@pytest.mark.parametrize(
    ("file", "module", "names"),
    [
        ("adabin_maxout", Maxout(4), {"pos": "pos", "neg": "neg"}),
        (
            "fracbnn_rprelu",
            RPReLU(4),
            {"before": "-shift_x.bias", "prelu.weight": "prelu.weight", "after": "shift_y.bias"},
        ),
        (
            "reactnet_rprelu",
            RPReLU(4),
            {"before": "-move1.bias", "prelu.weight": "prelu.weight", "after": "move2.bias"},
        ),
        ("xnorpp_scale", LearnedScale(BinaryConv2d(4, 4, 1, 1, "sign"), (0, 0)), {"factor": "alpha"}),
    ],
)
def test_nonlinearity_or_scale_equals_the_original(file, module, names):
    d = published(file)
    for ours, theirs in names.items():
        parameter = module.get_parameter(ours)
        parameter.data = stack(d["inputs"], theirs)
    x = d["inputs"]["x"].clone().requires_grad_()
    y = module(x, x) if file == "xnorpp_scale" else module(x)
    (y * d["inputs"]["G"]).sum().backward()
    same(y, d["outputs"].get("train", d["outputs"].get("y")), "output")
    aside = (
        x == 0 if file == "adabin_maxout" else torch.zeros_like(x, dtype=torch.bool)
    )  # at 0: nothing there, `pos` here
    same(x.grad[~aside], d["gradients"]["x"][~aside], "gradient of x")
    for ours, theirs in names.items():
        same(module.get_parameter(ours).grad.flatten(), stack(d["gradients"], theirs), f"gradient of {ours}")


def test_precision_gating_equals_the_original():
    d = published("fracbnn_pg_conv")
    gated, conv = Gated(4, 4, Cell(act_q="uniform2")), BinaryConv2d(4, 4, 3, 1, "sign")
    gated.act = nn.Identity()  # the stored input is quantized already
    conv.weight.data, gated.threshold.data = d["inputs"]["param.weight"], d["inputs"]["param.threshold"].flatten()
    x = d["inputs"]["x"].clone().requires_grad_()
    y = gated(x, conv)
    (y * d["inputs"]["G"]).sum().backward()
    same(y, d["outputs"]["train"], "output")
    same(x.grad, d["gradients"]["x"], "gradient of x", 1e-4)
    same(conv.weight.grad, d["gradients"]["param.weight"], "gradient of the weights", 1e-4)
    same(gated.threshold.grad, d["gradients"]["param.threshold"].flatten(), "gradient of the threshold", 1e-4)


def test_dual_convolution_equals_the_originals_with_one_factor_and_no_bias():
    """The CIFAR ResNet-18 of IE-Net has one c for all outputs, and a bias before the scale, which its batch norm takes out."""
    d = published("ienet_dual_scalar")
    inputs, c = {k.removeprefix("param."): v for k, v in d["inputs"].items()}, float(d["inputs"]["param.scale.w1"])
    layer = BinaryLayer(4, 4, 3, 1, replace(ienet.CELL, bn=False))
    layer.conv.weight.data, layer.scale.factor.data = inputs["conv.weight"], inputs["conv.alpha"].flatten()
    layer.planes.shift.data = torch.stack([inputs["shift1"].flatten(), inputs["shift2"].flatten()])
    layer.planes.factor.data.fill_(c)
    for module in layer.modules():
        if hasattr(module, "progress"):
            module.progress = d["config"]["progress"]
    x = inputs["x"].clone().requires_grad_()
    y = layer(x)
    (y * inputs["G"]).sum().backward()
    constant = (1 + c) * layer.scale.factor * inputs["conv.bias"]
    same(y + constant.view(-1, 1, 1), d["outputs"]["train"], "output")
    same(x.grad, d["gradients"]["x"], "gradient of x", 1e-4)
    same(layer.conv.weight.grad, d["gradients"]["param.conv.weight"], "gradient of the weights", 1e-4)
    for i in range(2):
        same(layer.planes.shift.grad[i], d["gradients"][f"param.shift{i + 1}"].flatten(), "gradient of a shift", 1e-4)


def test_thermometer_equals_the_original_but_at_half_steps():
    """Theirs rounds u / 8 half to even, ours half up (docs/format.md): they part where u is 4, 20, 36 ..."""
    d = published("fracbnn_thermometer")
    pixels = (255 * d["inputs"]["image"]).round()
    ours, theirs = (planes.unflatten(1, (3, 32)) for planes in (thermometer(pixels), d["outputs"]["planes"]))
    half_down = (pixels % 16 == 4)[:, :, None].expand_as(ours)
    assert half_down.any() and torch.equal(ours[~half_down], theirs[~half_down])
    assert ((ours != theirs).sum(dim=2) == (pixels % 16 == 4)).all()
