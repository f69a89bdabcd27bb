"""What a GPU needs, told without one: no step mixes devices or waits for a number in its middle, and a network compiles whole.

The device "meta" has shapes and no values: an operation that mixes it with the CPU, or that asks for a value, raises.
"""

import pytest
import torch
from torch._dynamo.utils import counters

from aoienet.models import create_model, list_models
from aoienet.train import loop, networks
from aoienet.train.distill import Teacher
from aoienet.train.finish import Average
from aoienet.train.recipes import get, names


def picture_batch(in_channels, hw, device="meta"):
    return torch.zeros((4, in_channels, *hw), device=device).contiguous(memory_format=torch.channels_last)


@pytest.mark.slow  # seventy networks
@pytest.mark.parametrize("name", list_models())
def test_a_step_of_every_network_stays_on_its_device_and_waits_for_nothing(name):
    net = create_model(name).to("meta").train()
    net(picture_batch(net.spec.in_channels, net.spec.input_hw)).float().sum().backward()
    assert all(p.grad is None or p.grad.device.type == "meta" for p in net.parameters())


@pytest.mark.parametrize("name", [n for n in names() if n.startswith("cifar10")])
def test_so_do_the_recipes_of_cifar10_with_their_teacher_and_averages(name):
    recipe = get(name)
    net = networks.build(recipe).to("meta").train()
    teacher = Teacher(create_model("resnet20").to("meta"), -128.0, "", recipe)
    average = Average(net, 0.999)
    x, labels = picture_batch(3, (32, 32)), torch.zeros(4, dtype=torch.long, device="meta")
    logits = net(x)
    loss = teacher.joined(x, logits, torch.nn.functional.cross_entropy(logits, labels))
    loss.backward()
    average.update(net)
    assert {t.device.type for t in [loss, *average.values.values()]} == {"meta"}


@pytest.mark.slow  # tracing takes half a minute
def test_the_cifar10_network_compiles_to_one_graph_and_once_more_when_its_surrogate_moves():
    net = networks.build(get("cifar10_best")).train()
    graphs = []

    def keep(graph, inputs):
        graphs.append(graph)
        return graph

    torch._dynamo.reset()
    counters.clear()
    compiled, x = torch.compile(net, backend=keep), picture_batch(3, (32, 32), "cpu")
    for progress in (0.0, 0.1, 0.2, 0.3):  # a float of the module: first a constant, then an input
        for module in net.modules():
            if hasattr(module, "progress"):
                module.progress = progress
        with torch.autocast("cpu", torch.bfloat16):  # as on a GPU: what is fused by hand for the CPU is not traced
            compiled(x)
    torch._dynamo.reset()
    assert not counters["graph_break"] and len(graphs) <= 2


def test_on_a_gpu_cudnn_takes_kernels_that_add_in_the_same_order(monkeypatch, tmp_path):
    def stop(*args):
        raise KeyboardInterrupt

    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "deterministic", False)
    monkeypatch.setattr(cudnn, "benchmark", True)
    monkeypatch.setattr(loop, "check_device", lambda device: None)
    monkeypatch.setattr(loop, "open_task", stop)
    with pytest.raises(KeyboardInterrupt):
        loop.prepare(get("cifar10_paper", ["device=cuda"]), tmp_path, tmp_path, networks.build)
    assert (cudnn.deterministic, cudnn.benchmark) == (True, False)
