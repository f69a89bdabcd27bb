"""Parts that are found by themselves: every file of a package holds one class with a `name`; no list is kept anywhere."""

import difflib
import importlib
import inspect
import pkgutil
from functools import cache


@cache
def known(package: str) -> dict[str, type]:
    """All parts of a package such as "quant.act" by name."""
    root = importlib.import_module(f"aoienet.{package}")
    found: dict[str, type] = {}
    for info in pkgutil.iter_modules(root.__path__):
        module = importlib.import_module(f"{root.__name__}.{info.name}")
        for part in vars(module).values():
            if inspect.isclass(part) and part.__module__ == module.__name__ and "name" in vars(part):
                found[vars(part)["name"]] = part
    return found


def find(package: str, name: str) -> type:
    """The part of that name. Raises ValueError with the known names."""
    table = known(package)
    if name not in table:
        raise ValueError(f"unknown {package} part '{name}'; known: {', '.join(sorted(table))}{nearest(name, table)}")
    return table[name]


def nearest(name: str, table) -> str:
    """ "; did you mean 'x'?" or nothing."""
    close = difflib.get_close_matches(name, list(table), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
