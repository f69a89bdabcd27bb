"""What a network costs: the counts that this project publishes, and thop's counts that explain the paper's columns.

Published cost: binary MACs of each plane / 64 + float MACs ("OPs"), design note 0.
thop counts by exact class: stock convolutions and linear layers as MACs, 4 per element of a batch norm, 1 per element of a PReLU, 1 per
output of an average pooling module; every binary convolution as 0. The thermometer's buffer of 128 images makes thop count 128 images.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aoienet.models.net import BinaryNet
from aoienet.nn.layers import BinaryConv2d

THERMOMETER_BATCH = 128


@dataclass
class Cost:
    binary_weights: int = 0
    binary_macs: int = 0  # of one plane
    binary_macs_planes: int = 0  # of all planes
    float_macs: int = 0
    thop: int = 0

    @property
    def ops(self) -> float:
        """Bit operations / 64 + float MACs, planes counted."""
        return self.binary_macs_planes / 64 + self.float_macs


def count_layer(cost: Cost, module: nn.Module, out: Tensor, planes: int) -> None:
    """Add what one layer does for `out` (a batch of one)."""
    if isinstance(module, BinaryConv2d):
        macs = module.weight[0].numel() * out.numel()
        cost.binary_weights += module.weight.numel()
        cost.binary_macs += macs
        cost.binary_macs_planes += planes * macs
    elif isinstance(module, nn.Conv2d):
        cost.float_macs += module.weight[0].numel() * out.numel()
        cost.thop += module.weight[0].numel() * out.numel()
    elif isinstance(module, nn.Linear):
        cost.float_macs += module.weight.numel()
        cost.thop += module.weight.numel()
    elif isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
        cost.thop += 4 * out.numel()
    elif isinstance(module, (nn.PReLU, nn.AvgPool2d)):
        cost.thop += out.numel()


@torch.no_grad()
def cost_of(net: BinaryNet) -> Cost:
    """Counts for one image of the spec's size; `thop` with its factor of 128 where the stem is a thermometer."""
    cost = Cost()
    planes = {unit.conv: len(unit.planes.act) for unit in net.units}
    hooks = [
        m.register_forward_hook(lambda m, _, out: count_layer(cost, m, out, planes.get(m, 1))) for m in net.modules()
    ]
    was_training = net.training
    net.eval()(torch.zeros(1, net.spec.in_channels, *net.spec.input_hw))
    net.train(was_training)
    for hook in hooks:
        hook.remove()
    if net.spec.stem.kind == "thermometer":
        cost.thop *= THERMOMETER_BATCH
    return cost
