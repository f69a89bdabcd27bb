"""Files that every reader refuses: `cases()` gives (name, bytes, words of the Python reader's message).

The bytes are forged here without `aoienet.deploy.format`, so that a fault of the writer cannot hide one of the reader.
"""

from __future__ import annotations

import copy
import json
import math
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from tiny_models import mixed_model, picture_model, scan_model  # noqa: E402

Case = tuple[str, bytes, str]
DTYPE_NAMES = {"uint64": "u64", "int16": "i16", "float32": "f32", "uint8": "u8"}


def fnv1a(data: bytes) -> int:
    """The plain loop of FNV-1a, 64 bit: the reference for `format.checksum`."""
    state = 0xCBF29CE484222325
    for octet in data:
        state = ((state ^ octet) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return state


def layout(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> tuple[dict[str, Any], bytes]:
    """Return the header with its tensor table, and the tensor data."""
    table, data = {}, b""
    for name, tensor in tensors.items():
        data += bytes(-len(data) % 64)
        table[name] = {"dtype": DTYPE_NAMES[tensor.dtype.name], "shape": list(tensor.shape), "offset": len(data)}
        data += tensor.tobytes()
    return {**copy.deepcopy(header), "tensors": table}, data


def forge(
    header: dict[str, Any] | bytes,
    data: bytes,
    magic: bytes = b"AOIENET\0",
    version: int = 1,
    header_bytes: int | None = None,
    file_bytes: int | None = None,
    digest: int | None = None,
    pad: bytes = b"\0",
) -> bytes:
    """Put a file together without a check; what is None is filled in rightly."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = text + pad * (-(32 + len(text)) % 64) + data
    return (
        struct.pack(
            "<8sIIQQ",
            magic,
            version,
            len(text) if header_bytes is None else header_bytes,
            32 + len(body) if file_bytes is None else file_bytes,
            fnv1a(body) if digest is None else digest,
        )
        + body
    )


def good_bytes() -> bytes:
    """A file that every reader takes, made like the hostile ones."""
    return forge(*layout(*scan_model()))


def cases() -> Iterator[Case]:
    yield from _prefix_cases()
    yield from _json_cases()
    yield from _tensor_cases()
    yield from _header_cases()
    yield from _graph_cases()
    yield from _constant_cases()
    yield from _op_cases()
    yield from _upadd2_cases()
    yield from _scan_cases()


def _prefix_cases() -> Iterator[Case]:
    header, data = layout(*scan_model())
    good = forge(header, data)
    yield "empty", b"", "at least 32 bytes"
    yield "prefix_cut", good[:31], "at least 32 bytes"
    yield "header_cut", good[:200], "file_bytes is the size"
    yield "one_byte_short", good[:-1], "file_bytes is the size"
    yield "one_byte_long", good + b"\0", "file_bytes is the size"
    yield "wrong_magic", forge(header, data, magic=b"AOIENETX"), "magic"
    yield "pickle", b"\x80\x04" + good[2:], "magic"
    yield "version_0", forge(header, data, version=0), "version is 1"
    yield "version_2", forge(header, data, version=2), "version is 1"
    yield "header_bytes_0", forge(header, data, header_bytes=0), "header_bytes"
    yield "header_bytes_absurd", forge(header, data, header_bytes=0xFFFFFFFF), "header_bytes"
    yield "header_bytes_beyond_file", forge(header, data, header_bytes=1_000_000), "header ends inside"
    yield "file_bytes_absurd", forge(header, data, file_bytes=1 << 63), "file_bytes is at most"
    yield "checksum_wrong", forge(header, data, digest=fnv1a(good[32:]) ^ 1), "checksum"
    yield "bit_flipped", good[:-5] + bytes([good[-5] ^ 4]) + good[-4:], "checksum"


def _json_cases() -> Iterator[Case]:
    header, data = layout(*scan_model())
    text = json.dumps(header).encode()
    yield "json_not_closed", forge(text[:-1], data), "JSON object"
    yield "json_trailing", forge(text + b"x", data), "JSON object"
    yield "json_not_utf8", forge(text.replace(b"tiny", b"t\xff\xfey"), data), "JSON object"
    yield "json_list", forge(b"[1,2]", data), "JSON object"
    yield "json_single_quotes", forge(text.replace(b'"', b"'"), data), "JSON object"
    yield "json_bad_escape", forge(text.replace(b"tiny", b"\\x41"), data), "JSON object"
    yield "json_raw_newline", forge(text.replace(b"tiny", b"ti\ny"), data), "JSON object"
    deep = {**header, "meta": {"a": json.loads("[" * 15 + "]" * 15)}}
    yield "json_depth_17", forge(deep, data), "depth"
    yield "json_depth_100000", forge(b"[" * 100_000 + b"]" * 100_000, data), "depth"
    yield "json_nan", forge(text.replace(b'"threshold": 0.0', b'"threshold": NaN'), data), "finite"
    yield "json_key_twice", forge(text.replace(b'"planes": 2', b'"planes": 2, "planes": 2'), data), "once"
    yield "json_leading_zero", forge(text.replace(b'"planes": 2', b'"planes": 02'), data), "JSON object"
    yield "json_control_character", forge(text.replace(b"tiny", b"\x01"), data), "JSON object"
    yield "json_byte_order_mark", forge(b"\xef\xbb\xbf" + text, data), "JSON object"
    yield "json_zero_byte_at_end", forge(text + b"\0", data), "JSON object"
    many_digits = b'"threshold": 1' + b"0" * 400
    yield "json_integer_of_401_digits", forge(text.replace(b'"threshold": 0.0', many_digits), data), "finite"
    for digits in ("1" + "0" * 400, str(2**1024 - 2**970), "9" * 5000):
        named = text.replace(b'"meta": {', b'"meta": {"seed": -' + digits.encode() + b", ")
        yield f"json_meta_of_{len(digits)}_digits", forge(named, data), "finite"
    for half in (
        r"\ud800",
        r"\uDFFF",
        r"\ud83d\u0041",
        r"\ude00\ud83d",
        r"\ud83dA",
        r"\uDBFF\\uDC00",
        r"\ud83d\ud83d\ude00",
    ):
        yield f"json_name_{half}", forge(text.replace(b"tiny", half.encode()), data), "surrogates not allowed"
    yield "json_class_of_half_a_pair", forge(text.replace(b'"clean"', b'"\\udc00"'), data), "surrogates not allowed"
    yield "json_key_of_half_a_pair", forge(text.replace(b'"note"', b'"\\udbff"'), data), "surrogates not allowed"
    yield "json_1e999", forge(text.replace(b'"threshold": 0.0', b'"threshold": 1e999'), data), "finite"


def _tensor_cases() -> Iterator[Case]:
    header, tensors = scan_model()
    full, data = layout(header, tensors)

    def entry(name: str, **changes: Any) -> bytes:
        changed = copy.deepcopy(full)
        changed["tensors"][name].update(changes)
        return forge(changed, data)

    last = list(tensors)[-1]
    yield "tensors_missing", forge({k: v for k, v in full.items() if k != "tensors"}, data), "'tensors'"
    yield "tensor_unknown_dtype", entry("c1.e", dtype="f64"), "dtype"
    yield "tensor_no_dimension", entry("c1.e", shape=[]), "1 to 4 dimensions"
    yield "tensor_5_dimensions", entry("c1.e", shape=[1, 1, 1, 1, 8]), "1 to 4 dimensions"
    yield "tensor_side_0", entry("c1.e", shape=[0]), "each dimension"
    yield "tensor_side_negative", entry("c1.e", shape=[-8]), "each dimension"
    yield "tensor_side_absurd", entry("c1.e", shape=[1 << 40]), "each dimension"
    yield "tensor_product_overflows_u64", entry("c1.e", shape=[65536] * 4), "ends inside"
    yield "tensor_side_fraction", entry("c1.e", shape=[8.5]), "each dimension"
    yield "tensor_offset_negative", entry("c1.e", offset=-64), "offset"
    yield "tensor_offset_unaligned", entry("c1.e", offset=full["tensors"]["c1.e"]["offset"] + 4), "offset"
    yield "tensor_offset_absurd", entry("c1.e", offset=(1 << 64) - 64), "offset"
    yield "tensor_overlap", entry("c1.e", offset=full["tensors"]["c1.f"]["offset"]), "gap"
    yield "tensor_overlaps_next", entry("c1.e", shape=[64]), "overlap"
    yield "tensor_beyond_file", entry(last, shape=[65536]), "ends inside"
    hole = copy.deepcopy(full)
    hole["tensors"][last]["offset"] += 64
    offset = full["tensors"][last]["offset"]
    yield "tensor_hole", forge(hole, data[:offset] + bytes(64) + data[offset:]), "gap"
    yield "tail_after_last_tensor", forge(full, data + bytes(64)), "last tensor ends"
    dirty = bytearray(data)
    dirty[full["tensors"]["stem.bias"]["offset"] - 1] = 1
    yield "gap_not_zero", forge(full, bytes(dirty)), "bytes between tensors are 0"
    if (32 + len(json.dumps(full))) % 64 == 0:
        full["name"] += "_"
    yield "gap_after_header_not_zero", forge(full, data, pad=b"\1"), "bytes between tensors are 0"
    many = {**full, "tensors": {f"t{i}": {"dtype": "u8", "shape": [1], "offset": 64 * i} for i in range(4097)}}
    yield "tensors_4097", forge(many, bytes(64 * 4096 + 1)), "at most 4096 tensors"


def _set(header: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with `path` (keys joined by '.') changed; `...` as the value removes the key."""
    changed = copy.deepcopy(header)
    *parents, key = path.split(".")
    place: Any = changed
    for parent in parents:
        place = place[int(parent)] if isinstance(place, list) else place[parent]
    if value is ...:
        del place[key]
    else:
        place[key] = value
    return changed


def _header_cases() -> Iterator[Case]:
    header, data = layout(*scan_model())
    for path, value, words in (
        ("format", "onnx", "'format'"),
        ("name", ..., "'name'"),
        ("planes", 0, "'planes'"),
        ("planes", 3, "'planes'"),
        ("planes", True, "'planes'"),
        ("planes", 1, "planes are at most"),
        ("planes", 2.0, "'planes'"),
        ("meta", [1], "'meta'"),
        ("classes", ["one"], "'classes'"),
        ("classes", [str(i) for i in range(4097)], "'classes'"),
        ("classes", ["clean", 7], "strings"),
        ("classes", ["a", "b", "c"], "one logit per class"),
        ("input", ..., "'input'"),
        ("input.channels", 2, "'channels'"),
        ("input.channels", 3, "1 channel"),
        ("input.height", 0, "'height'"),
        ("input.width", 65537, "'width'"),
        ("input.width", 1e30, "'width'"),
        ("input.height", 63, "at least one"),
        ("input.fixed", ..., "'fixed'"),
        ("input.fixed", True, "any size"),
        ("input.resize_px", 128, "needs 'fixed'"),
        ("input.transform", ..., "'transform'"),
        ("input.transform.kind", "whiten", "'kind'"),
        ("input.transform.window_px", 8, "odd"),
        ("input.transform.window_px", -1, "'window_px'"),
        ("input.transform.eps_levels", ..., "'eps_levels'"),
        ("input.transform.scale", "32", "'scale'"),
        ("scan.block_px", 0, "'block_px'"),
        ("scan.block_px", 60, "multiples of total_stride"),
        ("scan.block_stride_px", ..., "'block_stride_px'"),
        ("scan.block_stride_px", 16, "pool.stride"),
        ("input.transform.window_px", 0, "depends on its block alone"),
        ("input.transform.window_px", 129, "here 96"),
        ("scan.halo_px", 0, "here 32"),
        ("scan.halo_px", 33, "halo_px is a multiple"),
        ("scan.halo_px", -32, "'halo_px'"),
        ("scan.align_px", 0, "'align_px'"),
        ("scan.align_px", "32", "'align_px'"),
        ("scan.align_px", 64.0, "'align_px'"),
        ("scan.align_px", True, "'align_px'"),
        ("scan.align_px", None, "'align_px'"),
        ("scan.align_px", 48, "1 to 64 times block_stride_px"),
        ("scan.align_px", 2080, "1 to 64 times block_stride_px"),
        ("scan.align_px", 128, "halo_px is a multiple"),
        ("scan.total_stride", 0, "'total_stride'"),
        ("scan.defect", 2, "'defect'"),
        ("scan.threshold", ..., "'threshold'"),
        ("scan.temperature", 0, "'temperature'"),
    ):
        shown = "missing" if value is ... else str(value)[:12].replace(" ", "")
        yield f"{path}={shown}", forge(_set(header, path, value), data), words

    picture, pixels = layout(*picture_model())
    for resize_px in (0, 8, 65537, 9.0, "256", True, None):
        hostile = forge(_set(picture, "input.resize_px", resize_px), pixels)
        yield f"input.resize_px={resize_px}_of_9x7", hostile, "'resize_px'"

    halved = {**header["scan"], "total_stride": 4, "block_px": 32, "block_stride_px": 16}
    yield "scan_of_another_stride", forge(_set(header, "scan", halved), data), "product of the strides"


def _graph_cases() -> Iterator[Case]:
    header, data = layout(*scan_model())
    conv_bits, pool = header["graph"][3], header["graph"][11]
    yield "graph_empty", forge({**header, "graph": []}, data), "1 to 1024 ops"
    yield "graph_1025_ops", forge({**header, "graph": [header["graph"][0]] * 1025}, data), "1 to 1024 ops"
    yield "graph_not_a_list", forge({**header, "graph": {"op": "linear"}}, data), "1 to 1024 ops"
    yield "graph_ends_early", forge({**header, "graph": header["graph"][:-1]}, data), "last op is linear"
    for path, value, words in (
        ("0.op", "conv_imt", "unknown op"),
        ("0.op", ..., "unknown op"),
        ("0.in", ..., "'in'"),
        ("0.in", [], "'in'"),
        ("0.in", [0, 0], "'in'"),
        ("0.in", [5], "written before"),
        ("0.in", [-1], "written before"),
        ("0.in", [10**12], "written before"),
        ("0.in", [0.5], "written before"),
        ("0.out", 0, "'out'"),
        ("0.out", -1, "'out'"),
        ("0.out", 10**12, "'out'"),
        ("0.out", ..., "'out'"),
        ("12.out", 1025, "'out'"),
        ("1.out", 1, "written once"),
        ("3.in", [4], "written before"),
        ("0.k", 0, "'k'"),
        ("0.k", 12, "'k'"),
        ("0.k", 7, "shape"),
        ("0.s", 0, "'s'"),
        ("0.s", 9, "'s'"),
        ("0.p", 3, "'p'"),
        ("0.p", -1, "'p'"),
        ("0.weight", ..., "names a tensor"),
        ("0.weight", "nobody", "names a tensor"),
        ("0.weight", 3, "names a tensor"),
        ("0.weight", "c1.weight", "dtype"),
        ("0.scale", "fc.weight", "shape"),
        ("1.in", [0], "type f32"),
        ("2.flip", "bin2.flip", "shape"),
        ("3.in", [2], "type bits"),
        ("3.k", 2, "1 or 3"),
        ("3.s", 3, "'s'"),
        ("3.p", 0, "'p'"),
        ("3.channels", 9, "'channels'"),
        ("3.channels", ..., "'channels'"),
        ("3.h", "c2.h", "shape"),
        ("6.in", [4, 2], "one shape"),
        ("8.in", [8, 2], "one size"),
        ("11.window", -1, "'window'"),
        ("11.window", 1000, "at least one"),
        ("11.stride", 0, "'stride'"),
        ("11.window", 4, "pool.window"),
        ("12.in", [11], "type vec"),
        ("12.bias", "c1.e", "shape"),
    ):
        shown = "missing" if value is ... else str(value).replace(" ", "")
        yield f"graph.{path}={shown}", forge(_set(header, f"graph.{path}", value), data), words
    assert conv_bits["op"] == "conv_bits" and pool["op"] == "pool"  # the numbers above speak of these
    doubled = [{"op": "concat", "in": [i, i], "out": i + 1} for i in range(13, 40)]
    grown = header["graph"][:1] + [{"op": "concat", "in": [1, 1], "out": 13}] + doubled + header["graph"][1:]
    mixed = header["graph"][:-1] + [{"op": "concat", "in": [12, 11], "out": 14}, header["graph"][-1]]
    yield "concat_of_a_vec_and_a_map", forge({**header, "graph": mixed}, data), "type vec"
    yield "concat_doubles_to_2^31_channels", forge({**header, "graph": grown}, data), "channels"


def _constant_cases() -> Iterator[Case]:
    for name, key, value, words in (
        ("nan_in_scale", "stem.scale", math.nan, "NaN"),
        ("infinity_in_threshold", "bin.threshold", math.inf, "NaN or infinity"),
        ("minus_infinity_in_h", "c1.h", -math.inf, "NaN or infinity"),
        ("flip_2", "bin.flip", 2, "'flip' is 0 or 1"),
        ("pad_bits_set", "c1.weight", 1 << 63, "pad bits are 0"),
        ("pad_bit_just_beyond", "c1.weight", 1 << 8, "pad bits are 0"),
    ):
        header, tensors = scan_model()
        tensors[key].reshape(-1)[-1] = value
        yield name, forge(*layout(header, tensors)), words
    header, tensors = picture_model()
    header["input"]["transform"] = {"kind": "center"}
    yield "thermometer_reads_i8", forge(*layout(header, tensors)), "type u8"


def _op_cases() -> Iterator[Case]:
    """The ops that only `mixed_model` has: each key and each rule."""
    header, tensors = mixed_model()
    full, data = layout(header, tensors)
    where = {entry["out"]: entry["op"] for entry in header["graph"]}
    for path, value, words in (
        ("1.k", 1, "'k'"),
        ("1.k", 4, "'k'"),
        ("1.k", 2.0, "'k'"),
        ("1.k", ..., "'k'"),
        ("1.s", 0, "'s'"),
        ("1.s", 4, "'s'"),
        ("1.s", ..., "'s'"),
        ("1.p", 2, "'p'"),
        ("1.p", -1, "'p'"),
        ("1.p", ..., "'p'"),
        ("1.in", [0], "type f32"),
        ("1.op", "maxpool3", "unknown op"),
        ("2.k", 8, "'k'"),
        ("2.k", 0, "'k'"),
        ("2.k", 2, "shape"),
        ("2.k", ..., "'k'"),
        ("2.s", 5, "'s'"),
        ("2.s", ..., "'s'"),
        ("2.p", 2, "'p'"),
        ("2.p", ..., "'p'"),
        ("2.groups", 0, "'groups'"),
        ("2.groups", 4097, "'groups'"),
        ("2.groups", 4, "divides the channels"),
        ("2.groups", 1, "shape"),
        ("2.groups", True, "'groups'"),
        ("2.groups", ..., "'groups'"),
        ("2.weight", "stem.weight", "dtype"),
        ("2.weight", ..., "names a tensor"),
        ("2.bias", "stem.bias", "shape"),
        ("2.in", [0], "type f32"),
        ("3.knee", "stem.bias", "shape"),
        ("3.knee", "flip", "dtype"),
        ("3.knee", None, "names a tensor"),
        ("3.in", [5], "written before"),
        ("3.in", [0], "type f32 or vec"),
        ("6.kw", 2, "1 or 3"),
        ("6.kw", 0, "'kw'"),
        ("6.kw", 5, "'kw'"),
        ("6.kw", None, "'kw'"),
        ("6.kw", 3, "shape"),
        ("6.kw", ..., "shape"),
        ("6.k", 1, "shape"),
        ("6.p", 0, "'p'"),
        ("6.h", "e", "shape"),
        ("8.in", [7, 5], "one shape"),
        ("8.in", [7], "'in'"),
        ("10.in", [9], "'in'"),
        ("10.in", [9, 2], "one shape"),
        ("10.in", [0, 0], "type f32"),
        ("10.threshold", ..., "names a tensor"),
        ("10.scale", "stem.scale", "shape"),
        ("10.shift", "flip", "dtype"),
        ("11.low", ..., "'low'"),
        ("11.low", "0", "'low'"),
        ("11.low", True, "'low'"),
        ("11.low", 1.5, "below"),
        ("11.low", 1.49999999999, "below"),
        ("11.low", -1e39, "range of float32"),
        ("11.high", 1e39, "range of float32"),
        ("11.high", 10**60, "range of float32"),
        ("11.high", [], "'high'"),
        ("11.in", [0], "type f32 or vec"),
        ("13.in", [12], "type vec"),
        ("14.in", [5], "type f32 or vec"),
        ("16.in", [5], "type f32 or vec"),
        ("17.in", [12, 14], "1 x 1 grid"),
        ("17.in", [17, 12], "one shape"),
        ("17.in", [12, 2], "one shape"),
        ("17.in", [0, 17], "type f32 or vec"),
        ("17.in", [12], "'in'"),
        ("18.rows", "columns", "shape"),
        ("18.rows", "flip", "dtype"),
        ("18.columns", "rows", "shape"),
        ("18.columns", ..., "names a tensor"),
        ("18.in", [17], "type f32"),
        ("20.from", -1, "'from'"),
        ("20.from", 6, "'from'"),
        ("20.from", ..., "'from'"),
        ("20.to", 9, "'to'"),
        ("20.to", 0, "'to'"),
        ("20.to", 6.0, "'to'"),
        ("20.to", ..., "'to'"),
        ("20.before", -1, "'before'"),
        ("20.before", 10**18, "'before'"),
        ("20.before", 4096, "channels"),
        ("20.before", ..., "'before'"),
        ("20.after", 4, "one shape"),
        ("20.after", "3", "'after'"),
        ("20.after", ..., "'after'"),
        ("20.in", [17], "type f32"),
        ("21.in", [17], "type f32"),
        ("26.in", [26, 14], "one shape"),
        ("27.in", [27, 24], "one shape"),
    ):
        shown = "missing" if value is ... else str(value).replace(" ", "")
        index = int(path.split(".")[0])
        yield f"{where[index + 1]}.{path}={shown}", forge(_set(full, f"graph.{path}", value), data), words
    any_size = _set(_set(full, "input.resize_px", ...), "input.fixed", False)
    yield "rank1_of_any_size", forge(any_size, data), "input.fixed"
    for name, key in (("nan_in_knee", "act.knee"), ("nan_in_rows", "rows"), ("nan_in_float_weight", "group.weight")):
        header, tensors = mixed_model()
        tensors[key].reshape(-1)[0] = math.nan
        yield name, forge(*layout(header, tensors)), "NaN"
    header, tensors = mixed_model()
    tensors["group.weight"], tensors["group.bias"] = tensors["group.weight"][:7], tensors["group.bias"][:7]
    yield "groups_do_not_divide_the_outputs", forge(*layout(header, tensors)), "divides the outputs"
    header, tensors = picture_model()
    halves = [{"op": "subsample2", "in": [i + 2], "out": i + 3} for i in range(17)]
    pool, linear = (entry | {"in": [entry["in"][0] + 17], "out": entry["out"] + 17} for entry in header["graph"][2:])
    header["graph"] = [*header["graph"][:2], *halves, pool, linear]
    yield "strides_multiply_beyond_65536", forge(*layout(header, tensors)), "product of the strides"


def _upadd2_cases() -> Iterator[Case]:
    """A map and one that is not its half."""
    header, tensors = picture_model()
    before, last = header["graph"][:2], header["graph"][2:]
    half = {"op": "subsample2", "in": [2], "out": 11}
    narrow = {"op": "channels", "in": [11], "out": 13, "from": 0, "to": 1, "before": 0, "after": 0}
    for name, inputs, words in (
        ("of_one_size", [2, 2], "half its size"),
        ("the_wrong_way", [11, 2], "half its size"),
        ("of_planes", [1, 11], "type f32"),
        ("of_other_channels", [2, 13], "half its size"),
        ("of_one", [2], "'in'"),
    ):
        added = [half, narrow, {"op": "upadd2", "in": inputs, "out": 12}]
        yield f"upadd2_{name}", forge(*layout({**header, "graph": [*before, *added, *last]}, tensors)), words


def _scan_cases() -> Iterator[Case]:
    """A scan model with ops that look beyond the block."""

    def extended(*entries: dict[str, Any], fixed: bool = False, **more: np.ndarray) -> bytes:
        header, tensors = scan_model()
        header["input"]["fixed"] = fixed
        added = [entry | {"out": 14 + index} for index, entry in enumerate(entries)]
        header["graph"] = [*header["graph"][:11], *added, *header["graph"][11:]]
        return forge(*layout(header, tensors | more))

    rows, columns = np.ones(12, np.float32), np.ones(16, np.float32)
    rank1 = {"op": "rank1", "in": [11], "rows": "rows", "columns": "columns"}
    yield "scan_with_rank1", extended(rank1, fixed=True, rows=rows, columns=columns), "any size"
    yield "scan_with_whole_pool", extended({"op": "pool", "in": [11], "window": 0}), "block alone"
    yield "scan_with_two_pools", extended({"op": "pool", "in": [11], "window": 8, "stride": 4}), "block alone"

    halves = [{"op": "avgpool2", "in": [x]} for x in (11, 14, 15)]
    yield "scan_of_a_level_coarser_than_its_steps", extended(*halves), "strides up to every value before the pool"

    header, tensors = scan_model()
    peak = {"op": "peak", "in": [12], "out": 14, "window": 1, "stride": 2}
    header["scan"]["block_stride_px"] = 64  # the step of the peak, whose value nobody reads
    header["graph"].insert(12, peak)
    yield "scan_with_more_decisions_than_blocks", forge(*layout(header, tensors)), "(3, 3) decisions of (128, 128)"

    def stem(k: int, p: int) -> bytes:
        """Blocks of 4 px every 2 px, the mean of 2 x 2 positions of a stem of k x k pixels and stride 2."""
        header, tensors = scan_model()
        tensors = {name: tensors[name] for name in ("stem.scale", "stem.bias", "fc.bias")}
        tensors |= {"stem.weight": np.ones((8, k, k, 1), np.int16), "fc.weight": np.ones((2, 8), np.float32)}
        header["input"]["transform"] = {"kind": "center"}
        header["graph"] = [
            header["graph"][0] | {"k": k, "p": p},
            {"op": "pool", "in": [1], "out": 2, "window": 2, "stride": 1},
            header["graph"][-1] | {"in": [2], "out": 3},
        ]
        header["scan"] |= {"block_px": 4, "block_stride_px": 2, "halo_px": 4, "total_stride": 2}
        return forge(*layout(header, tensors))

    def levels(coarse: dict[str, Any], *then: dict[str, Any], scan: dict[str, int]) -> bytes:
        """A decision per position behind a level of half the size; the values are a pixel, its half, `coarse` and `then`."""
        header, tensors = scan_model()
        tensors = {name: tensors[name] for name in ("stem.scale", "stem.bias", "fc.bias")}
        tensors |= {"stem.weight": np.ones((8, 1, 1, 1), np.int16), "fc.weight": np.ones((2, 8), np.float32)}
        tensors |= {"each.weight": np.ones((8, 4, 4, 1), np.float32), "each.bias": np.ones(8, np.float32)}
        tensors |= {"third.weight": np.ones((8, 3, 3, 1), np.float32)}
        header["input"] |= {"height": 6, "width": 6, "transform": {"kind": "center"}}
        graph = [
            header["graph"][0] | {"k": 1, "s": 1, "p": 0},
            {"op": "avgpool2", "in": [1]},
            coarse | {"groups": 8, "bias": "each.bias"} if coarse["op"] == "conv_f32" else coarse,
            *(entry | ({"groups": 8, "bias": "each.bias"} if entry["op"] == "conv_f32" else {}) for entry in then),
            {"op": "pool", "in": [3 + len(then)], "window": 1, "stride": 1},
            header["graph"][-1] | {"in": [4 + len(then)]},
        ]
        header["graph"] = [entry | {"out": index + 1} for index, entry in enumerate(graph)]
        header["scan"] |= scan
        return forge(*layout(header, tensors))

    third = {"op": "conv_f32", "in": [3], "k": 3, "s": 3, "p": 0, "weight": "third.weight"}
    scan = {"block_px": 3, "block_stride_px": 3, "halo_px": 3, "total_stride": 3}
    yield (
        "scan_of_a_level_whose_stride_does_not_divide_its_steps",
        levels({"op": "upadd2", "in": [1, 2]}, third, scan=scan),
        "strides up to every value",
    )
    quarter = {"op": "conv_f32", "in": [2], "k": 4, "s": 2, "p": 2, "weight": "each.weight"}
    ups = ({"op": "upadd2", "in": [2, 3]}, {"op": "upadd2", "in": [1, 4]})
    scan = {"block_px": 1, "block_stride_px": 1, "align_px": 4, "halo_px": 8, "total_stride": 1}
    yield "scan_of_levels_that_fit_at_some_sizes", levels(quarter, *ups, scan=scan), "any number of blocks can run"
    yield "scan_of_a_block_smaller_than_a_kernel", stem(5, 0), "can run: op 0 (conv_int)"
    yield "scan_of_a_block_without_a_decision", stem(3, 0), "can run: op 1 (pool)"
    yield "scan_of_a_block_with_four_decisions", stem(2, 1), "(2, 2) decisions of (4, 4)"
