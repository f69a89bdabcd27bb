"""aoienet verify: the packed file in the runtime against the trained network, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aoienet.cli._common import fail, needs_training_side, open_model, progress_bar

BLOCKS, PICTURES = 10_000, 200  # by default: about a minute each


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("verify")(verify)


def verify(
    model: Annotated[str, typer.Argument(help="Packed file or shipped name.")],
    run: Annotated[Path, typer.Argument(help="The run that it was packed from.")],
    blocks: Annotated[
        int | None,
        typer.Option(help="Decisions to compare, at least; by default 10,000 blocks, or 200 whole pictures.", min=1),
    ] = None,
    full: Annotated[
        int, typer.Option(help="Pictures on which float layers and the free run are compared too.", min=1)
    ] = 24,
    images: Annotated[Path | None, typer.Option(help="Folder of pictures; else generated surfaces.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Binary planes bit for bit, floats within the stated rounding; the first differing layer with five pairs if not."""
    import json

    try:
        from aoienet.deploy import pictures, verify
        from aoienet.models.net import BinaryNet
        from aoienet.train import load_run
    except ModuleNotFoundError as error:
        needs_training_side("verify", error)
    packed = open_model(model)
    try:
        net, info = load_run(run)
        net = getattr(net, "binary", net)  # of a segmentation network: what the file holds
        if not isinstance(net, BinaryNet):
            raise ValueError(
                f"verify compares packed binary networks; received {run}, a run of {info['model_name']}, which is float32"
            )
        wanted = blocks or (BLOCKS if packed.scan else PICTURES)
        source = pictures.pictures(packed.header, wanted, images)
        with progress_bar(False) as bar:
            shown = bar("compared")
            result = verify.verify(net, packed.header, packed.trace, source, full, lambda count: shown(count, wanted))
    except (ValueError, OSError, KeyError) as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps(result.document()))
    else:
        typer.echo(summary(result, packed.isa, "blocks" if packed.scan else "pictures"))
    if not result.passed:
        raise typer.Exit(2)


def summary(result, isa: str, what: str) -> str:  # type: ignore[no-untyped-def]
    """Some lines for a person."""
    floats = max((layer.largest_difference / max(1.0, layer.largest_value) for layer in result.layers), default=0.0)
    lines = [
        f"{result.blocks:,} {what} on {isa}: {result.bits:,} bits of binary planes compared, layer by layer from the same input",
        f"largest relative difference of a float layer: {floats:.1e}",
        f"free run against float64: same class on {result.free_same_class} of {result.free_blocks} {what}, "
        f"largest logit difference {result.free_largest_logit_difference:.1e}",
    ]
    first = result.first_difference
    if first is None:
        return "\n".join([*lines, "PASSED: no bit differs"])
    pairs = ", ".join(f"({a:.9g}, {b:.9g})" for a, b in first.pairs)
    lines.append(
        f"FAILED first in value {first.value} ({first.op} {first.site}): {first.differing} of {first.elements} differ"
    )
    return "\n".join([*lines, f"first pairs (runtime, training form): {pairs}"])
