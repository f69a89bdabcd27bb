"""aoienet cost: weights, bytes and operations of a network of the zoo, per layer and in total."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aoienet.cli import _common

if TYPE_CHECKING:
    from aoienet.deploy.cost import Cost


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("cost")(cost)


def cost(
    name: Annotated[
        str, typer.Argument(help="A network of the zoo (aoienet models --cost lists them), or segment_binary.")
    ],
    size: Annotated[str, typer.Option("--input", help="CxHxW, such as 3x224x224; else the network's own.")] = "",
    layers: Annotated[bool, typer.Option(help="One row per layer besides the totals.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Weights by bit width, packed bytes, binary MACs per plane, real MACs, elementwise operations, OPs."""
    with _common.wrong_use_is_exit_1(ValueError):
        result = measure(name, parse_input(size) if size else None)
    if as_json:
        print(json.dumps(result.document(), indent=2))
        return
    if layers:
        rows = [
            [e.name, e.kind, "x".join(map(str, e.output)), f"{e.weights:,}", e.weight_bits, f"{e.macs:,}", e.planes,
             f"{e.elementwise:,}"]
            for e in result.layers
        ]  # fmt: skip
        _common.print_table(
            ["layer", "kind", "output", "weights", "bits", "MACs per plane", "planes", "elementwise"], rows
        )
        print()
    for label, value in totals(result):
        print(f"{label:36s}{value}")


def parse_input(text: str) -> tuple[int, int, int]:
    """(C, H, W) of "3x224x224"."""
    try:
        c, h, w = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise ValueError(f"--input is CxHxW, such as 3x224x224; received '{text}'.") from error
    if min(c, h, w) < 1:
        raise ValueError(f"--input has positive sides; received '{text}'.")
    return c, h, w


def measure(name: str, chw: tuple[int, int, int] | None = None) -> Cost:
    """The counts of a network of the zoo with its packed size. Needs PyTorch."""
    try:
        from aoienet.deploy.cost import add_packed_size, cost_of
        from aoienet.models import create_model, segment
        from aoienet.models.segment.binary import NAME as BINARY
    except ModuleNotFoundError as error:
        _common.needs_training_side("the zoo", error)
    net: Any
    if name == BINARY:
        net = segment.create(name, 1 if chw is None else chw[0])
        net = net.binary
    else:
        net = create_model(name) if chw is None else create_model(name, in_channels=chw[0], input_hw=chw[1:])
    return add_packed_size(cost_of(net, chw), net)


def totals(c: Cost) -> list[tuple[str, str]]:
    """Lines for a person."""
    packed = f"{c.packed_bytes:,} bytes" if c.packed_bytes is not None else f"refused: {c.refused}"
    return [
        ("input", "x".join(map(str, c.input))),
        ("weights of 1 bit", f"{c.binary_weights:,}"),
        ("weights of 8 bit (stem)", f"{c.int8_weights:,}"),
        ("real parameters (before folding)", f"{c.float_weights:,}"),
        ("packed", packed),
        ("binary MACs of one plane", f"{c.binary_macs:,}"),
        ("binary MACs of all planes", f"{c.binary_macs_planes:,}"),
        ("real MACs", f"{c.float_macs:,}"),
        ("elementwise operations (unfolded)", f"{c.elementwise:,}"),
        ("OPs = binary MACs / 64 + real MACs", f"{c.ops:,.0f}"),
    ]


def table(pattern: str = "*") -> list[dict[str, Any]]:
    """The documents of all networks of the zoo, without their layers."""
    from aoienet.models import list_models

    names = list_models(pattern)
    if not names:
        _common.fail(f"no network of the zoo matches '{pattern}'; known: {', '.join(list_models())}")
    return [{k: v for k, v in measure(name).document().items() if k != "layers"} for name in names]
