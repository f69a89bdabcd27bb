"""Training: recipes, tasks, the loop. Needs PyTorch."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    # PyTorch is loaded by the first use, so that the names of recipes can be listed without it
    if name == "load_run":
        from aoienet.train.runs import load_run

        return load_run
    raise AttributeError(name)


__all__ = ["load_run"]  # pyright: ignore[reportUnsupportedDunderAll]
