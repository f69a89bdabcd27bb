"""What a training step does to whole maps, a pass over memory each (bindings/passes.cc). float32 or float64, one kind per call."""

from typing import Any

from numpy.typing import NDArray

Row = NDArray[Any]
Lines = NDArray[Any]

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
def join(d: Row, x: Row, lines: Lines, threads: int) -> None: ...
def slopes(x: Row, out: Row, lines: Lines, threads: int) -> None: ...
def slopes_gradient(x: Row, grad: Row, out: Row, lines: Lines, threads: int) -> NDArray[Any]: ...
