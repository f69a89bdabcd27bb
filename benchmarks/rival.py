"""The rival of the first stage: a small float-born network for the same blocks, trained by the same loop, quantized to int8.

    python benchmarks/rival.py --data FOLDER --out RUN --width 16       about half an hour on one core

Plain 3x3 convolutions with batch norm and ReLU behind the stem and the head of the scanning networks. What it is measured against stands in
benchmarks/runtime.py.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aoienet.models.spec import Head
from aoienet.models.zoo.aoienet import SCAN
from aoienet.train import loop, recipes


def conv(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class FloatNet(nn.Module):
    """Stem 7x7 at stride 4, then 3x3 at stride 2 to twice the width, then `depth` more; the head of aoienet_scan."""

    def __init__(self, width: int, depth: int, classes: int, head: Head = SCAN.head):
        super().__init__()
        self.head = head
        body = [*conv(1, width, 7, 4), *conv(width, 2 * width, 3, 2)]
        for _ in range(depth):
            body += conv(2 * width, 2 * width, 3, 1)
        self.body = nn.Sequential(*body)
        self.linear = nn.Conv2d(2 * width, classes, 1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        pooled = F.avg_pool2d(self.body(x_NCHW), self.head.window, self.head.stride)
        return self.linear(F.max_pool2d(pooled, self.head.peak, self.head.peak_stride))

    def macs_per_px(self) -> float:
        """Of the convolutions, per pixel of the picture."""
        total, stride = 0.0, 1
        for layer in self.body:
            if isinstance(layer, nn.Conv2d):
                stride *= layer.stride[0]
                total += layer.weight.numel() / stride**2
        return total


def load(run: Path, width: int, depth: int) -> FloatNet:
    """The trained network of a run folder."""
    net = FloatNet(width, depth, 2)
    net.load_state_dict(torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=False)["state"])
    return net.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = replace(recipes.get("blocks"), epochs=args.epochs, model=f"float_{args.width}_{args.depth}")

    def make_net(recipe: recipes.Recipe) -> nn.Module:
        return FloatNet(args.width, args.depth, len(recipe.classes))

    result = loop.train(recipe, args.data, args.out, resume=args.resume, command=" ".join(sys.argv), make_net=make_net)
    print(f"accuracy {result['accuracy']:.4f}, AUC {result['auc']:.4f}")


if __name__ == "__main__":
    main()
