"""The forms, their known sizes, and the paper's thop columns."""

from dataclasses import replace

import pytest
import torch

from aoienet.deploy.cost import cost_of
from aoienet.models import create_model, list_models, specs
from aoienet.models.net import BinaryNet
from aoienet.models.spec import Stem, residual_pairs

CIFAR, RESNET18 = specs()["aoienet_cifar"], specs()["aoienet_resnet18"]


def units(spec, **changes):
    return replace(spec, units=tuple(replace(unit, **changes) for unit in spec.units))


FRACBNN = units(CIFAR, pre="none", out_act="rprelu", pan="none")
EVERY_SECOND = {
    "pan": tuple(replace(u, pan="prelu" if i % 2 == 0 else "none") for i, u in enumerate(FRACBNN.units)),
    "dbn": tuple(replace(u, pan="none", shift=i % 2 == 1) for i, u in enumerate(CIFAR.units)),
}
ADABIN = replace(units(RESNET18, pre="none", shift=False), shortcut="avgpool_conv1x1_bn")
RESNET34 = residual_pairs(((64, 6, 1), (128, 8, 2), (256, 12, 2), (512, 6, 2)))
IENET = replace(
    units(replace(RESNET18, units=RESNET34), pre="none", shift=False, pan="none"),
    stem=Stem("conv", ((32, 3, 2), (32, 3, 1), (64, 3, 1)), maxpool=True),
    shortcut="avgpool_conv1x1_bn",
)


@pytest.mark.parametrize(
    ("row", "spec", "paper_giga"),
    [
        ("Table 1 FracBNN", FRACBNN, 0.207),
        ("Table 1 + ABA-IO", units(CIFAR, pre="none"), 0.185),
        ("Table 1 + PAN", replace(FRACBNN, units=EVERY_SECOND["pan"]), 0.218),
        ("Table 1 + DBN-IEB", replace(CIFAR, units=EVERY_SECOND["dbn"]), 0.330),
        ("Table 1 AOIE-Net", CIFAR, 0.374),
        ("Table 4 AdaBin", ADABIN, 0.147),
        ("Table 4 IE-Net", IENET, 0.395),
        ("Table 4 AOIE-Net", RESNET18, 0.166),
    ],
)
def test_thop_columns_of_the_paper(row, spec, paper_giga):
    assert round(cost_of(BinaryNet(spec)).thop / 1e9, 3) == paper_giga


def test_known_binary_counts():
    cifar = cost_of(create_model("aoienet_cifar"))
    assert cifar.binary_weights == 267_264 + 13_824
    assert cifar.binary_macs == 54_263_808
    assert cifar.ops == pytest.approx(1.475e6, rel=1e-3)


def test_mobilenet_form_has_the_papers_weights():
    net = create_model("aoienet_mobilenet")
    body = sum(unit.conv.weight.numel() for unit in net.units)
    assert body == 28_253_184


@pytest.mark.parametrize("name", list_models())
def test_every_network_gives_finite_logits_and_gradients(name):
    torch.manual_seed(0)
    net = create_model(name)
    side = 64 if net.spec.input_hw[0] >= 200 else 32
    side = 128 if net.spec.head.window else side
    out = net(torch.randint(0, 256, (2, net.spec.in_channels, side, side)).float())
    assert out.shape[:2] == (2, net.spec.num_classes)
    out.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_unknown_network_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'aoienet_scan'"):
        create_model("aoienet_scam")


def test_list_models_takes_patterns():
    assert list_models("*scan*") == ["aoienet_scan"]


def test_progress_reaches_every_weight_quantizer():
    net = create_model("aoienet_scan")
    net.set_progress(0.5)
    assert {unit.conv.weight_q.progress for unit in net.units} == {0.5}
