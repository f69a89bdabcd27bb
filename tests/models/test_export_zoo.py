"""Every network of the zoo is packed and equals its training form layer by layer, or says why it cannot be."""

import pytest
import torch
from tests.packing import distinct, exercise, verified

from aoienet.deploy.export import NotExportable, graph_of
from aoienet.models import list_models, specs
from aoienet.models.net import BinaryNet

SPECS = specs()
PER_SAMPLE = "the mean of each picture's own map"
REFUSED = {
    "aoienet_cifar_product": "a window of x, not a threshold",
    "rbnn_resnet20": PER_SAMPLE,
    "rbnn_resnet18": PER_SAMPLE,
    "rbnn_resnet18_cifar": PER_SAMPLE,
    "rbnn_resnet34": PER_SAMPLE,
    "siman_resnet18": PER_SAMPLE,
    "siman_resnet18_cifar": PER_SAMPLE,
    "siman_resnet20": PER_SAMPLE,
    "siman_resnet34": PER_SAMPLE,
    "xnor_resnet18_kmap": "magnitudes of the real input",
} | {name: "real activations" for name, spec in SPECS.items() if spec.cell.act_q == "real"}


def small(name: str) -> BinaryNet:
    """One block of each kind, a small picture."""
    torch.manual_seed(0)
    spec = SPECS[name]
    side = 96 if spec.head.window else 40 if spec.input_hw[0] >= 200 else 8
    return BinaryNet(distinct(spec, (side, side)))


@pytest.mark.parametrize("name", [n for n in list_models() if n not in REFUSED])
def test_packed_network_equals_the_training_form_layer_by_layer(name, tmp_path):
    result = verified(exercise(small(name)), tmp_path)
    assert result.passed, result.first_difference
    assert result.bits > 1000


@pytest.mark.parametrize("name", REFUSED)
def test_refused_networks_say_why(name):
    with pytest.raises(NotExportable, match=REFUSED[name]):
        graph_of(small(name))
