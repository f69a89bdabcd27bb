"""The training form as ONNX, unfolded and in float32: an oracle for the packed logits that shares no code with the runtime."""

import warnings
from copy import deepcopy
from pathlib import Path

import torch

from aoienet.models.net import BinaryNet
from aoienet.nn.conv import BinaryConv2d


@torch.no_grad()
def export(net: BinaryNet, path: str | Path, hw: tuple[int, int] | None = None, batch: int = 1) -> None:
    """Write `path` (opset 17). Input "image": the transformed image as float32 NCHW of the given size; output "logits"."""
    height, width = hw or net.spec.input_hw
    plain = deepcopy(net).float().eval().to(memory_format=torch.contiguous_format)
    for module in plain.modules():
        if isinstance(module, BinaryConv2d):  # constants: opset 17 has no words for what some weight quantizers do
            module.weight.copy_(module.weight_q(module.weight))
            module.real = True
    image = torch.zeros(batch, net.spec.in_channels, height, width)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the exporter warns of its own deprecation; the traced graph is checked in tests
        torch.onnx.export(
            plain, (image,), str(path), input_names=["image"], output_names=["logits"], opset_version=17, dynamo=False
        )
