"""What is optional is installed in one way, and every message says it with the same words."""

from __future__ import annotations


def install(extra: str = "") -> str:
    """The next step where a package is missing. aoienet is on no package index: it is installed from a clone.

    Args      extra: a key of [project.optional-dependencies] in pyproject.toml; "" for what everybody has.
    """
    return (
        f'next: pip install ".[{extra}]" in your clone of aoienet'
        if extra
        else "next: pip install . in your clone of aoienet"
    )
