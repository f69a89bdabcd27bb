"""Quantizers found by themselves: one file each in `act/` and `weight/`, each with a class `Quantizer` and a `name`."""

import difflib
import importlib
import pkgutil

from torch import nn


def known(kind: str) -> dict[str, type[nn.Module]]:
    """All quantizers of one kind ("act" or "weight") by name."""
    package = importlib.import_module(f"aoienet.quant.{kind}")
    modules = (importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__))
    return {module.Quantizer.name: module.Quantizer for module in modules}


def find(kind: str, name: str) -> type[nn.Module]:
    """The quantizer class of that name. Raises ValueError with the known names."""
    table = known(kind)
    if name not in table:
        close = difflib.get_close_matches(name, table, n=1)
        hint = f" did you mean '{close[0]}'?" if close else ""
        raise ValueError(f"unknown {kind} quantizer '{name}'; known: {', '.join(sorted(table))};{hint}")
    return table[name]
