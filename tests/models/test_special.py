"""Networks with blocks of their own: known counts, gradients, the originals' numbers, packed form against training form."""

import re
from dataclasses import replace

import pytest
import torch
from tests.packing import packed, tracer
from tests.published import published

from aoienet.deploy import export, pictures, verify
from aoienet.deploy.cost import cost_of
from aoienet.models import create_model, specs
from aoienet.models.blocks.groups import Group
from aoienet.models.blocks.hourglass import Hourglass
from aoienet.models.blocks.recoupled import Excite, Recoupled, RecoupledUnit
from aoienet.models.blocks.transition import Transition
from aoienet.models.blocks.unit import Unit
from aoienet.models.zoo import bbg, bnext, bnsc, cbcn, drcdct, groupnet, meliusnet, realtobinary, resnet, sibnn
from aoienet.quant import ste

FILES = (bbg, bnext, bnsc, cbcn, drcdct, groupnet, meliusnet, realtobinary, resnet, sibnn)
NAMES = sorted(spec.name for file in FILES for spec in file.SPECS)
FLOAT = [name for name in NAMES if specs()[name].cell.act_q == "real"]


@pytest.fixture(autouse=True)
def one_seed():
    torch.manual_seed(0)


# ---- a level of a U-Net


def test_an_hourglass_adds_its_blocks_at_half_the_size():
    spec = specs()["aoienet_cifar"]
    level = Hourglass((Unit(32, stride=2), Unit(16, join="none")))
    net = level.build(16, spec.cell).eval()
    x = torch.randn(1, 16, 7, 10)
    with torch.no_grad():
        inner, whole = net.units(x), net(x)
    assert inner.shape == (1, 16, 4, 5)
    for row, column in ((0, 0), (3, 9), (6, 4)):
        torch.testing.assert_close(whole[..., row, column], x[..., row, column] + inner[..., row // 2, column // 2])


def test_an_hourglass_sees_as_far_as_its_coarser_level():
    """Real numbers for bits, so that a gradient tells what is seen."""
    cell = replace(specs()["aoienet_cifar"].cell, act_q="real", weight_q="real", multi="single")
    level = Hourglass(
        (Unit(32, stride=2), Hourglass((Unit(64, stride=2), Unit(32, join="none"))), Unit(16, join="none"))
    )
    ((kernel, stride),) = level.geometry
    x = torch.randn(1, 16, 64, 64, requires_grad=True)
    net = level.build(16, cell).eval()
    furthest = 0
    for place in range(28, 36):
        (gradient,) = torch.autograd.grad(net(x)[0, :, place, place].sum(), x)
        seen = gradient[0].abs().sum((0, 1)).nonzero()
        furthest = max(furthest, place - int(seen.min()), int(seen.max()) - place)
    assert (furthest, stride) == (kernel // 2, 1)


@pytest.mark.parametrize(
    "blocks", [(Unit(32, stride=2),), (Unit(16),), (Unit(32, stride=2), Unit(16, stride=2, join="none"))]
)
def test_an_hourglass_ends_as_it_begins(blocks):
    with pytest.raises(ValueError, match=r"stride 2 and end with the channels that they begin with \(16\); received"):
        Hourglass(blocks).build(16, specs()["aoienet_cifar"].cell)


# ---- gradients and counts


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_finite_gradient(name):
    spec = specs()[name]
    net = create_model(name, num_classes=6)
    side = 32 if spec.input_hw == (32, 32) else 64
    out = net(torch.randint(0, 256, (2, 3, side, side)).float() - 128)
    assert out.shape == (2, 6) and torch.isfinite(out).all()
    out.square().mean().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()] == []


# name: (parameters, binary weights, binary MACs of one plane, real MACs)
COUNTS = {
    "resnet20": (269_722, 0, 0, 40_551_040),
    "resnet18": (11_689_512, 0, 0, 1_814_073_344),  # torchvision: 11.69 M, 1.81 G
    "resnet34": (21_797_672, 0, 0, 3_663_761_408),  # torchvision: 21.80 M, 3.66 G
    "meliusnet29": (11_328_328, 10_321_920, 5_469_585_408, 129_491_968),  # paper: 5.1 MB, 214 M
    "meliusnet42": (26_825_544, 24_956_928, 9_692_798_976, 175_066_368),  # paper: 10.1 MB, 325 M
    "bnext_t": (30_853_276, 28_253_184, 4_816_896_000, 12_320_512 + 1_024_000),  # its code, without 8,960 unused slopes
}


@pytest.mark.parametrize("name", COUNTS)
def test_known_counts(name):
    net = create_model(name)
    cost = cost_of(net)
    parameters = sum(p.numel() for p in net.parameters())
    assert (parameters, cost.binary_weights, cost.binary_macs, cost.float_macs) == COUNTS[name]


def test_published_operations():
    assert cost_of(create_model("meliusnet29")).ops == pytest.approx(214e6, rel=0.01)
    tiny = cost_of(create_model("bnext_t"))
    assert tiny.binary_macs / 64 + tiny.float_macs / 8 == pytest.approx(0.077e9, rel=0.01)


def test_real_to_binary_has_larqs_parameters():
    """11,995,624 there: running statistics count; two of every stem and shortcut are alike."""
    net = create_model("realtobinary_resnet18")
    statistics = sum(b.numel() for n, b in net.named_buffers() if "running" in n)
    assert sum(p.numel() for p in net.parameters()) + statistics == 11_995_624


def test_group_net_has_five_bases_and_one_shared_shortcut():
    binary = {name: cost_of(create_model(name)).binary_weights for name in ("groupnet_resnet20", "bbg_resnet20")}
    assert binary["groupnet_resnet20"] == 5 * binary["bbg_resnet20"] + 16 * 32 + 32 * 64


def test_separated_convolutions_hold_two_thirds_of_the_weights_where_the_width_stays():
    square = cost_of(create_model("bbg_resnet20")).binary_weights
    separated = cost_of(create_model("bnsc_resnet20")).binary_weights
    narrow = 3 * (16 * 32 + 32 * 64)  # a 3x1 from half the width: its 1x3 has the full one
    assert separated == square * 2 // 3 + narrow


# ---- the originals' numbers


def numbers(name: str) -> dict:
    return published(name, torch.float64)


def load(module: torch.nn.Module, data: dict, names) -> None:
    """Put the stored parameters and statistics in; `names`: theirs -> (ours, sign)."""
    state = module.state_dict()
    for theirs, entry in data["inputs"].items():
        ours, sign = names(theirs)
        if ours is not None:
            state[ours].copy_(sign * entry.reshape(state[ours].shape))


def same_gradients(module: torch.nn.Module, data: dict, names) -> None:
    parameters = dict(module.named_parameters())
    for theirs, entry in data["gradients"].items():
        ours, sign = names(theirs)
        if ours is not None:
            got = sign * parameters[ours].grad
            torch.testing.assert_close(got, entry.reshape(got.shape), rtol=2e-5, atol=1e-5, msg=theirs)


RECOUPLED = (
    (r"buffer\.", ""),
    (r"move\.bias$", "layer.planes.act.threshold"),
    (r"binary_conv\.", "layer.conv."),
    (r"norm1\.", "layer.bn."),
    (r"norm2\.", "bn."),
    (r"activation1\.", "shortcut_act."),
    (r"activation2\.", "act."),
    (r"se\.se\.1\.", "excite.squeeze."),
    (r"se\.se\.3\.", "excite.excite."),
    (r"(^|\.)scale$", r"\1mix"),
    (r"^Attention\.", "0."),
    (r"^FFN\.", "1."),
    (r"^FFN_1\.", "1.units.0."),
    (r"^FFN_2\.", "1.units.1."),
)


def recoupled_name(theirs: str) -> tuple[str | None, int]:
    """Their bias is minus our threshold."""
    if theirs in ("x", "G") or "temperature" in theirs:
        return None, 1
    ours = theirs.removeprefix("param.")
    for pattern, by in RECOUPLED:
        ours = re.sub(pattern, by, ours)
    return ours, -1 if theirs.endswith("move.bias") else 1


UNITS = {
    "bnext_attention_s1": (Recoupled(8, 3, attention=True),),
    "bnext_attention_s2": (Recoupled(8, 3, 2, attention=True),),
    "bnext_ffn3x3_s1": (Recoupled(8, 3),),
    "bnext_ffn3x3_s2": (Recoupled(8, 3, 2),),
    "bnext_ffn1x1": (Recoupled(8, 1),),
    "bnext_block_ffn_s1": (Recoupled(8, 3), Recoupled(8, 1)),
    "bnext_block_attention_s2_double": (Recoupled(8, 3, 2, attention=True), Recoupled(16, 1, copies=2)),
}


@pytest.mark.parametrize("name", UNITS)
def test_bnext_blocks_are_the_originals(name, monkeypatch):
    """Some inputs stand exactly at their threshold: there the original's sign is 0, so it is put in here."""
    monkeypatch.setattr(ste, "sign", torch.sign)
    data = numbers(name)
    built = [block.build(8, bnext.CELL) for block in UNITS[name]]
    net = (torch.nn.Sequential(*built) if len(built) > 1 else built[0]).double()
    load(net, data, recoupled_name)
    x = data["inputs"]["x"].requires_grad_()
    for unit in (m for m in net.modules() if isinstance(m, RecoupledUnit)):
        unit.layer.conv.weight_q.temperature.fill_(data["config"]["temperature"])
        if unit.layer.conv.kernel == (1, 1):
            unit.mix.data.clamp_(0, 1)  # there in evaluation too; here training has done it
    evaluated = net.eval()(x)
    y = net.train()(x)
    torch.testing.assert_close(y, data["outputs"]["train"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(evaluated, data["outputs"]["eval"], rtol=1e-5, atol=1e-5)
    (y * data["inputs"]["G"]).sum().backward()
    torch.testing.assert_close(x.grad, data["gradients"]["x"], rtol=2e-5, atol=1e-5)
    same_gradients(net, data, recoupled_name)


def test_bnext_factors_are_the_originals():
    def name(theirs: str) -> tuple[str | None, int]:
        return (None, 1) if theirs in ("x", "G") else (recoupled_name(f"param.se.{theirs[6:]}")[0][len("excite.") :], 1)

    data = numbers("bnext_se")
    net = Excite(8).double()
    load(net, data, name)
    y = net(data["inputs"]["x"])
    torch.testing.assert_close(y, data["outputs"]["train"], rtol=1e-5, atol=1e-6)
    (y * data["inputs"]["G"]).sum().backward()
    same_gradients(net, data, name)


GROUP_NAMES = (
    (r"^block_gate$", "gate"),
    (r"^conv1\.(\d)\.", r"bases.\1.first.conv."),
    (r"^conv2\.(\d)\.", r"bases.\1.second.conv."),
    (r"^bn1\.(\d)\.", r"bases.\1.after.0.1."),
    (r"^bn2\.(\d)\.", r"bases.\1.after.1.1."),
    (r"^downsample\.conv\.", "shortcut.layer.conv."),
    (r"^downsample\.batch_norm\.", "shortcut.layer.bn."),
)


def group_name(theirs: str) -> tuple[str | None, int]:
    if theirs in ("sum", "G", "G_base0", "base0", "base1", "scales.0", "scales.1"):
        return None, 1
    for pattern, by in GROUP_NAMES:
        theirs = re.sub(pattern, by, theirs)
    return theirs, 1


@pytest.mark.parametrize("name", ["groupnet_block", "groupnet_block_down", "groupnet_block_ungated"])
def test_group_is_the_original(name):
    data = numbers(name)
    inputs, gated = data["inputs"], "block_gate" in data["inputs"]
    group = Group(inputs["sum"].shape[1], 5, data["config"]["stride"], 2, gated, groupnet.CELL).double()
    load(group, data, group_name)
    group.scales.data.copy_(torch.cat([inputs[f"scales.{k}"] for k in range(2)]))
    values = {key: inputs[key].requires_grad_() for key in ("sum", "base0", "base1") if key in inputs}
    total, bases = group(values["sum"], [values[k] if gated else values["sum"] for k in ("base0", "base1")])
    for key, got in {"sum": total, "base0": bases[0], "base1": bases[1]}.items():
        torch.testing.assert_close(got, data["outputs"][key], rtol=1e-5, atol=1e-5)
    ((total * inputs["G"]).sum() + (bases[0] * inputs["G_base0"]).sum()).backward()
    same_gradients(group, data, group_name)
    for key, value in values.items():
        torch.testing.assert_close(value.grad, data["gradients"][key], rtol=2e-5, atol=1e-5)
    scales = torch.cat([data["gradients"][f"scales.{k}"] for k in range(2)])
    torch.testing.assert_close(group.scales.grad, scales, rtol=2e-5, atol=1e-5)


MELIUS = {
    "meliusnet_dense": (
        6,
        Unit(4, join="concat"),
        {"features.0.": "layers.0.pre_bn.", "features.1.": "layers.0.conv."},
    ),
    "meliusnet_improvement": (10, Unit(4, join="tail"), {"body.0.": "layers.0.pre_bn.", "body.1.": "layers.0.conv."}),
    "meliusnet_transition": (16, Transition(32), {"features.Transition_1.": ""}),
}


@pytest.mark.parametrize("name", MELIUS)
def test_meliusnet_blocks_are_the_originals(name):
    data, (channels, block, table) = numbers(name), MELIUS[name]

    def names(theirs: str) -> tuple[str | None, int]:
        for before, after in table.items():
            if theirs.startswith(before):
                return after + theirs.removeprefix(before), 1
        return None, 1

    net = block.build(channels, replace(meliusnet.CELL, surrogate="clip:1.0")).double()  # its default; the paper: 1.3
    load(net, data, names)
    x = data["inputs"]["x"].requires_grad_()
    y = net(x)
    torch.testing.assert_close(y, data["outputs"]["y"], rtol=1e-5, atol=1e-5)
    (y * data["inputs"]["G"]).sum().backward()
    torch.testing.assert_close(x.grad, data["gradients"]["x"], rtol=2e-5, atol=1e-5)
    for theirs, entry in data["gradients"].items():
        ours, _ = names(theirs)
        if ours is None:
            continue
        parameter, want = dict(net.named_parameters())[ours], entry
        if ours.endswith("layers.0.conv.weight"):  # there every weight gets a gradient
            want = torch.where(parameter.detach().abs() <= 1.3, want, 0.0)
        torch.testing.assert_close(parameter.grad, want, rtol=2e-5, atol=1e-5)


# ---- packed form

SIDES = {"meliusnet29": 64, "bnext_t": 64}
LARGER = ("bbg_resnet34", "groupnet_resnet18", "meliusnet42")  # the same blocks as a network that is packed here
PACKED = [name for name in NAMES if name not in (*FLOAT, *LARGER)]


def trained(name: str, side: int):
    """Random batch norms and statistics of a real forward; weights at the end of their annealing."""
    net = create_model(name, num_classes=6, input_hw=(side, side))
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.copy_(0.8 + 0.5 * torch.randn(module.num_features))
                module.bias.add_(0.3 * torch.randn(module.num_features))
        net.train().set_progress(1.0)
        net(torch.randint(0, 256, (4, 3, side, side)).float() - 128)
    return net.eval()


@pytest.mark.parametrize("name", PACKED)
def test_packed_network_equals_the_training_form_layer_by_layer(name, tmp_path):
    side = SIDES.get(name, 32 if specs()[name].input_hw == (32, 32) else 48)
    net = trained(name, side)
    packed(net, tmp_path / "m.aoie")
    header, trace = tracer(tmp_path / "m.aoie")
    differences = []
    for image in pictures.pictures(header, 3):
        result = verify.verify(net, header, trace, [image], full=1)
        assert result.passed, result.first_difference
        differences.append(result.free_largest_logit_difference)
        # A value within rounding of its threshold may flip a bit of the free run of one picture; a wrong sum, of all.
        if differences[-1] < 1e-3:
            return
    raise AssertionError(differences)


@pytest.mark.parametrize("name", FLOAT)
def test_float_networks_are_refused_with_the_reason(name):
    with pytest.raises(export.NotExportable, match="real activations"):
        export.graph_of(create_model(name, num_classes=6))


def test_a_block_without_binary_layers_is_refused_with_the_reason():
    net = create_model("drcdct", body=(drcdct.DualRoute(32),), input_hw=(32, 32))
    with pytest.raises(export.NotExportable, match="no binary layer"):
        export.graph_of(net)
