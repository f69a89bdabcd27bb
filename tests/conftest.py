"""Shared fixtures: where third-party data lies, and networks whose every constant is exercised."""

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the third-party data sets (AOIENET_DATA or ../shared/data); skips where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    found = Path(os.environ.get("AOIENET_DATA", default))
    if not found.is_dir():
        pytest.skip(f"third-party data sets are not at {found}; set AOIENET_DATA to their folder")
    return found


@pytest.fixture
def random_net():
    """Factory: a network of the zoo with random batch norm statistics, slopes, alphas of its own and some gamma < 0."""
    import torch

    from aoienet.models import create_model
    from aoienet.nn.activation.maxout import Maxout
    from aoienet.quant.act.affine import Affine

    def make(name: str, seed: int = 0, **changes):
        torch.manual_seed(seed)
        net = create_model(name, **changes)
        rng = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for module in net.modules():
                if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
                    channels = module.num_features
                    module.weight.copy_(torch.randn(channels, generator=rng) + 0.8)
                    module.bias.add_(0.3 * torch.randn(channels, generator=rng))
                if isinstance(module, Maxout):
                    module.pos.add_(0.3 * torch.randn(module.pos.shape, generator=rng))
                    module.neg.add_(0.5 * torch.randn(module.neg.shape, generator=rng))
                if isinstance(module, Affine):
                    module.alpha.add_(0.3 * torch.rand((), generator=rng))
                    module.beta.add_(0.2 * torch.randn((), generator=rng))
        net.train()  # running statistics of a real forward
        hw, channels = net.spec.input_hw, net.spec.in_channels
        for _ in range(3):
            net(torch.randint(0, 256, (4, channels, *hw), generator=rng).float() - (0 if channels == 3 else 128))
        return net.eval()

    return make


@pytest.fixture
def random_image():
    """Factory: a uint8 picture with structure (blobs over noise), HW or HWC."""

    def make(height: int, width: int, channels: int = 1, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:height, :width]
        base = 128 + 60 * np.sin(x / 17.0 + seed) * np.cos(y / 11.0)
        image = base[..., None] + rng.normal(0, 12, (height, width, channels))
        image = np.clip(image, 0, 255).astype(np.uint8)
        return image[..., 0] if channels == 1 else image

    return make
