"""aoienet models: what ships."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from aoienet.cli import _common


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("models")(models)


def models(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """List the models that ship with the package."""
    from aoienet import weights

    entries = [describe(name) for name in weights.names()]
    if as_json:
        print(json.dumps({"models": entries}, indent=2))
        return
    if not entries:
        print("no model ships with this installation")
        return
    rows = [
        [e["name"], e["use"], ", ".join(e["classes"]), f"{e['bytes'] / 1e3:.0f} kB", _metrics(e["card"])]
        for e in entries
    ]
    _common.print_table(["name", "use", "classes", "size", "measured"], rows)


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
        "card": meta.get("card", meta.get("metrics", {})),
    }


def _metrics(card: Any) -> str:
    if not isinstance(card, dict):
        return ""
    flat = card.get("metrics", card)
    return ", ".join(
        f"{k} {v:.4g}" for k, v in flat.items() if isinstance(v, (int, float)) and not isinstance(v, bool)
    )[:100]
