"""Every network of the zoo learns: a few hundred steps on real CIFAR-10 pictures lower its loss.

CIFAR forms train as they are; the others at a quarter of their width on pictures enlarged to 64x64, which keeps every part.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from aoienet.data import augment, transform
from aoienet.data.datasets import cifar10
from aoienet.models import list_models, spec_of
from aoienet.models.net import BinaryNet
from aoienet.models.spec import NetSpec

STEPS, LR = 200, 3e-3
CHANCE = float(np.log(10))


def quarter(spec: NetSpec) -> NetSpec:
    """A quarter of every width, unless the stem is that narrow already; the classifier for ten classes."""
    by = 4 if spec.stem.convs[-1].out > 8 else 1
    convs = tuple(replace(conv, out=conv.out // by, groups=max(1, conv.groups // by)) for conv in spec.stem.convs)
    body = []
    for block in spec.body:
        if hasattr(block, "stages"):
            block = replace(block, stages=tuple((width // by, n, stride) for width, n, stride in block.stages))
        body.append(replace(block, out=block.out // by) if hasattr(block, "out") else block)
    head = replace(spec.head, window=0, peak=1)
    size = {"input_hw": (64, 64), "num_classes": 10, "in_channels": 3}
    return replace(spec, stem=replace(spec.stem, convs=convs), body=tuple(body), head=head, **size)


@pytest.fixture(scope="module")
def pictures(data_dir):
    return cifar10.read_part(data_dir, "train")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", list_models())
def test_a_few_hundred_steps_on_cifar10_lower_the_loss(name, pictures):
    images, labels = pictures
    spec = spec_of(name)
    small = spec.input_hw == (32, 32)
    torch.manual_seed(0)
    net = BinaryNet(spec if small else quarter(spec)).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(net.parameters(), lr=LR)
    rng = np.random.default_rng(0)

    def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        index = rng.integers(0, len(labels), n)
        cut = augment.flip_and_crop(rng, images[index], 4)
        cut = transform.apply(cut if small else cut.repeat(2, axis=1).repeat(2, axis=2), {"kind": spec.pixels})
        x = torch.from_numpy(np.ascontiguousarray(cut.transpose(0, 3, 1, 2)).astype(np.float32))
        return x, torch.from_numpy(labels[index])

    def fixed_loss() -> float:
        with torch.no_grad():
            return F.cross_entropy(net(fixed[0]), fixed[1]).item()

    fixed = batch(256)
    before = fixed_loss()
    for step in range(STEPS):
        if step % 50 == 0:
            net.set_progress(step / STEPS)
        optimiser.param_groups[0]["lr"] = LR * (1 - step / STEPS)
        x, y = batch(16 if small else 32)  # deep networks normalise over few positions at the end
        loss = F.cross_entropy(net(x), y)
        assert torch.isfinite(loss)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    after = fixed_loss()
    # in so few steps the deepest of the narrowed forms only come down to chance
    limit = min(before, CHANCE) - 0.05 if small else before - 0.1
    assert after < limit, f"loss {before:.3f} -> {after:.3f}, chance {CHANCE:.3f}"
