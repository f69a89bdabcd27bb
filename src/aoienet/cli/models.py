"""aoienet models: what ships, and what the zoo's networks cost."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from aoienet.cli import _common


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("models")(models)


def models(
    pattern: Annotated[str, typer.Argument(help="Shell pattern of names.")] = "*",
    cost: Annotated[bool, typer.Option("--cost", help="All networks that can be built, with their cost.")] = False,
    cards: Annotated[
        bool, typer.Option("--cards", help="Source, differences and published numbers of the zoo.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List the trained models that ship with the package, or with --cost and --cards the networks of the zoo."""
    if cost:
        show_costs(pattern, as_json)
        return
    if cards:
        show_cards(pattern, as_json)
        return
    import fnmatch

    from aoienet import weights

    entries = [describe(name) for name in fnmatch.filter(weights.names(), pattern)]
    if not entries and weights.names():
        _common.fail(
            f"no shipped model matches '{pattern}'; known: {', '.join(weights.names())}; next: --cost or --cards for the zoo"
        )
    if as_json:
        print(json.dumps({"models": entries}, indent=2))
        return
    if not entries:
        print("no model ships with this installation")
        return
    rows = [
        [e["name"], e["use"], ", ".join(e["classes"]), f"{e['bytes'] / 1e3:.0f} kB", _measured(e["result"])]
        for e in entries
    ]
    _common.print_table(["name", "use", "classes", "size", "measured"], rows)


def show_costs(pattern: str, as_json: bool) -> None:
    """One line per network: binary weights, packed bytes, binary MACs of all planes, real MACs, OPs."""
    from aoienet.cli.cost import table

    try:
        rows = table(pattern)
    except ModuleNotFoundError as error:
        _common.needs_training_side("the zoo", error)
    if as_json:
        print(json.dumps({"networks": rows}, indent=2))
        return
    header = [
        "name",
        "input",
        "1-bit weights",
        "packed kB",
        "binary MMACs",
        "planes",
        "real MMACs",
        "elementwise M",
        "MOPs",
    ]
    cells = [
        [
            r["name"],
            "x".join(map(str, r["input"])),
            f"{r['binary_weights']:,}",
            "refused" if r["packed_bytes"] is None else f"{r['packed_bytes'] / 1e3:,.0f}",
            f"{r['binary_macs'] / 1e6:,.1f}",
            f"{r['binary_macs_planes'] / max(1, r['binary_macs']):.2f}",
            f"{r['float_macs'] / 1e6:,.2f}",
            f"{r['elementwise'] / 1e6:,.2f}",
            f"{r['ops'] / 1e6:,.2f}",
        ]
        for r in rows
    ]
    _common.print_table(header, cells)


def show_cards(pattern: str, as_json: bool) -> None:
    """A page in Markdown per network."""
    try:
        from aoienet.models import card, list_models
    except ModuleNotFoundError as error:
        _common.needs_training_side("the zoo", error)
    pages = {name: card(name) for name in list_models(pattern)}
    if not pages:
        _common.fail(f"no network of the zoo matches '{pattern}'; known: {', '.join(list_models())}")
    print(json.dumps({"cards": pages}, indent=2) if as_json else "\n".join(pages.values()))


def describe(name: str) -> dict[str, Any]:
    """What the header of a shipped model says."""
    from aoienet import weights

    path = weights.locate(name)
    model = _common.open_model(name)
    meta = model.header.get("meta", {})
    return {
        "name": name,
        "use": "scan" if model.scan else "classify",
        "classes": list(model.classes),
        "bytes": path.stat().st_size,
        "sha256": model.sha256,
        "file": str(path),
        "result": meta.get("result", {}),
    }


def _measured(result: dict[str, Any]) -> str:
    """Accuracy on the test part with its exact 95 % interval, as the training run recorded it."""
    if "accuracy" not in result:
        return ""
    low, high = result["accuracy_interval95"]
    return f"{100 * result['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f}, n {result['count']})"
