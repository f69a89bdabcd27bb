"""aoienet certify: what the threshold of a scanning model misses, and what its training pictures look like, measured and
written into the model file. Needs no PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aoienet.cli import _common
from aoienet.weights import DEFAULT_SEGMENTER

if TYPE_CHECKING:
    import numpy as np

    from aoienet.data.datasets.crack_blocks import Second


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
    segmenter: Annotated[
        str,
        typer.Option(
            help="Second stage that follows cracks: binary, light, an .onnx or .aoie file; none: only the first is certified."
        ),
    ] = DEFAULT_SEGMENTER,
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
    if out.suffix != ".aoie" or not out.parent.is_dir():
        _common.fail(f"-o names an .aoie file in a folder that is there, with its card beside it; received {out}.")
    opened = _common.open_model(model)
    if not opened.scan:
        _common.fail(f"{opened.name} classifies whole pictures: it drops nothing and has no threshold to certify.")
    with _common.wrong_use_is_exit_1(ValueError, OSError), _common.progress_bar(False) as bar:
        path, judged = weights.locate(model), subject(opened)
        judged = replace(judged, second=None if segmenter == "none" else _second(segmenter, opened.scan))
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
        counted = report.get("certificate", {"cracks": 0})
        if not counted["cracks"]:
            raise ValueError(
                f"a certificate counts cracks in photographs with masks (DIR/test_img/NAME.jpg, DIR/test_lab/NAME.png, crack above 127); "
                f"received {data} without any crack"
            )
        meta["certificate"] = counted
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


def _second(name: str, scan: dict[str, Any]) -> Second:
    """The second stage that a scan has by this name, as a certificate sees it."""
    import numpy as np

    from aoienet.data.datasets.crack_blocks import Second
    from aoienet.scan.follow import look, parts_of
    from aoienet.scan.keep import Reason, cell_px
    from aoienet.scan.tiles import Geometry
    from aoienet.segment import load

    segmenter, side = load(name), cell_px(Geometry.from_header(scan))

    def looked_at(image_HW: np.ndarray, passed_HW: np.ndarray) -> np.ndarray:
        why = np.where(passed_HW, Reason.SCORE, 0).astype(np.uint8)
        seen = image_HW if segmenter.channels == 1 else np.repeat(image_HW[:, :, None], 3, axis=2)
        look(why, side, image_HW.shape, parts_of(seen, segmenter))
        return why != 0

    return Second(segmenter.name, segmenter.sha256, looked_at)
