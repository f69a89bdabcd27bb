"""A network as data: frozen dataclasses that the builder (models/net.py) reads."""

from dataclasses import dataclass
from math import lcm, prod
from typing import Literal, Protocol

from torch import nn

from aoienet.nn.cell import Cell
from aoienet.nn.conv import Kernel


class Block(Protocol):
    """A piece of the body; files of models/blocks."""

    @property
    def geometry(self) -> tuple[tuple[int, int], ...]:
        """(kernel, stride) of what stands one after another: for strides and receptive fields."""

    def out_channels(self, in_channels: int) -> int: ...

    def build(self, in_channels: int, cell: Cell) -> nn.Module:
        """The module; `cell` is the network's, which a block may replace by its own, but for `map_hw`."""


def after(hw: tuple[int, int], geometry: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Size of a map after (kernel, stride) one after another, each with half of its kernel as padding."""
    for kernel, stride in geometry:
        rows, columns = ((side + 2 * (kernel // 2) - kernel) // stride + 1 for side in hw)
        hw = rows, columns
    return hw


def step(geometry: tuple[tuple[int, int], ...]) -> int:
    """Stride of (kernel, stride) one after another."""
    return prod(stride for _, stride in geometry)


def level_stride(stride: int, blocks: tuple[Block, ...]) -> int:
    """The least common multiple of the strides of all maps of blocks whose input has that stride."""
    found = stride
    for block in blocks:
        found = lcm(found, level_stride(stride, getattr(block, "blocks", ())))
        stride *= step(block.geometry)
        found = lcm(found, stride)
    return found


def reach(geometry: tuple[tuple[int, int], ...]) -> int:
    """Positions that a result of (kernel, stride) one after another sees to each side of its own."""
    return sum(kernel // 2 * step(geometry[:i]) for i, (kernel, _) in enumerate(geometry))


@dataclass(frozen=True)
class Conv:
    """A real convolution of a stem."""

    out: int
    kernel: Kernel
    stride: int
    groups: int = 1


@dataclass(frozen=True)
class Stem:
    """thermometer: 32 bits per colour and a binary convolution with plain signs; conv: real convolutions, each with batch
    norm, ReLU between them; `act` after the last, then max pooling 3x3 of stride 2."""

    kind: Literal["thermometer", "conv"]
    convs: tuple[Conv, ...]
    act: str = "none"
    maxpool: bool = False

    @property
    def geometry(self) -> tuple[tuple[int, int], ...]:
        convs = tuple((c.kernel if isinstance(c.kernel, int) else max(c.kernel), c.stride) for c in self.convs)
        return (*convs, (3, 2)) if self.maxpool else convs


@dataclass(frozen=True)
class Head:
    """Mean over the map, or over `window` positions every `stride`, then the peak over `peak` of these every
    `peak_stride`; then a linear layer. The peak keeps a crack that crosses a corner of a block from being averaged away.

    act         "none", or a nonlinearity before the mean, with a batch norm before it if act_batchnorm
    batchnorm   of the vector, before the linear layer
    levels      mean and mean square of the last map of every size, not of the last map alone: a texture is told by what is
                fine as well as by what is coarse. Whole maps only (window 0)
    """

    act: str = "none"
    act_batchnorm: bool = True
    batchnorm: bool = False
    window: int = 0
    stride: int = 1
    peak: int = 1
    peak_stride: int = 1
    levels: bool = False


@dataclass(frozen=True)
class Published:
    """What a publication states, in per cent."""

    dataset: str
    top1: float
    top5: float | None = None
    source: str = ""


@dataclass(frozen=True)
class NetSpec:
    name: str
    stem: Stem
    body: tuple[Block, ...]
    cell: Cell = Cell()
    head: Head = Head()
    in_channels: int = 3
    input_hw: tuple[int, int] = (32, 32)
    num_classes: int = 10
    paper: str = ""
    differs: str = ""  # from the publication, in words
    published: tuple[Published, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError: no classes or no channels."""
        if self.num_classes < 1:
            raise ValueError(
                f"num_classes is at least 1; received {self.num_classes}; "
                "next: forward_head(forward_features(x), pre_logits=True) gives what stands before the classes"
            )
        if self.in_channels < 1:
            raise ValueError(f"in_channels is at least 1; received {self.in_channels}")

    @property
    def pixels(self) -> str:
        """The input transform of pictures that are not standardised: "raw" or "center" (docs/format.md)."""
        return "raw" if self.stem.kind == "thermometer" else "center"

    @property
    def geometry(self) -> tuple[tuple[int, int], ...]:
        return self.stem.geometry + tuple(step for block in self.body for step in block.geometry)

    @property
    def taps(self) -> tuple[int, ...]:
        """Blocks before which the size changes, and the end: where a head of levels takes its maps. 0 is the stem's."""
        shrinks = [any(stride > 1 for _, stride in block.geometry) for block in self.body]
        return (*(i for i, shrink in enumerate(shrinks) if shrink or i == 0), len(self.body))

    @property
    def total_stride(self) -> int:
        return step(self.geometry)

    @property
    def level_stride(self) -> int:
        """What the places of tiles must be multiples of: the stride of the coarsest level, where a level lies below the last map."""
        return level_stride(step(self.stem.geometry), self.body)

    @property
    def radius_px(self) -> int:
        """Pixels that a position of the last map sees to each side of its own."""
        return reach(self.geometry)
