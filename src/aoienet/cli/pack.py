"""aoienet pack: a training run becomes one file, .aoie or (float segmentation) .onnx, and its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aoienet import files
from aoienet.cli._common import fail, needs_training_side, wrong_use_is_exit_1


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("pack")(pack)


def pack(
    run: Annotated[Path, typer.Argument(help="Run folder of aoienet train.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write; its card NAME.md stands beside it.")],
    name: Annotated[str | None, typer.Option(help="Name in the header; else the file's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Fold every batch norm, Maxout, alpha and beta exactly and write packed bits."""
    import hashlib
    import json

    try:
        from aoienet.deploy import card, export, format, segment
        from aoienet.models.segment import NAMES
        from aoienet.train import load_run
    except ModuleNotFoundError as error:
        needs_training_side("pack", error)
    with wrong_use_is_exit_1(ValueError, OSError):
        net, info = load_run(run)
    name = name or out.stem
    masks = info["model_name"] in NAMES
    try:
        if masks:
            segment.write(net, info, out, name)
        elif out.suffix != ".aoie":
            raise ValueError(
                f"{info['model_name']} is written as a .aoie file, with its card beside it; received {out}"
            )
        else:
            header, tensors = export.pack(net, info, name)
            format.write(out, header, tensors)
        content = out.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if info["result"]:
            text = segment.card(net, info, name, content) if masks else card.card(header, len(content), digest)
            with files.atomic(out.with_suffix(".md")) as part:
                part.write_text(text, encoding="utf-8")
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        fail(f"cannot write {out}: {error.strerror}; next: -o with a file in a folder that is there and has room")
    if not info["result"]:
        typer.echo(
            "note: the run has no result.json; no card was written. Finish it with aoienet train --resume.", err=True
        )
    document = {"file": str(out), "bytes": len(content), "sha256": digest, "name": name}
    typer.echo(json.dumps(document) if as_json else f"{out}: {len(content):,} bytes, sha256 {digest}")
