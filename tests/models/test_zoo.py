"""Every network of the zoo: what it says of itself, its counts, finite logits and gradients; the paper's thop columns."""

import re
from dataclasses import replace

import pytest
import torch
from tests.packing import distinct

from aoienet import weights
from aoienet.deploy import format
from aoienet.deploy.cost import Cost, cost_of
from aoienet.models import changed, create_model, list_models, specs
from aoienet.models.net import BinaryNet
from aoienet.models.spec import Conv, NetSpec, Stem

SPECS = specs()
DEEP = Stem("conv", (Conv(32, 3, 2), Conv(32, 3, 1), Conv(64, 3, 1)), act="hardtanh", maxpool=True)


def count(spec: NetSpec) -> Cost:
    """On the meta device: nothing is computed."""
    with torch.device("meta"):
        net = BinaryNet(spec)
    return cost_of(net)


@pytest.mark.parametrize(
    ("row", "spec", "paper_giga"),
    [
        ("Table 1 FracBNN", SPECS["fracbnn_resnet20"], 0.207),
        ("Table 1 FracBNN, 1 bit", SPECS["fracbnn_resnet20_1bit"], 0.207),
        ("Table 1 + ABA-IO", SPECS["aoienet_cifar_aba_io"], 0.185),
        ("Table 1 + PAN", SPECS["aoienet_cifar_pan"], 0.218),
        ("Table 1 + DBN-IEB", SPECS["aoienet_cifar_dbn_ieb"], 0.330),
        ("Table 1 AOIE-Net", SPECS["aoienet_cifar"], 0.374),
        ("Table 4 AdaBin", changed(SPECS["adabin_resnet18"], num_classes=6), 0.147),
        ("Table 4 IE-Net", changed(SPECS["ienet_resnet34"], num_classes=6, stem=DEEP), 0.395),
        ("Table 4 AOIE-Net", SPECS["aoienet_resnet18"], 0.166),
    ],
)
def test_thop_columns_of_the_paper(row, spec, paper_giga):
    assert round(count(spec).thop / 1e9, 3) == paper_giga


def body(spec: NetSpec) -> tuple[int, int]:
    """Binary weights and binary MACs (one plane) without the stem's."""
    whole, none = count(spec), count(replace(spec, body=()))
    return whole.binary_weights - none.binary_weights, whole.binary_macs - none.binary_macs


METHODS = ("adabin", "bbg", "dorefa", "dsq", "fracbnn", "ienet", "irnet", "rbnn", "reactnet", "recu", "sibnn", "siman")


@pytest.mark.parametrize("method", METHODS)
def test_resnet20_forms_have_the_same_binary_body(method):
    assert body(SPECS[f"{method}_resnet20"]) == (267_264, 40_108_032)


@pytest.mark.parametrize("name", ["aoienet_mobilenet", "fracbnn_mobilenet", "reactnet_a"])
def test_mobilenet_forms_have_the_same_binary_body(name):
    weights, macs = body(SPECS[name])
    assert weights == 28_253_184
    assert macs == pytest.approx(4_816.9e6, rel=1e-4)


@pytest.mark.parametrize("method", ["adabin", "bireal", "ienet", "irnet", "rbnn", "recu", "siman"])
def test_imagenet_resnets_have_the_published_binary_weights(method):
    assert body(SPECS[f"{method}_resnet18"])[0] == 10_985_472
    assert body(SPECS[f"{method}_resnet34"])[0] == 21_086_208


@pytest.mark.parametrize(
    ("name", "original", "unused"),
    [
        ("adabin_resnet20", 271_262, 0),
        (
            "adabin_resnet18",
            11_701_400,
            3_024,
        ),  # a batch norm of 1,000 and a Maxout of 512 channels that its code never calls
        ("adabin_resnet34", 21_817_016, 3_024),
        ("bireal_resnet18", 11_689_512, 0),
        ("bireal_resnet34", 21_797_672, 0),
        ("fracbnn_resnet20", 287_146, 0),
        ("ienet_resnet20", 272_442, 0),
        ("ienet_resnet18", 11_707_000, 2_000),  # the batch norm alone
        ("ienet_resnet34", 21_830_008, 2_000),
        ("reactnet_a", 29_343_592, 0),
        ("reactnet_resnet18", 11_704_424, 0),
    ],
)
def test_networks_have_as_many_parameters_as_the_original_code(name, original, unused):
    assert count(SPECS[name]).parameters == original - unused


def test_cost_of_the_papers_cifar_form():
    cifar = count(SPECS["aoienet_cifar"])
    assert cifar.binary_macs == 54_263_808
    assert cifar.ops == pytest.approx(1.475e6, rel=1e-3)


@pytest.mark.parametrize("name", ["crack_blocks", "crack_blocks_fast"])
def test_shipped_scanners_take_at_most_15_000_binary_macs_per_pixel(name):
    """Of both planes; docs/results/2026-11-27-scan-networks.md."""
    header, _ = format.read(weights.locate(name))
    cost = count(SPECS[header["meta"]["network"]])
    assert cost.input == (1, 256, 256)
    assert 0 < cost.binary_macs_planes / (256 * 256) <= 15_000


@pytest.mark.parametrize("name", list_models())
def test_every_network_states_its_source_and_what_was_published(name):
    spec = SPECS[name]
    own = "this project" in spec.paper + spec.differs
    assert spec.paper
    assert own or spec.published
    assert all(p.source for p in spec.published)


@pytest.mark.parametrize("name", list_models())
def test_every_network_gives_finite_logits_and_gradients(name):
    torch.manual_seed(0)
    spec = SPECS[name]
    side = 96 if spec.head.window else 32 if spec.input_hw[0] >= 200 else 8
    net = BinaryNet(distinct(spec, (side, side)))
    out = net(torch.randint(0, 256, (2, spec.in_channels, side, side)).float())
    assert out.shape[:2] == (2, spec.num_classes) and torch.isfinite(out).all()
    out.square().mean().backward()
    lost = [n for n, p in net.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert lost == []


def test_unknown_network_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'aoienet_scan'"):
        create_model("aoienet_scam")


def test_list_models_takes_patterns():
    assert list_models("*scan*") == ["aoienet_scan", "aoienet_scan_pool", "aoienet_scan_pool_small"]


def test_progress_reaches_every_weight_quantizer():
    net = create_model("aoienet_scan")
    net.set_progress(0.5)
    assert {unit.layers[0].conv.weight_q.progress for unit in net.units} == {0.5}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_classes": 0}, "num_classes is at least 1; received 0; next: forward_head"),
        ({"in_channels": 0}, "in_channels is at least 1; received 0"),
        ({"pad": float("nan")}, "pad is a finite number; received nan"),
        ({"spread": "x"}, "spread is a finite number; received 'x'"),
        ({"num_class": 3}, "unknown field 'num_class' of a network; did you mean 'num_classes'"),
    ],
)
def test_a_network_that_cannot_be_is_refused(changes, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        create_model("aoienet_cifar", **changes)
