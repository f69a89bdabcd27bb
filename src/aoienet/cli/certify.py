"""aoienet certify: what the threshold of a scanning model misses, and what its training pictures look like, measured and
written into the model file. Needs no PyTorch."""

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
    data: Annotated[
        Path,
        typer.Option(
            help="Photographs with masks that chose neither weights nor threshold; or the folder of all block sets, training pictures too."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The model file with its certificate.")],
    keep: Annotated[
        float | None,
        typer.Option(help="Choose the threshold anew: it passes on this share of the length of the cracks."),
    ] = None,
    choose_on: Annotated[
        Path | None, typer.Option(help="Other photographs with masks, which --keep chooses the threshold on.")
    ] = None,
) -> None:
    """Count the cracks that the threshold misses, per photograph, and write the bounds into the file's header.

    From the folder of all block sets also the statistics of the training pictures, by which a scan tells blocks that are
    unlike them. The weights stay as they are; a card beside the model is written again with both in words.
    """
    from dataclasses import replace

    from aoienet import weights
    from aoienet.cli.eval import subject
    from aoienet.data import evaluate
    from aoienet.data.datasets.crack_blocks import threshold_rule
    from aoienet.deploy import card, format

    if (keep is None) != (choose_on is None):
        _common.fail("--keep and --choose-on go together: a share, and photographs that do not belong to --data.")
    if keep is not None and not 0 < keep <= 1:
        _common.fail(f"--keep is a share above 0 and at most 1; received {keep}.")
    opened = _common.open_model(model)
    if not opened.scan:
        _common.fail(f"{opened.name} classifies whole pictures: it drops nothing and has no threshold to certify.")
    with _common.wrong_use_is_exit_1(ValueError, OSError), _common.progress_bar(False) as bar:
        path, judged = weights.locate(model), subject(opened)
        before, card_path = path.read_bytes(), path.with_suffix(".md")
        header, tensors = format.parse(before)
        meta, said = header["meta"], ""
        if keep is not None and choose_on is not None:
            evaluate.check_apart(judged, choose_on, data)
            level = evaluate.choose_threshold(judged, choose_on, keep, tick=bar("choosing"))
            header["scan"]["threshold"], rule = level, threshold_rule(keep)
            meta["result"] |= {"threshold": level, "threshold_rule": rule}
            said = card.threshold_text(level, rule)
            judged = replace(judged, scan=header["scan"])
        report = evaluate.evaluate(judged, data, tick=bar("pictures"))
        meta["certificate"] = report["certificate"]
        statistics = evaluate.familiar(judged, data)
        if statistics is not None:
            meta["familiar"] = statistics
        if said:
            meta["result"] |= {"at_threshold": report["at_threshold"], "test": report["sources"]}
        format.write(out, header, tensors)
        if card_path.is_file():
            lines = card.at_threshold(report, report["sources"], meta)
            text = card.certified(card_path.read_text(encoding="utf-8"), before, out.read_bytes(), said, lines)
            out.with_suffix(".md").write_text(text, encoding="utf-8")
    typer.echo("\n\n".join(card.bounds(meta)))
