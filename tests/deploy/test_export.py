"""Folding: exact thresholds, every form runs packed, verify sees what is wrong."""

import copy

import numpy as np
import pytest
import torch

from aoienet.deploy import export, fold, format, pictures, simulate, verify
from aoienet.models.blocks.hourglass import Hourglass
from aoienet.models.blocks.unit import Unit, residual
from aoienet.models.spec import Conv, Stem
from aoienet.nn.activation.maxout import Maxout
from aoienet.nn.graph import Slopes
from tests.packing import tracer

TRANSFORMS = {
    "aoienet_cifar": {"kind": "raw"},
    "aoienet_resnet18": {"kind": "center"},
    "aoienet_compact": {"kind": "standardize", "window_px": 0, "eps_levels": 2.0, "scale": 32.0},
    "aoienet_scan": {"kind": "standardize", "window_px": 65, "eps_levels": 2.0, "scale": 32.0},
}
SCAN = {"block_px": 64, "block_stride_px": 32, "total_stride": 8, "defect": 1, "threshold": 0.5, "temperature": 1.0}


def packed(net, tmp_path):
    """(header, tensors) after a round trip through a file."""
    name = net.spec.name
    info = {
        "classes": [f"class_{i}" for i in range(net.spec.num_classes)],
        "transform": TRANSFORMS[name],
        "scan": SCAN if net.spec.head.window else None,
        "model_name": name,
        "recipe": {},
        "result": {},
    }
    header, tensors = export.pack(net, info, name)
    format.write(tmp_path / "m.aoie", header, tensors)
    return format.read(tmp_path / "m.aoie")


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_packed_network_equals_the_training_form_layer_by_layer(name, random_net, tmp_path):
    changes = {"input_hw": (72, 72)} if name == "aoienet_resnet18" else {}
    net = random_net(name, **changes)
    header, _ = packed(net, tmp_path)
    images = list(pictures.pictures(header, 2))
    result = verify.verify(net, header, tracer(tmp_path / "m.aoie")[1], images, full=1)
    assert result.passed, result.first_difference
    assert result.bits > 100_000


def test_verify_names_the_first_differing_layer(random_net, tmp_path):
    net = random_net("aoienet_cifar")
    header, tensors = packed(net, tmp_path)
    wrong = copy.deepcopy(net)
    with torch.no_grad():
        wrong.units[3].layers[0].planes.bn[0].bias.add_(0.05)
    images = list(pictures.pictures(header, 1))
    result = verify.verify(wrong, header, lambda image: simulate.run(header, tensors, image), images)
    assert not result.passed
    assert result.first_difference.site == "units.3.layers.0.planes"
    assert 0 < len(result.first_difference.pairs) <= 5
    assert result.document()["first_differing_layer"]["op"] == "binarize"


def test_verify_of_nothing_does_not_pass(random_net, tmp_path):
    net = random_net("aoienet_cifar")
    header, _ = packed(net, tmp_path)
    assert not verify.verify(net, header, lambda image: [], []).passed


@pytest.mark.parametrize("g", [1.7, -0.3, 1e-6, -1e-6])
def test_threshold_decides_as_the_batch_norm_does_on_both_sides(g):
    h, beta = np.array([0.123]), 0.05
    (t,), (flip,) = fold.threshold_of(np.array([g]), h, beta)
    near = [t, np.nextafter(t, np.float32(np.inf)), np.nextafter(t, np.float32(-np.inf))]
    for x in near:
        bit = x <= t if flip else x >= t
        assert bit == (g * np.float64(x) + h[0] >= beta)


def test_zero_gamma_gives_a_constant_bit():
    thresholds, flips = fold.threshold_of(np.zeros(2), np.array([1.0, -1.0]), 0.0)
    x = np.array([-1e30, 0, 1e30], np.float32)
    assert (x >= thresholds[0]).all() and not (x >= thresholds[1]).any() and not flips.any()


def test_a_nonlinearity_before_the_add_and_one_plane_are_packed_exactly(random_net, tmp_path):
    body = residual(((16, 4, 1),))
    net = random_net("aoienet_cifar", body=body, multi="single", out_act="rprelu", act="dprelu")
    with torch.no_grad():
        for unit in net.units:
            unit.out_act.before.add_(0.3)
            unit.out_act.after.sub_(0.2)
            unit.act.knee.add_(0.1)
    header, tensors = packed(net, tmp_path)
    images = list(pictures.pictures(header, 1))
    result = verify.verify(net, header, lambda image: simulate.run(header, tensors, image), images)
    assert result.passed and result.free_largest_logit_difference < 1e-3


def test_a_deep_stem_is_packed(random_net, tmp_path):
    stem = Stem("conv", (Conv(8, 3, 2), Conv(64, 3, 1, groups=4)), maxpool=True)
    net = random_net("aoienet_resnet18", stem=stem, input_hw=(40, 40), body=residual(((64, 1, 1),)))
    header, tensors = packed(net, tmp_path)
    images = list(pictures.pictures(header, 1))
    assert verify.verify(net, header, lambda image: simulate.run(header, tensors, image), images).passed
    assert [op["op"] for op in header["graph"]].count("conv_f32") == 1


@pytest.mark.parametrize("hw", [(64, 64), (104, 72)])
def test_levels_of_a_u_net_are_packed(hw, random_net, tmp_path):
    deepest = Hourglass((Unit(256, stride=2), Unit(128, join="none")))
    level = Hourglass((Unit(128, stride=2), deepest, Unit(64, 1, join="none")))
    net = random_net("aoienet_scan", body=(Unit(64), level, *residual(((128, 1, 2),))))
    header, tensors = packed(net, tmp_path)
    assert [op["op"] for op in header["graph"]].count("upadd2") == 2
    image = np.random.default_rng(0).integers(0, 256, hw).astype(np.uint8)
    result = verify.verify(net, header, lambda image: simulate.run(header, tensors, image), [image], full=1)
    assert result.passed, result.first_difference


class Swish(torch.nn.Module):
    name = "swish"

    def forward(self, x):
        return x * x.sigmoid()


def test_a_part_that_does_not_say_how_it_is_packed_is_refused_by_name(random_net):
    net = random_net("aoienet_cifar")
    net.units[2].act = Swish()
    with pytest.raises(export.NotExportable, match=r"units\.2\.act: no exact form for Swish"):
        export.graph_of(net)


def test_real_weights_are_refused_with_the_reason(random_net):
    with pytest.raises(export.NotExportable, match="real weights"):
        export.graph_of(random_net("aoienet_cifar", weight_q="real"))


class Wrong(Maxout):
    def emit(self, g, x):
        return g.slopes(x, self, Slopes.of(pos=self.pos, neg=self.neg + 0.1))


def test_verify_sees_a_part_that_packs_something_else_than_it_computes(random_net, tmp_path):
    net = random_net("aoienet_cifar")
    net.units[1].act = Wrong(16)
    header, tensors = packed(net, tmp_path)
    images = list(pictures.pictures(header, 1))
    result = verify.verify(net, header, lambda image: simulate.run(header, tensors, image), images)
    assert result.first_difference.site == "units.1.act"


def test_a_value_that_is_used_twice_unfixed_is_a_mistake_of_the_part(random_net):
    class Twice(torch.nn.Module):
        def emit(self, g, x):
            return g.add(x, x)

    net = random_net("aoienet_cifar")
    net.units[0].act = torch.nn.Sequential(net.units[0].act, Twice())
    with pytest.raises(RuntimeError, match="fix"):
        export.graph_of(net)


def test_halo_covers_convolutions_and_contrast_window(random_net):
    net = random_net("aoienet_scan", input_hw=(96, 96))
    assert net.spec.radius_px == 31
    assert export.halo_px(net, 65, 32) == 64
    assert (export.halo_px(net, 65, 32, 96), export.halo_px(net, 65, 64, 96)) == (96, 128)
