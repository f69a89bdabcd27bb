"""Write the golden files that C++ and Python read: packed networks, a picture each, and the logits that must come out.

    make golden

NAME.aoie is exported from a PyTorch network with fixed seed; NAME.golden holds, little-endian: magic "AOIEGOLD", u32 version 1,
u32 height, width, channels, u32 count of logits, the picture (u8 HWC), the logits (f32, from deploy/simulate.py: bit-exact).
The logits of the training form in float64 must agree within 1e-3, or nothing is written.
"""

import struct
import sys
from dataclasses import replace
from pathlib import Path

import torch

from aoienet.deploy import export, format, pictures, simulate, verify
from aoienet.models import specs
from aoienet.models.blocks.hourglass import Hourglass
from aoienet.models.blocks.unit import Unit
from aoienet.models.net import BinaryNet
from aoienet.models.spec import Conv, Head, Stem
from aoienet.nn.cell import Cell

FOLDER = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "golden"
SCAN = {"block_px": 64, "block_stride_px": 32, "total_stride": 8, "defect": 1, "threshold": 0.0, "temperature": 1.0}
CONTRAST = {"kind": "standardize", "window_px": 65, "eps_levels": 2.0, "scale": 32.0}
RPRELU = Cell(act_q="affine", weight_q="affine_ede", out_act="rprelu", shift=True)

SMALL = {
    "scan": replace(
        specs()["aoienet_scan"],
        stem=Stem("conv", (Conv(24, 7, 4),), act="maxout"),
        body=(Unit(24), Unit(48, 3, 2), Unit(48, 1)),
        input_hw=(96, 130),
    ),
    "thermometer": replace(
        specs()["aoienet_cifar"],
        stem=Stem("thermometer", (Conv(16, 3, 1),)),
        body=(Unit(16), Unit(32, 3, 2, cell=RPRELU), Unit(64, 3, 2)),
        input_hw=(17, 13),
    ),
    "levels": replace(
        specs()["aoienet_scan"],
        stem=Stem("conv", (Conv(12, 7, 4),), act="maxout"),
        body=(
            Hourglass((Unit(24, 3, 2), Hourglass((Unit(24, 3, 2, join="none"),)), Unit(12, 1, join="none"))),
            Unit(12),
        ),
        head=Head(window=1),
        input_hw=(36, 28),
        num_classes=4,
    ),
    "resnet": replace(
        specs()["aoienet_resnet18"],
        stem=Stem("conv", (Conv(20, 7, 2),), act="maxout", maxpool=True),
        body=(Unit(20), Unit(70, 3, 2)),
        head=Head(batchnorm=True),
        input_hw=(41, 38),
    ),
}
TRANSFORMS = {"scan": CONTRAST, "levels": CONTRAST, "thermometer": {"kind": "raw"}, "resnet": {"kind": "center"}}
SCANS = {"scan": SCAN, "levels": SCAN | {"block_px": 4, "block_stride_px": 4, "align_px": 16, "total_stride": 4}}


def network(name: str) -> BinaryNet:
    """A small network whose constants are all different from their start, some gammas negative."""
    torch.manual_seed(7)
    net = BinaryNet(SMALL[name])
    for module in net.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
            torch.nn.init.normal_(module.weight, 0.7, 0.6)
            with torch.no_grad():
                module.bias.add_(0.3 * torch.randn_like(module.bias))
    spec = net.spec
    for _ in range(3):
        net(torch.randint(0, 256, (4, spec.in_channels, *spec.input_hw)).float() - 128 * (spec.stem.kind == "conv"))
    return net.eval()


def make(name: str) -> None:
    net = network(name)
    info = {
        "classes": [f"class_{i}" for i in range(net.spec.num_classes)],
        "transform": TRANSFORMS[name],
        "scan": SCANS.get(name),
        "model_name": f"golden_{name}",
        "recipe": {},
        "result": {},
    }
    format.write(FOLDER / f"{name}.aoie", *export.pack(net, info, f"golden_{name}"))
    header, tensors = format.read(FOLDER / f"{name}.aoie")
    image = next(pictures.pictures(header, 1))
    values = simulate.run(header, tensors, image)
    result = verify.verify(net, header, lambda _: values, [image])
    if not result.passed or result.free_largest_logit_difference > 1e-3:
        sys.exit(f"{name}: the training form disagrees with the packed network: {result.document()}")
    logits = values[-1].astype("<f4")
    channels = 1 if image.ndim == 2 else image.shape[2]
    head = b"AOIEGOLD" + struct.pack("<5I", 1, *image.shape[:2], channels, logits.size)
    (FOLDER / f"{name}.golden").write_bytes(head + image.tobytes() + logits.tobytes())


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        for each in SMALL:
            make(each)
            print(FOLDER / f"{each}.golden")
