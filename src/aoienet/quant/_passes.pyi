"""What a training step does to whole maps, a pass over memory each (bindings/passes.cc). Maps of float32, float64 or, as uint16, BF16, one kind
per call; constants of float64 beside float64, else of float32."""

from typing import Any

from numpy.typing import NDArray

Row = NDArray[Any]
Lines = NDArray[Any]

def stats(x: Row, lines: Lines, threads: int) -> NDArray[Any]: ...
def planes(x: Row, out: Row, lines: Lines, steps: Row, low: float, threads: int) -> None: ...
def gradient(
    x: Row,
    grad: Row,
    out: Row,
    lines: Lines,
    annealed: bool,
    height: float,
    fall: float,
    low: float,
    high: float,
    threads: int,
) -> NDArray[Any]: ...
def join(d: Row, x: Row, out: Row, lines: Lines, threads: int) -> None: ...
def bend(x: Row, beside: Row | None, out: Row, lines: Lines, threads: int) -> None: ...
def bend_sums(x: Row, beside: Row | None, grad: Row | None, lines: Lines, threads: int) -> NDArray[Any]: ...
def bend_gradient(x: Row, beside: Row | None, grad: Row, out: Row, lines: Lines, threads: int) -> NDArray[Any]: ...
