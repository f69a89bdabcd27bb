"""What a header of docs/format.md may say: input, graph, scan. Every rule refuses with its name and the received value.

The graph is walked at the size of `input`, and at that of one block of a scanner, of two and so on up to `align_px` more; what each op takes and gives
stands in `deploy/graph_ops.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aoienet.deploy.graph_ops import MAX_SIDE, OPS, TWO_INPUTS, FormatError, Op, Value, integer, number, refuse

__all__ = ["FormatError", "check_header", "check_tensor_values", "refuse"]

MAX_OPS = 1_024
MAX_CLASSES = 4_096
MAX_ALIGN = 64


# Pixels of the picture that a position of a value sees beyond its own: above, left, below, right.
Reach = tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """Extent and step of a decision in positions of the map before the pool, that map's stride in pixels, its reach; the strides of
    all maps up to there."""

    extent: int
    step: int
    stride: int
    reach: Reach = (0, 0, 0, 0)
    strides: tuple[int, ...] = ()


def check_header(header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Raise FormatError unless the header describes a network that can run."""
    if header.get("format") != "aoie":
        refuse("'format' is \"aoie\"", repr(header.get("format")))
    if not isinstance(header.get("name"), str):
        refuse("'name' is a string", repr(header.get("name")))
    planes = integer(header, "planes", 1, 2, "header")
    classes = header.get("classes")
    if not isinstance(classes, list) or not 2 <= len(classes) <= MAX_CLASSES:
        refuse(f"'classes' lists 2 to {MAX_CLASSES} names", classes)
    if not all(isinstance(name, str) for name in classes):
        refuse("'classes' lists strings", classes)
    image = _check_input(header.get("input"))
    fixed, transform = header["input"]["fixed"], header["input"]["transform"]
    half_px = transform["window_px"] // 2 if transform["kind"] == "standardize" else 0
    walk = partial(_walk, header.get("graph"), tensors, planes, fixed, half_px)
    result, grid = walk(image)
    if result.channels != len(classes):
        refuse("the last op gives one logit per class", f"{result.channels} logits, {len(classes)} classes")
    if "scan" in header:
        _check_local(header["graph"], transform)
        _check_scan(header["scan"], len(classes), image, grid, fixed)
        _check_blocks(header["scan"], image, walk)
    if "meta" in header and not isinstance(header["meta"], dict):
        refuse("'meta' is a JSON object", type(header["meta"]).__name__)


def check_tensor_values(name: str, tensor: NDArray[Any]) -> None:
    """Raise FormatError when a float tensor holds NaN or infinity."""
    if tensor.dtype == np.dtype("<f4") and not bool(np.isfinite(tensor).all()):
        refuse("floats are finite", f"NaN or infinity in tensor {name!r}", "Export again from a run that converged.")


def _check_input(table: Any) -> Value:
    if not isinstance(table, dict):
        refuse("'input' is a JSON object", type(table).__name__)
    channels = integer(table, "channels", 1, 3, "input")
    if channels == 2:
        refuse("input: 'channels' is 1 (grey) or 3 (RGB)", channels)
    height = integer(table, "height", 1, MAX_SIDE, "input")
    width = integer(table, "width", 1, MAX_SIDE, "input")
    if type(table.get("fixed")) is not bool:
        refuse("input: 'fixed' is true or false", repr(table.get("fixed")))
    if "resize_px" in table:
        integer(table, "resize_px", max(height, width), MAX_SIDE, "input")
        if not table["fixed"]:
            refuse("input: 'resize_px' needs 'fixed': true", "false")
    transform = table.get("transform")
    if not isinstance(transform, dict):
        refuse("input: 'transform' is a JSON object", type(transform).__name__)
    kind = transform.get("kind")
    if kind not in ("raw", "center", "standardize"):
        refuse("transform: 'kind' is raw, center or standardize", repr(kind))
    if kind == "standardize":
        if channels != 1:
            refuse("transform standardize takes 1 channel", channels)
        window_px = integer(transform, "window_px", 0, MAX_SIDE, "transform")
        if window_px and window_px % 2 == 0:
            refuse("transform: 'window_px' is odd, or 0 for the whole image", window_px)
        number(transform, "eps_levels", "transform", positive=True)
        number(transform, "scale", "transform", positive=True)
    return Value("u8" if kind == "raw" else "i8", channels, height, width)


def _walk(
    graph: Any, tensors: Mapping[str, NDArray[Any]], planes: int, fixed: bool, half_px: int, image: Value
) -> tuple[Value, Grid]:
    """Check every op in order; return the result and the grid of decisions. half_px: of the window of standardize."""
    if not isinstance(graph, list) or not 1 <= len(graph) <= MAX_OPS:
        received = f"{len(graph)} ops" if isinstance(graph, list) else type(graph).__name__
        refuse(f"'graph' lists 1 to {MAX_OPS} ops", received)
    values = {0: image}
    reach: dict[int, Reach] = {0: (half_px,) * 4}
    grid = Grid(0, 0, image.stride)
    for index, entry in enumerate(graph):
        check = _find_op(index, entry)
        op = Op(index, entry, tensors, fixed)
        inputs = _inputs(op, values, 2 if entry["op"] in TWO_INPUTS else 1)
        out = op.integer("out", 1, MAX_OPS)
        if out in values:
            refuse(f"{op.where}: a value is written once", f"out={out}, which is written already")
        values[out] = result = check(op, *inputs)
        reach[out] = _reach(entry, [reach[value_id] for value_id in entry["in"]], inputs[0].stride)
        if result.planes > max(planes, 1):
            refuse(f"{op.where}: planes are at most those of the header ({planes})", result.planes)
        if entry["op"] == "pool":
            strides = tuple(value.stride for value in values.values())
            grid = Grid(entry["window"], entry.get("stride", 0), inputs[0].stride, reach[entry["in"][0]], strides)
        if entry["op"] == "peak":
            extent, step = grid.extent + (entry["window"] - 1) * grid.step, grid.step * entry["stride"]
            grid = replace(grid, extent=extent, step=step)
        if max(grid.extent, grid.step) > MAX_SIDE:
            refuse(f"{op.where}: a decision spans at most {MAX_SIDE} positions", (grid.extent, grid.step))
    if graph[-1]["op"] != "linear":
        refuse("the last op is linear", graph[-1]["op"])
    return result, grid


def _reach(entry: Mapping[str, Any], seen: list[Reach], stride: int) -> Reach:
    """What a position of the op's value sees; seen: the same of its inputs, whose positions are `stride` pixels apart."""
    if entry["op"] == "upadd2":  # every second position reads one that begins `stride` pixels before it
        above, left, *behind = seen[1]
        seen = [seen[0], (above + stride, left + stride, *behind)]
    more: Reach = (0, 0, 0, 0)
    if entry["op"] in ("conv_int", "conv_f32", "maxpool", "conv_bits"):
        k, p = entry["k"], entry.get("p", entry["k"] // 2)
        kw, pw = (k, p) if entry["op"] != "conv_bits" else (entry.get("kw", k), entry.get("kw", k) // 2)
        more = (p, pw, k - 1 - p, kw - 1 - pw)
    elif entry["op"] == "avgpool2":
        more = (0, 0, 1, 1)
    return tuple(max(sides) + n * stride for sides, n in zip(zip(*seen, strict=True), more, strict=True))


def _find_op(index: int, entry: Any) -> Callable[..., Value]:
    if not isinstance(entry, dict):
        refuse(f"op {index} is a JSON object", type(entry).__name__)
    name = entry.get("op")
    if not isinstance(name, str) or name not in OPS:
        near = difflib.get_close_matches(str(name), OPS, 1)
        step = f"Did you mean {near[0]!r}?" if near else ""
        refuse(f"op {index} is a known op ({', '.join(OPS)})", f"unknown op {name!r}", step)
    return OPS[name]


def _inputs(op: Op, values: Mapping[int, Value], count: int) -> list[Value]:
    ids = op.entry.get("in")
    if not isinstance(ids, list) or len(ids) != count:
        refuse(f"{op.where}: 'in' lists {count} value id(s)", ids)
    for value_id in ids:
        if type(value_id) is not int or value_id not in values:
            refuse(f"{op.where} reads values that are written before it", f"in={ids}")
    return [values[value_id] for value_id in ids]


def _check_local(graph: list[dict[str, Any]], transform: Mapping[str, Any]) -> None:
    """Refuse what makes the decision of a block depend on the picture around it."""
    rule = "scan: a decision depends on its block alone"
    if transform["kind"] == "standardize" and transform["window_px"] == 0:
        refuse(rule, "window_px 0, the whole image", "Take a window, or leave 'scan' out and classify whole pictures.")
    pools = 0
    for index, entry in enumerate(graph):
        pools += entry["op"] == "pool"
        if entry["op"] == "pool" and (entry["window"] == 0 or pools > 1):
            received = f"{'a second ' if pools > 1 else ''}{entry['op']} at op {index}"
            refuse(rule, received, "Leave 'scan' out and classify whole pictures.")


def _check_scan(scan: Any, classes: int, image: Value, grid: Grid, fixed: bool) -> None:
    if not isinstance(scan, dict):
        refuse("'scan' is a JSON object", type(scan).__name__)
    block_px = integer(scan, "block_px", 1, MAX_SIDE, "scan")
    step_px = integer(scan, "block_stride_px", 1, MAX_SIDE, "scan")
    halo_px = integer(scan, "halo_px", 0, MAX_SIDE, "scan")
    stride = integer(scan, "total_stride", 1, MAX_SIDE, "scan")
    integer(scan, "defect", 0, classes - 1, "scan")
    number(scan, "threshold", "scan", positive=False)
    number(scan, "temperature", "scan", positive=True)
    if fixed:
        refuse("scan: pictures have any size, so input.fixed is false", "true", "Say false, or leave 'scan' out.")
    if block_px % stride or step_px % stride:
        refuse("scan: block_px and block_stride_px are multiples of total_stride", (block_px, step_px, stride))
    align_px = integer(scan, "align_px", 1, MAX_SIDE, "scan") if "align_px" in scan else step_px
    apart = next((stride for stride in grid.strides if align_px % stride), 1)
    if align_px % step_px or align_px > MAX_ALIGN * step_px or apart > 1:
        refuse(
            f"scan: align_px (without it block_stride_px) is 1 to {MAX_ALIGN} times block_stride_px, and a multiple of the product of "
            "strides up to every value before the pool",
            (align_px, step_px, apart),
        )
    if halo_px % align_px:
        refuse("scan: halo_px is a multiple of align_px, and of block_stride_px", (halo_px, align_px))
    if (grid.extent, grid.step) != (block_px // stride, step_px // stride):
        refuse(
            "scan: block_px and block_stride_px are extent and step of the decisions (pool.window, pool.stride, then every peak) times total_stride",
            (grid.extent, grid.step),
        )
    if grid.stride != stride:
        refuse(
            "scan: total_stride is the product of the strides up to what the pool reads",
            f"{stride}, product {grid.stride}",
        )
    *before, below, right = grid.reach
    sees_px = max(*before, max(below, right) - (stride - 1))
    if halo_px < sees_px:
        least = -(-sees_px // align_px) * align_px
        refuse(f"scan: halo_px is at least what a decision sees around its block, here {least}", halo_px)
    if min(image.height, image.width) < block_px:
        refuse("scan: 'input' holds at least one block", (image.height, image.width, block_px))


def _check_blocks(scan: Mapping[str, Any], image: Value, walk: Callable[[Value], tuple[Value, Grid]]) -> None:
    """Refuse a graph that gives other decisions than the blocks; all maps grow by whole positions with every align_px, so
    what holds up to there holds for more."""
    step_px = scan["block_stride_px"]
    for blocks in range(1, scan.get("align_px", step_px) // step_px + 2):
        side = scan["block_px"] + (blocks - 1) * step_px
        if side > MAX_SIDE:  # no picture and no band has as many
            break
        try:
            result, _ = walk(replace(image, height=side, width=side))
        except FormatError as error:
            raise FormatError(f"scan: a picture of any number of blocks can run: {error}") from None
        if result.hw != (blocks, blocks):
            rule = "scan: a picture of one block gives one decision, and block_stride_px more give one more"
            refuse(rule, f"{result.hw} decisions of {(side, side)} pixels", "Take odd kernels with p = k // 2.")
