"""aoienet certify: what the threshold of a scanning model misses, measured and written into the model file. Needs no PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aoienet.cli import _common


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("certify")(certify)


def certify(
    model: Annotated[str, typer.Argument(help="A scanning model: an .aoie file or the name of one that ships.")],
    data: Annotated[Path, typer.Option(help="Photographs with masks that chose neither weights nor threshold.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The model file with its certificate.")],
) -> None:
    """Count the cracks that the threshold misses, per photograph, and write the bounds into the file's header.

    The weights stay as they are; a card beside the model is written again with the certificate in words.
    """
    from aoienet import weights
    from aoienet.cli.eval import subject
    from aoienet.data import evaluate
    from aoienet.deploy import card, format

    opened = _common.open_model(model)
    if not opened.scan:
        _common.fail(f"{opened.name} classifies whole pictures: it drops nothing and has no threshold to certify.")
    with _common.wrong_use_is_exit_1(ValueError, OSError), _common.progress_bar(False) as bar:
        found = evaluate.evaluate(subject(opened), data, tick=bar("pictures"))["certificate"]
        path = weights.locate(model)
        before, card_path = path.read_bytes(), path.with_suffix(".md")
        header, tensors = format.parse(before)
        format.write(out, header | {"meta": header["meta"] | {"certificate": found}}, tensors)
        if card_path.is_file():
            text = card.certified(card_path.read_text(encoding="utf-8"), before, out.read_bytes(), found)
            out.with_suffix(".md").write_text(text, encoding="utf-8")
    typer.echo(card.certificate_text(found))
