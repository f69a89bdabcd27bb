"""Networks by name. Each file of `zoo/` holds the specs of one network in a dict `SPECS`; nothing else lists them."""

import difflib
import fnmatch
import importlib
import pkgutil
from dataclasses import replace

from aoienet.models.net import BinaryNet
from aoienet.models.spec import NetSpec


def specs() -> dict[str, NetSpec]:
    """All specs of the zoo by name."""
    zoo = importlib.import_module("aoienet.models.zoo")
    found: dict[str, NetSpec] = {}
    for info in pkgutil.iter_modules(zoo.__path__):
        for spec in importlib.import_module(f"{zoo.__name__}.{info.name}").SPECS:
            found[spec.name] = spec
    return found


def list_models(pattern: str = "*") -> list[str]:
    """Names of the zoo that match a shell pattern, sorted."""
    return sorted(fnmatch.filter(specs(), pattern))


def create_model(name: str, num_classes: int | None = None, in_channels: int | None = None, **changes) -> BinaryNet:
    """Build a network of the zoo; `changes` replace fields of its spec. Raises ValueError with the nearest name."""
    table = specs()
    if name not in table:
        close = difflib.get_close_matches(name, table, n=1)
        hint = f" did you mean '{close[0]}'?" if close else ""
        raise ValueError(f"unknown network '{name}'; known: {', '.join(sorted(table))};{hint}")
    given = {"num_classes": num_classes, "in_channels": in_channels}
    changes |= {key: value for key, value in given.items() if value is not None}
    return BinaryNet(replace(table[name], **changes))
