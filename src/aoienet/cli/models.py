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
        [e["name"], e["use"], ", ".join(e["classes"]), f"{e['bytes'] / 1e3:.0f} kB", _measured(e["result"])]
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
        "result": meta.get("result", {}),
    }


def _measured(result: dict[str, Any]) -> str:
    """Accuracy on the test part with its exact 95 % interval, as the training run recorded it."""
    if "accuracy" not in result:
        return ""
    low, high = result["accuracy_interval95"]
    return f"{100 * result['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f}, n {result['count']})"
