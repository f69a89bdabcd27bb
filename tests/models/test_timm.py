"""The idiom of timm: attributes that its tools ask for, and its registry where it is installed."""

import pytest
import torch

from aoienet.models import create_model
from aoienet.models import timm as bridge


def test_a_network_has_what_timms_tools_ask_for():
    net = create_model("aoienet_cifar", num_classes=6).eval()
    x = torch.zeros(2, 3, 32, 32)
    features = net.forward_features(x)
    assert features.shape == (2, net.num_features, 8, 8)
    assert net.forward_head(features, pre_logits=True).shape == (2, net.num_features)
    assert torch.equal(net.forward_head(features), net(x))
    assert net.pretrained_cfg["input_size"] == (3, 32, 32) and net.num_classes == 6


def test_a_head_of_levels_gives_means_and_mean_squares_of_every_size():
    net = create_model("aoienet_compact_levels").eval()
    x = torch.rand(2, 1, 200, 200)
    features = net.forward_features(x)
    assert [tuple(f.shape[1:]) for f in features] == [(64, 25, 25), (64, 25, 25), (128, 13, 13), (256, 7, 7)]
    vectors = [v for f in features for v in (f.mean(dim=(2, 3)), f.square().mean(dim=(2, 3)))]
    got = net.forward_head(features, pre_logits=True)
    assert got.shape == (2, net.num_features) and net.num_features == 2 * (64 + 64 + 128 + 256)
    torch.testing.assert_close(got, net.head_bn(torch.cat(vectors, dim=1)))
    assert torch.equal(net.forward_head(features), net(x))


def test_the_classifier_can_be_replaced():
    net = create_model("aoienet_cifar")
    net.reset_classifier(3)
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
    assert net.get_classifier().out_features == 3 == net.spec.num_classes


def test_an_entrypoint_takes_timms_keywords_and_refuses_weights_that_do_not_exist():
    build = bridge.entrypoint("aoienet_cifar")
    assert build.__name__ == "aoienet_cifar"
    net = build(num_classes=4, in_chans=1, pretrained_cfg=None, cache_dir=None)
    assert net.num_classes == 4 and net.spec.in_channels == 1
    with pytest.raises(ValueError, match="no PyTorch weights"):
        build(pretrained=True)


def test_timm_builds_the_zoo():
    timm = pytest.importorskip("timm", reason="timm is not installed; it is no dependency")
    assert "aoienet_cifar" in bridge.register()
    assert timm.create_model("aoienet_cifar", num_classes=6).num_classes == 6
