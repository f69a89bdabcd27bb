"""Run a model file (docs/format.md) on packed bits: the Python face of the C++ runtime, without PyTorch.

    model = Model.open("crack_blocks.aoie")
    logits = model.run(image)            # float32 [Hb, Wb, K]

Threads   a model does not change after `open`; every thread that runs it has its own workspace.
Set       the environment variable AOIENET_ISA (reference, neon, avx2, avx512) before `open` forces an instruction set.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from aoienet.engine import _core as _core

__all__ = ["Model", "ModelFileError", "active_isa", "cpu_features", "isas"]

ALIGN_BYTES = 64
MAX_THREADS = 64
MAX_SIDE_PX = 65_536
_DTYPES = (np.uint8, np.int8, np.uint64, np.float32, np.float32)  # by aoie_type of the runtime
_BITS = 2

Array = NDArray[Any]


class ModelFileError(ValueError):
    """A file breaks a rule of docs/format.md; the message names the rule and the received value."""


class Model:
    """An opened model file.

    Attributes  path, header (the JSON header), name, classes, sha256 (of the file), isa, scan (geometry, or None),
                model_bytes (memory of the opened model without the file)
    """

    def __init__(self, core: _core.Core, path: str, sha256: str) -> None:
        self._core = core
        self._memory = threading.local()
        self.path = path
        self.sha256 = sha256
        self.header: dict[str, Any] = json.loads(core.header)
        self.name: str = self.header["name"]
        self.classes: tuple[str, ...] = tuple(self.header["classes"])
        self.scan: dict[str, Any] | None = self.header.get("scan")
        self.isa: str = core.isa
        self.model_bytes: int = core.model_bytes

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Model:
        """Read and check a model file.

        Raises    ModelFileError: a rule of the format is broken. OSError: the file cannot be read.
                  RuntimeError: AOIENET_ISA names an instruction set that this machine lacks.
                  MemoryError: the opened model does not fit.
        """
        with open(path, "rb") as stream:
            data = stream.read((1 << 30) + 1)
        try:
            core = _core.open(np.frombuffer(data, dtype=np.uint8))
        except ValueError as error:
            raise ModelFileError(f"{os.fspath(path)}: {error}") from None
        return cls(core, os.fspath(path), hashlib.sha256(data).hexdigest())

    def __repr__(self) -> str:
        return f"Model(name={self.name!r}, classes={self.classes!r}, isa={self.isa!r}, path={self.path!r})"

    def run(self, image: Array, threads: int = 1) -> NDArray[np.float32]:
        """Return the logits [Hb, Wb, K] of a picture, uint8 [H, W], [H, W, 1] or [H, W, 3].

        A colour picture handed to a grey model is made grey with the integer law of docs/format.md.
        threads (1 to 64) share one picture, for latency; they end with the call. The bits do not depend on them.
        """
        if not _is_whole(threads) or not 1 <= threads <= MAX_THREADS:
            raise ValueError(f"threads is 1 to {MAX_THREADS}; received {threads!r}. Take the number of cores.")
        pixels = self._pixels(image)
        h, w = pixels.shape[:2]
        grid_h, grid_w, classes = self._core.plan(h, w)[:3]
        workspace_bytes = self._core.parallel_bytes(h, w, threads)
        logits = np.empty((grid_h, grid_w, classes), dtype=np.float32)
        self._core.run(pixels, self._workspace(workspace_bytes), logits, threads)
        return logits

    def run_part(self, image: Array, y: int, x: int, rows: int, columns: int) -> NDArray[np.float32]:
        """Return the logits [rows, columns, K] of a part of the grid of decisions, which begins at row y, column x of it.

        They have the bits of `run`; what only other decisions need is left out, as where a tile has its surroundings with it.
        """
        pixels = self._pixels(image)
        h, w = pixels.shape[:2]
        grid_h, grid_w, classes = self._core.plan(h, w)[:3]
        part = (y, x, rows, columns)
        inside = all(_is_whole(v) for v in part) and 0 <= y < y + rows <= grid_h and 0 <= x < x + columns <= grid_w
        if not inside:
            raise ValueError(
                f"a part (y, x, rows, columns) lies in the grid of {(grid_h, grid_w)} decisions of a picture of {(h, w)}; received {part!r}."
            )
        logits = np.empty((rows, columns, classes), dtype=np.float32)
        self._core.run_part(pixels, self._workspace(self._core.part_bytes(h, w, *part)), logits, y, x)
        return logits

    def trace(self, image: Array) -> list[Any]:
        """Return every value of the graph by id (None for an id that is not used).

        Shapes    image [H,W,C]; f32 map [H,W,C]; bits uint64 [J,H,W,P]; vec float32 [Hb,Wb,C]
        """
        pixels = self._pixels(image)
        h, w = pixels.shape[:2]
        trace_bytes = self._core.plan(h, w)[4]
        if trace_bytes == 0:
            raise ValueError(f"a trace keeps all values in memory; received a picture of {(h, w)}. Trace a part of it.")
        memory = _aligned(trace_bytes)
        self._core.trace(pixels, memory)
        return [_view(memory, self._core.value_at(h, w, index)) for index in range(self._core.value_count)]

    def workspace_bytes(self, h: int, w: int) -> int:
        """Return the memory that one run of a picture of h x w pixels needs."""
        return int(self._plan(h, w)[3])

    def grid(self, h: int, w: int) -> tuple[int, int]:
        """Return how many decisions (down, across) a picture of h x w pixels gets."""
        grid_h, grid_w = self._plan(h, w)[:2]
        return grid_h, grid_w

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a model is not copied and not sent to another process; received {self!r}. Threads share it; "
            "another process calls Model.open(path) itself."
        )

    def _plan(self, h: int, w: int) -> tuple[int, int, int, int, int]:
        if not all(_is_whole(side) and abs(side) <= MAX_SIDE_PX for side in (h, w)):
            rule = f"h and w are whole pixels, at most {MAX_SIDE_PX}"
            raise ValueError(f"{rule}; received {(h, w)!r}. Cut the picture into tiles.")
        return self._core.plan(h, w)

    def _pixels(self, image: Array) -> NDArray[np.uint8]:
        pixels = np.asarray(image)
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
            raise ValueError(f"an image is uint8 [H,W], [H,W,1] or [H,W,3]; received {pixels.dtype} {np.shape(image)}.")
        if self._core.channels == 1 and pixels.shape[2] == 3:
            wide = pixels.astype(np.uint32)
            grey = (19595 * wide[..., :1] + 38470 * wide[..., 1:2] + 7471 * wide[..., 2:] + 32768) >> 16
            pixels = grey.astype(np.uint8)
        if pixels.shape[2] != self._core.channels:
            want = self._core.channels
            raise ValueError(f"the model takes {want} channels; received {pixels.shape[2]}. Convert to RGB first.")
        return np.ascontiguousarray(pixels)

    def _workspace(self, size_bytes: int) -> NDArray[np.uint8]:
        memory = getattr(self._memory, "workspace", None)
        if memory is None or memory.nbytes < size_bytes:
            self._memory.workspace = None  # let the old one go before the new one is asked for
            memory = self._memory.workspace = _aligned(size_bytes)
        return memory


def _is_whole(number: Any) -> bool:
    return isinstance(number, (int, np.integer))


def _aligned(size_bytes: int) -> NDArray[np.uint8]:
    memory = np.empty(size_bytes + ALIGN_BYTES, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGN_BYTES
    return memory[start : start + size_bytes]


def _view(memory: Array, value: tuple[int, ...] | None) -> Array | None:
    if value is None:
        return None
    kind, planes, h, w, channels, words, offset, size_bytes = value
    shape = (planes, h, w, words) if kind == _BITS else (h, w, channels)
    return memory[offset : offset + size_bytes].view(_DTYPES[kind]).reshape(shape)


def cpu_features() -> dict[str, bool]:
    """Return the CPU features that the runtime asks for, and whether this machine has them."""
    return dict(_core.cpu_features())


def isas() -> tuple[str, ...]:
    """Return the instruction sets that work on this machine, slowest first."""
    return tuple(_core.isas())


def active_isa() -> str:
    """Return the instruction set that `Model.open` would take now (see AOIENET_ISA)."""
    name = _core.active_isa()
    if name is None:
        raise RuntimeError(f"AOIENET_ISA is one of {', '.join(isas())}; received {os.environ.get('AOIENET_ISA')!r}.")
    return str(name)
