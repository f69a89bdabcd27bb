"""Write and read the model file `.aoie`, version 1 (docs/format.md). Reading takes NumPy only; the runtime refuses the same files.

The checks of the graph itself stand in `deploy/graph.py`. That no picture makes infinity (Ranges) is proven in one place, the
runtime, which `write` therefore opens every file with before the file takes its name.
"""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from aoienet.deploy.graph import FormatError, check_header, check_tensor_values, refuse

__all__ = ["FormatError", "checksum", "parse", "read", "serialize", "write"]

MAGIC = b"AOIENET\0"
VERSION = 1
ALIGN_BYTES = 64
PREFIX_BYTES = 32
MAX_HEADER_BYTES = 1_048_576
MAX_FILE_BYTES = 1 << 30
MAX_TENSORS = 4_096
MAX_DIMS = 4
MAX_SIDE = 65_536
MAX_JSON_DEPTH = 16
DTYPES = {"u64": "<u8", "i16": "<i2", "f32": "<f4", "u8": "|u1"}

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
FNV_CHUNK_BYTES = 1 << 20
U64_MASK = (1 << 64) - 1

Tensors = dict[str, NDArray[Any]]


def write(path: str | os.PathLike[str], header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write a model file in one step: a reader sees the old file or the whole new one.

    Args      header: all keys of docs/format.md except "tensors", which is filled here in the order of `tensors`.
    Raises    FormatError: the file would be refused by `read`, or by the runtime.
    """
    data = serialize(header, tensors)
    _open_in_runtime(data)
    target = Path(path)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes 0600, and a model file is for everyone
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Tensors]:
    """Read a model file and return (header, tensors); the tensors are read-only views of one buffer.

    Raises    FormatError: the file breaks a rule of docs/format.md. OSError: it cannot be opened.
    """
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > MAX_FILE_BYTES:
            refuse(f"file_bytes is at most {MAX_FILE_BYTES}", size, f"Is {path} a model file?")
        return parse(stream.read())


def serialize(header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of a model file, checked with the rules of `parse`."""
    table: dict[str, Any] = {}
    blobs: list[bytes] = []
    offset = 0
    for name, tensor in tensors.items():
        dtype = _dtype_name(name, tensor)
        blob = np.ascontiguousarray(tensor, dtype=DTYPES[dtype]).tobytes()
        table[name] = {"dtype": dtype, "shape": list(tensor.shape), "offset": offset}
        gap = -len(blob) % ALIGN_BYTES
        blobs.append(blob + bytes(gap))
        offset += len(blob) + gap
    if tensors:
        blobs[-1] = blobs[-1][: len(blobs[-1]) - gap]
    try:
        text = json.dumps({**header, "tensors": table}, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"the header is finite JSON; received a header that json refuses: {error}.") from error
    head = text + bytes(-(PREFIX_BYTES + len(text)) % ALIGN_BYTES)
    body = head + b"".join(blobs)
    data = struct.pack("<8sIIQQ", MAGIC, VERSION, len(text), PREFIX_BYTES + len(body), checksum(body)) + body
    parse(data)
    return data


def _open_in_runtime(data: bytes) -> None:
    from aoienet.engine import _core  # reading needs no compiled part

    try:
        _core.open(np.frombuffer(data, np.uint8))
    except (ValueError, RuntimeError) as error:  # RuntimeError: AOIENET_ISA names no instruction set of this machine
        raise FormatError(str(error)) from None


def parse(data: bytes) -> tuple[dict[str, Any], Tensors]:
    """Check and split the bytes of a model file (see `read`)."""
    header_bytes = _check_prefix(data)
    header = _load_json(data[PREFIX_BYTES : PREFIX_BYTES + header_bytes])
    tensors = _cut_tensors(header, data, header_bytes)
    check_header(header, tensors)
    return header, tensors


def checksum(data: bytes) -> int:
    """Return FNV-1a (64 bit) of `data`, vectorised and exact.

    The recurrence is h' = (h ^ b) * prime. XOR with a byte changes the low byte l only: h ^ b = h + ((l ^ b) - l), so
    h_n = h_0 prime^n + sum_i ((l_i ^ b_i) - l_i) prime^(n - i). The low bytes follow from bit 0 upwards: bit k of l' is
    l_k ^ b_k ^ (what bits below k carry into bit k), which is a running XOR.
    """
    state = FNV_OFFSET
    octets = np.frombuffer(data, dtype=np.uint8)
    for start in range(0, len(octets), FNV_CHUNK_BYTES):
        state = _checksum_chunk(state, octets[start : start + FNV_CHUNK_BYTES])
    return state


def _checksum_chunk(state: int, octets: NDArray[np.uint8]) -> int:
    prime_low = np.uint8(FNV_PRIME & 0xFF)
    low = np.zeros(len(octets), dtype=np.uint8)
    for k in range(8):
        mixed = low ^ octets
        carried = ((mixed & np.uint8((1 << k) - 1)) * prime_low >> np.uint8(k)) & np.uint8(1)
        toggles = ((octets >> np.uint8(k)) & np.uint8(1)) ^ carried
        bit = np.empty_like(low)
        bit[0] = (state >> k) & 1
        bit[1:] = np.bitwise_xor.accumulate(toggles)[:-1] ^ bit[0]
        low |= bit << np.uint8(k)
    delta = (low ^ octets).astype(np.uint64) - low.astype(np.uint64)
    powers = np.cumprod(np.full(len(octets), FNV_PRIME, dtype=np.uint64), dtype=np.uint64)
    total = int(np.sum(delta * powers[::-1], dtype=np.uint64))
    return (state * int(powers[-1]) + total) & U64_MASK


def _dtype_name(name: str, tensor: NDArray[Any]) -> str:
    for key, code in DTYPES.items():
        if tensor.dtype == np.dtype(code):
            return key
    refuse(f"the dtype of tensor {name!r} is one of {', '.join(DTYPES)}", tensor.dtype, "Convert it before writing.")


def _check_prefix(data: bytes) -> int:
    if len(data) < PREFIX_BYTES:
        refuse(f"a model file has at least {PREFIX_BYTES} bytes", f"{len(data)} bytes", "Is the file truncated?")
    magic, version, header_bytes, file_bytes, digest = struct.unpack_from("<8sIIQQ", data)
    if magic != MAGIC:
        refuse(f"the magic is {MAGIC!r}", magic, "This is not a model file.")
    if version != VERSION:
        refuse(f"the version is {VERSION}", version, "Pack the model again with this release.")
    if not 2 <= header_bytes <= MAX_HEADER_BYTES:
        refuse(f"header_bytes is 2 to {MAX_HEADER_BYTES}", header_bytes)
    if file_bytes > MAX_FILE_BYTES:
        refuse(f"file_bytes is at most {MAX_FILE_BYTES}", file_bytes)
    if file_bytes != len(data):
        refuse("file_bytes is the size of the file", f"{file_bytes}, file of {len(data)} bytes", "Copy the file again.")
    if PREFIX_BYTES + header_bytes > file_bytes:
        refuse("the header ends inside of the file", f"header_bytes={header_bytes}, file_bytes={file_bytes}")
    actual = checksum(memoryview(data)[PREFIX_BYTES:])  # type: ignore[arg-type]
    if actual != digest:
        refuse(
            "the checksum is FNV-1a of bytes 32 to the end", f"{digest:#018x}, computed {actual:#018x}", "Copy again."
        )
    return int(header_bytes)


def _load_json(text: bytes) -> dict[str, Any]:
    _check_depth(text)
    try:
        header = json.loads(
            text.decode("utf-8"),
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_no_duplicates,
        )
        json.dumps(header, ensure_ascii=False).encode(
            "utf-8"
        )  # refuses half of a surrogate pair, which json.loads takes
    except FormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the header is a UTF-8 JSON object; received text that is not: {error}.") from error
    if not isinstance(header, dict):
        refuse("the header is a JSON object", type(header).__name__)
    return header


def _check_depth(text: bytes) -> None:
    depth = 0
    in_string = escaped = False
    for octet in text:
        if in_string:
            if escaped:
                escaped = False
            elif octet == 0x5C:  # backslash
                escaped = True
            elif octet == 0x22:
                in_string = False
        elif octet == 0x22:
            in_string = True
        elif octet in b"[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                refuse(f"JSON depth is at most {MAX_JSON_DEPTH}", "a deeper header")
        elif octet in b"]}":
            depth -= 1


def _no_constant(name: str) -> NoReturn:
    refuse("floats are finite", name)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        refuse("floats are finite", text)
    return value


def _whole(text: str) -> int:
    _finite(text)
    return int(text)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        refuse("a key stands once in a JSON object", [key for key, _ in pairs][:16])
    return result


def _cut_tensors(header: dict[str, Any], data: bytes, header_bytes: int) -> Tensors:
    table = header.get("tensors")
    if not isinstance(table, dict):
        refuse("'tensors' is a JSON object", type(table).__name__)
    if len(table) > MAX_TENSORS:
        refuse(f"a file has at most {MAX_TENSORS} tensors", len(table))
    entries = sorted(((_check_entry(name, entry), name) for name, entry in table.items()), key=lambda item: item[0][0])
    end = PREFIX_BYTES + header_bytes
    base = end + -end % ALIGN_BYTES
    tensors: Tensors = {}
    for (offset, dtype, shape), name in entries:
        _check_gap(name, data, end, base + offset)
        size_bytes = math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
        end = base + offset + size_bytes
        if end > len(data):
            refuse(f"tensor {name!r} ends inside of the file", f"end at byte {end} of {len(data)}")
        tensors[name] = np.frombuffer(data, DTYPES[dtype], math.prod(shape), base + offset).reshape(shape)
        check_tensor_values(name, tensors[name])
    tail = end if entries else base
    if tail != len(data):
        refuse("the last tensor ends at file_bytes", f"its end at {tail}, file_bytes={len(data)}")
    if not entries and any(data[end:]):
        refuse("bytes between tensors are 0", "other bytes after the header")
    return tensors


def _check_gap(name: str, data: bytes, end: int, start: int) -> None:
    if start < end:
        refuse("tensors stand one after the other without overlap", f"{name!r} at byte {start}, before byte {end}")
    if start - end >= ALIGN_BYTES:
        refuse(f"each gap is less than {ALIGN_BYTES} bytes", f"{start - end} bytes before {name!r}")
    if any(data[end:start]):
        refuse("bytes between tensors are 0", f"other bytes before {name!r}")


def _check_entry(name: str, entry: Any) -> tuple[int, str, tuple[int, ...]]:
    if not isinstance(entry, dict):
        refuse(f"the entry of tensor {name!r} is a JSON object", type(entry).__name__)
    dtype, shape, offset = entry.get("dtype"), entry.get("shape"), entry.get("offset")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        refuse(f"the dtype of tensor {name!r} is one of {', '.join(DTYPES)}", dtype)
    if not isinstance(shape, list) or not 1 <= len(shape) <= MAX_DIMS:
        refuse(f"tensor {name!r} has 1 to {MAX_DIMS} dimensions", shape)
    if not all(type(side) is int and 1 <= side <= MAX_SIDE for side in shape):
        refuse(f"each dimension of tensor {name!r} is 1 to {MAX_SIDE}", shape)
    if type(offset) is not int or not 0 <= offset < MAX_FILE_BYTES or offset % ALIGN_BYTES:
        refuse(f"the offset of tensor {name!r} is a multiple of {ALIGN_BYTES} inside of the file", offset)
    return offset, dtype, tuple(shape)
