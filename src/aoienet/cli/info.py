"""aoienet info: what a picture or a model file holds, and what reading the picture costs."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aoienet.cli import _common

if TYPE_CHECKING:
    from aoienet.engine import Model
    from aoienet.scan.sources import Source

MAGIC = b"AOIENET\0"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("info")(info)


def info(
    file: Annotated[
        str, typer.Argument(help="A picture, an .aoie or .onnx file, or the name of a shipped model or second stage.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Tell what a picture or a model file holds."""
    from aoienet import weights
    from aoienet.segment import SHIPPED

    path = Path(file)
    if not path.exists():
        path = weights.locate(file) if file in weights.names() else SHIPPED.get(file, path)
    if path.is_dir():
        _common.fail(f"info takes one file; received the folder {file}; next: aoienet scan {file} --out OUT --dry-run")
    if not path.is_file():
        hint = f"; shipped models: {', '.join([*weights.names(), *SHIPPED])}"
        _common.fail(f"no such file: {file}{hint}")
    with path.open("rb") as handle:
        is_model = handle.read(8) == MAGIC
    if is_model:
        document, lines = model_info(path), model_lines
    elif path.suffix.lower() == ".onnx":
        document, lines = segmenter_info(path), entries
    else:
        document, lines = picture_info(path), picture_lines
    if as_json:
        print(json.dumps(document, indent=2))
        return
    for line in lines(document):
        print(line)


def model_lines(document: dict[str, Any]) -> Iterator[str]:
    """A line per entry; the whole training record is left to --json."""
    needed = document["memory"]
    weights = ", ".join(f"{kind} {size:,}" for kind, size in document["weight_bytes"].items())
    arena = ", ".join(f"{what} {size:,}" for what, size in needed["workspace_bytes"].items())
    for key, value in document.items():
        if key == "weight_bytes":
            yield f"weights: {weights} bytes"
        elif key == "memory":
            workspace = f", workspace for {arena}" if arena else ""
            yield f"memory: model {needed['model_bytes']:,}{workspace} bytes ({needed['isa']})"
            for what, reason in needed["not_possible"].items():
                yield f"memory: no {what}: {reason}"
        elif key != "meta":
            yield from entries({key: value})


def entries(document: dict[str, Any]) -> Iterator[str]:
    """A line per entry."""
    for key, value in document.items():
        yield f"{key}: {value if isinstance(value, str) else json.dumps(value)}"


def picture_lines(document: dict[str, Any]) -> Iterator[str]:
    """What a reader wants to know first, in words."""
    stored, place, reading = document["stored"], document["place"], document["reading"]
    yield f"file       {document['file']}"
    yield (
        f"picture    {document['format']}, {document['width_px']} x {document['height_px']} px, "
        f"{document['megapixels']:g} megapixels, {document['bytes']:,} bytes"
    )
    yield f"stored     {', '.join(_words(stored))}"
    for warning in document["warnings"]:
        yield f"warning    {warning}"
    for note in document["notes"]:
        yield f"note       {note}"
    if place is not None:
        yield f"place      {place['crs'] or 'a CRS without an EPSG code'}"
        size = "unknown" if place["mm_per_px"] is None else f"{place['mm_per_px']:.6g} mm"
        yield f"pixel      {size} ({place['mm_per_px_origin']})"
    bands = "one band" if reading["bands"] == 1 else f"{reading['bands']} bands of {reading['band_rows']} rows"
    yield f"reading    {bands}, {reading['memory_mib']:g} MiB for the reader and one band in grey"
    if reading["advice"]:
        yield f"advice     {reading['advice']}"
    yield f"next       aoienet scan {shlex.quote(document['file'])} --out OUT --dry-run: blocks, memory and time of a scan"


def _words(stored: dict[str, Any]) -> Iterator[str]:
    if "segment_px" in stored:
        rows, columns = stored["segment_px"]
        yield f"{stored['segments']} {stored['layout']} of {columns} x {rows} px"
        yield f"{stored['samples']} x {stored['bits']} bit {stored['photometric'].lower()}"
        yield f"compression {stored['compression'].lower()}"
        if stored["levels"] > 1:
            yield f"pyramid of {stored['levels']} levels"
    else:
        yield "in one piece"
        yield f"{stored['samples']} x {stored['bits']} bit" if "bits" in stored else f"mode {stored['mode']}"


def model_info(path: Path) -> dict[str, Any]:
    """Graph, bytes, classes and scan geometry of a model file."""
    model = _common.open_model(str(path))
    header = model.header
    ops: dict[str, int] = {}
    for op in header["graph"]:
        ops[op["op"]] = ops.get(op["op"], 0) + 1
    by_type: dict[str, int] = {}
    for tensor in header["tensors"].values():
        by_type[tensor["dtype"]] = by_type.get(tensor["dtype"], 0) + _tensor_bytes(tensor)
    return {
        "kind": "model",
        "file": str(path),
        "name": model.name,
        "bytes": path.stat().st_size,
        "sha256": model.sha256,
        "classes": list(model.classes),
        "planes": header["planes"],
        "input": header["input"],
        "scan": header.get("scan"),
        "ops": ops,
        "tensor_bytes": by_type,
        "weight_bytes": weight_bytes(header),
        "memory": memory(model),
        "meta": header.get("meta", {}),
    }


def segmenter_info(path: Path) -> dict[str, Any]:
    """How a second stage reads pixels, how far it looks (measured where its file does not say), and what a scan makes of it."""
    from aoienet.segment import SegmentError
    from aoienet.segment.onnx import OnnxSegmenter

    with _common.wrong_use_is_exit_1(SegmentError):
        segmenter = OnnxSegmenter(path)
    options = segmenter.options
    return {
        "kind": "segmenter",
        "file": str(path),
        "name": segmenter.name,
        "bytes": path.stat().st_size,
        "sha256": segmenter.sha256,
        "channels": segmenter.channels,
        "mean": list(options.mean),
        "std": list(options.std),
        "bgr": options.bgr,
        "answers": "probabilities" if segmenter.probability else "log-odds",
        "threshold": segmenter.threshold,
        "halo_px": segmenter.halo_px,
        "align_px": segmenter.align_px,
        "side_px": segmenter.side_px or "any",
    }


def _tensor_bytes(tensor: dict[str, Any]) -> int:
    return math.prod(tensor["shape"]) * {"u64": 8, "f32": 4, "i16": 2, "u8": 1}[tensor["dtype"]]


def weight_bytes(header: dict[str, Any]) -> dict[str, int]:
    """Bytes of weights by kind (of the op that reads them); `constants` are scales, thresholds and the like."""
    kinds = {"conv_bits": "binary", "conv_int": "integer", "conv_f32": "float", "linear": "float"}
    weights = {op["weight"]: kinds[op["op"]] for op in header["graph"] if "weight" in op}
    total = dict.fromkeys(("binary", "integer", "float", "constants"), 0)
    for name, tensor in header["tensors"].items():
        total[weights.get(name, "constants")] += _tensor_bytes(tensor)
    return total


def memory(model: Model) -> dict[str, Any]:
    """What the runtime needs, in bytes: the opened model, and the arena of a run at the sizes that matter.

    A scanner's sizes are one block and the tile that `aoienet scan` cuts, with its halo; not_possible says why one of
    them cannot be run.
    """
    image, scan = model.header["input"], model.scan
    sizes: dict[str, Callable[[], tuple[int, int]]] = {"input": lambda: (image["height"], image["width"])}
    if scan is not None:
        sizes |= {"block": lambda: (scan["block_px"], scan["block_px"]), "tile": lambda: _tile_hw(scan)}
    arena: dict[str, int] = {}
    not_possible: dict[str, str] = {}
    for what, size in sizes.items():
        try:
            h, w = size()
            arena[f"{what} {h} x {w} px"] = model.workspace_bytes(h, w)
        except ValueError as error:  # of the scan's geometry, or of the runtime
            not_possible[what] = str(error)
    return {"isa": model.isa, "model_bytes": model.model_bytes, "workspace_bytes": arena, "not_possible": not_possible}


def _tile_hw(scan: dict[str, Any]) -> tuple[int, int]:
    from aoienet.scan.runner import DEFAULT_TILE_HW
    from aoienet.scan.tiles import Geometry, tile_blocks

    geometry = Geometry.from_header(scan)
    steps = (tile_blocks(side, geometry) - 1 for side in DEFAULT_TILE_HW)
    tall, wide = (geometry.block_px + n * geometry.stride_px + geometry.beside_px for n in steps)
    return tall, wide


def picture_info(path: Path) -> dict[str, Any]:
    """How a picture is stored, where it lies, what reading it changes and what it costs."""
    from aoienet.scan.sources import SourceError, open_source
    from aoienet.scan.sources.cost import reading_cost

    with _common.wrong_use_is_exit_1(SourceError):
        source = open_source(path, 1)
    with source:
        cost = reading_cost(source)
        return {
            "kind": "picture",
            "file": str(path),
            "bytes": path.stat().st_size,
            "format": source.format,
            "width_px": source.width,
            "height_px": source.height,
            "megapixels": round(source.width * source.height / 1e6, 3),
            "white_level": source.white_level,
            "stored": source.stored,
            "place": _place(source),
            "reading": {
                "bands": cost.bands,
                "band_rows": cost.band_rows,
                "memory_mib": round(cost.memory_bytes / (1 << 20), 1),
                "advice": cost.advice,
            },
            "notes": source.notes,
            "warnings": source.warnings,
        }


def _place(source: Source) -> dict[str, Any] | None:
    """CRS, corner and pixel size of a GeoTIFF; None where the file has no place on the earth."""
    if source.geo is None:
        return None
    mm, origin = source.geo.pixel_mm(source.width, source.height)
    return {
        "crs": source.geo.crs,
        "geographic": source.geo.geographic,
        "affine": list(source.geo.affine),
        "mm_per_px": None if mm is None else float(f"{mm:.9g}"),
        "mm_per_px_origin": origin,
    }
