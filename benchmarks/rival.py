"""The rival of a packed network: a small float-born network, trained by the same loop on the same data, quantized to int8.

    python benchmarks/rival.py --data FOLDER --out RUN --width 16                       crack blocks; half an hour on one core
    python benchmarks/rival.py --data FOLDER --out RUN --width 16 --recipe neu_best     NEU-CLS, grouped; a few minutes

Plain 3x3 convolutions with batch norm and ReLU behind the stem and the head of the packed network; --pool: the stem's max pooling too.
What it is measured against stands in benchmarks/runtime.py.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aoienet.models.zoo.aoienet import SCAN
from aoienet.train import loop, recipes


def conv(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class FloatNet(nn.Module):
    """Stem 7x7 at stride 4, then 3x3 at stride 2 to twice the width, then `depth` more; the head of the packed network: of
    aoienet_scan for blocks, means and mean squares of every level for whole pictures. pool: max pooling 3x3 at stride 2
    behind the stem, and the 3x3 at stride 1."""

    def __init__(self, width: int, depth: int, classes: int, whole: bool = False, pool: bool = False):
        super().__init__()
        self.whole = whole
        body = conv(1, width, 7, 4)
        if pool:
            body += [nn.MaxPool2d(3, 2, 1), *conv(width, 2 * width, 3, 1)]
        else:
            body += conv(width, 2 * width, 3, 2)
        for _ in range(depth):
            body += conv(2 * width, 2 * width, 3, 1)
        self.body = nn.Sequential(*body)
        self.linear = nn.Conv2d(6 * width if whole else 2 * width, classes, 1)
        self.norm = nn.BatchNorm2d(6 * width) if whole else nn.Identity()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if self.whole:
            stem = self.body[:3](x_NCHW)
            maps = (stem, self.body[3:](stem))
            powers = [x**p for x in maps for p in (1, 2)]
            return self.linear(self.norm(torch.cat([x.mean((2, 3), keepdim=True) for x in powers], dim=1))).flatten(1)
        head = SCAN.head
        pooled = F.avg_pool2d(self.body(x_NCHW), head.window, head.stride)
        return self.linear(F.max_pool2d(pooled, head.peak, head.peak_stride))

    def macs_per_px(self) -> float:
        """Of the convolutions, per pixel of the picture."""
        total, stride = 0.0, 1
        for layer in self.body:
            if isinstance(layer, nn.MaxPool2d):
                stride *= layer.stride
            if isinstance(layer, nn.Conv2d):
                stride *= layer.stride[0]
                total += layer.weight.numel() / stride**2
        return total


def load(run: Path, width: int, depth: int) -> FloatNet:
    """The trained network of a run folder."""
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=False)["state"]
    pool = "body.3.weight" not in state  # a convolution's, where nothing is pooled
    net = FloatNet(width, depth, len(state["linear.weight"]), whole="norm.weight" in state, pool=pool)
    net.load_state_dict(state)
    return net.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", choices=("blocks", "neu_best"), default="blocks")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--pool", action="store_true")
    parser.add_argument("-o", "--override", action="append", default=[], help="key=value of the recipe")
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = recipes.get(args.recipe, args.override)
    name = f"rival of {recipe.model}: width {args.width}, depth {args.depth}{', max pooling' if args.pool else ''}"
    recipe = replace(recipe, name=name)

    def make_net(recipe: recipes.Recipe) -> nn.Module:
        return FloatNet(args.width, args.depth, len(recipe.classes), args.recipe == "neu_best", args.pool)

    result = loop.train(recipe, args.data, args.out, resume=args.resume, command=" ".join(sys.argv), make_net=make_net)
    print(", ".join(f"{key} {result[key]:.4f}" for key in ("accuracy", "auc") if key in result))


if __name__ == "__main__":
    main()
