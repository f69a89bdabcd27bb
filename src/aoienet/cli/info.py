"""aoienet info: what a picture or a model file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from aoienet.cli import _common

MAGIC = b"AOIENET\0"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("info")(info)


def info(
    file: Annotated[str, typer.Argument(help="A picture, an .aoie file or the name of a shipped model.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Tell what a picture or a model file holds."""
    from aoienet import weights

    path = Path(file)
    if not path.exists() and file in weights.names():
        path = weights.locate(file)
    if not path.is_file():
        hint = f"; shipped models: {', '.join(weights.names())}" if weights.names() else ""
        _common.fail(f"no such file: {file}{hint}")
    with path.open("rb") as handle:
        is_model = handle.read(8) == MAGIC
    document = model_info(path) if is_model else picture_info(path)
    if as_json:
        print(json.dumps(document, indent=2))
        return
    for key, value in document.items():
        if key == "meta":  # the whole training record: --json prints it
            continue
        print(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")


def model_info(path: Path) -> dict[str, Any]:
    """Graph, bytes, classes and scan geometry of a model file."""
    model = _common.open_model(str(path))
    header = model.header
    ops: dict[str, int] = {}
    for op in header["graph"]:
        ops[op["op"]] = ops.get(op["op"], 0) + 1
    bytes_of = {"u64": 8, "f32": 4, "i16": 2, "u8": 1}
    by_type: dict[str, int] = {}
    for tensor in header["tensors"].values():
        size = bytes_of[tensor["dtype"]]
        for side in tensor["shape"]:
            size *= side
        by_type[tensor["dtype"]] = by_type.get(tensor["dtype"], 0) + size
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
        "meta": header.get("meta", {}),
    }


def picture_info(path: Path) -> dict[str, Any]:
    """How a picture is stored, and what reading it changes."""
    from aoienet.scan.sources import SourceError, open_source

    with _common.wrong_use_is_exit_1(SourceError):
        source = open_source(path, 1)
    with source:
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
            "notes": source.notes,
        }
