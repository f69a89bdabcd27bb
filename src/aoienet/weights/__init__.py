"""The trained models that ship: NAME.aoie beside this file, each with a card."""

from __future__ import annotations

import difflib
from pathlib import Path

FOLDER = Path(__file__).parent
DEFAULT_SEGMENTER = "binary"


class UnknownModelError(ValueError):
    """A model name that does not ship, or a model file that is not there."""


def names() -> list[str]:
    """Names of the shipped models, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.aoie"))


def locate(model: str) -> Path:
    """Path of a shipped model's file, or of the file named.

    Raises   UnknownModelError: neither a shipped name nor a file.
    """
    if model.endswith(".onnx"):
        raise UnknownModelError(
            f"a model here is an .aoie file; received {model}, which can only be a second stage: "
            "aoienet scan --segmenter takes it, aoienet info tells what it holds"
        )
    if "/" in model or "\\" in model or model.endswith(".aoie"):
        path = Path(model)
        if path.is_file():
            return path
        if (path / "checkpoint.pt").is_file():
            raise UnknownModelError(
                f"a model is a file; received the run folder {model}; next: aoienet pack {model} -o FILE.aoie"
            )
        raise UnknownModelError(f"no such model file: {model}; shipped models: {_listed()}.")
    path = FOLDER / f"{model}.aoie"
    if path.is_file():
        return path
    if Path(model).is_file():
        return Path(model)
    close = difflib.get_close_matches(model, names(), n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UnknownModelError(f"unknown model {model!r}; known: {_listed()}{hint}")


def card(name: str) -> Path | None:
    """The card of a shipped model, if it stands beside it."""
    for ending in (".md", ".json"):
        path = FOLDER / f"{name}{ending}"
        if path.is_file():
            return path
    return None


def _listed() -> str:
    return ", ".join(names()) if names() else "none"
