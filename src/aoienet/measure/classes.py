"""Classes of crack width: from a standard or from the user's own file, with what the uncertainty leaves open.

A file is JSON, or TOML from Python 3.11 on: name, title, source, note, width (which width of a crack is looked at: max,
p95, median or mean), classes = a list of {name, from_mm}, the first from 0, each reaching to the next.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aoienet.measure.crack import Widths
from aoienet.measure.width import TELLABLE_PX

PRESETS = Path(__file__).with_name("presets")
WIDTHS = ("max", "p95", "median", "mean")
COVERAGE = 1.96  # standard uncertainties to either side
ROUNDING = 1e-9  # relative: 3 * 0.1 is over 0.3 in floating point


class ClassesError(ValueError):
    """A file of width classes that cannot be used."""


@dataclass(frozen=True)
class WidthClass:
    name: str
    from_mm: float


@dataclass(frozen=True)
class Classes:
    name: str
    title: str
    source: str
    note: str
    width: str
    classes: tuple[WidthClass, ...]


@dataclass(frozen=True)
class Verdict:
    """Class of the measured width; at_least and at_most: classes of the ends of its 95 % interval."""

    name: str
    at_least: str
    at_most: str

    @property
    def certain(self) -> bool:
        return self.at_least == self.at_most


def presets() -> list[str]:
    """Names of the classes that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.json"))


def load(name_or_path: str | Path) -> Classes:
    """A preset by name, or a file.

    Raises    ClassesError: unknown name, a file that is not what the module's docstring says
    """
    path = PRESETS / f"{name_or_path}.json"
    if str(name_or_path) not in presets():
        path = Path(name_or_path)
        if not path.is_file():
            raise ClassesError(
                f"unknown width classes {str(name_or_path)!r}; known: {', '.join(presets())}, or a .json or .toml file"
            )
    return _checked(_parsed(path), path)


def classify(widths: Widths, mm_per_px: float | None, classes: Classes) -> Verdict:
    """The class of a crack. An upper bound may belong to any class below.

    Raises    ClassesError: no scale, and more than one class
    """
    if len(classes.classes) == 1:
        only = classes.classes[0].name
        return Verdict(only, only, only)
    if mm_per_px is None:
        raise ClassesError(f"width classes {classes.name!r} are in millimetres; give a scale (mm per px)")
    width = getattr(widths, classes.width)
    least = 0.0 if widths.upper_bound else width.value_px - COVERAGE * width.u_px
    values = (width.value_px, least, width.value_px + COVERAGE * width.u_px)
    return Verdict(*(_class_of(value * mm_per_px, classes) for value in values))


def too_coarse(classes: Classes, mm_per_px: float) -> str | None:
    """A warning where a limit lies below what the pixels can tell, else None."""
    least_mm = TELLABLE_PX * mm_per_px
    hidden = [c.from_mm for c in classes.classes if 0 < c.from_mm < least_mm * (1 - ROUNDING)]
    if not hidden:
        return None
    return (
        f"at {mm_per_px:.4g} mm per px widths under {least_mm:.3g} mm ({TELLABLE_PX:g} px) are upper bounds unless the blur is "
        f"known, and {classes.name} asks for {', '.join(f'{mm:g}' for mm in hidden)} mm; "
        f"{_rounded_down(min(hidden) / TELLABLE_PX)} mm per px or less would do"
    )


def _rounded_down(value: float) -> str:
    """Three digits, not above the value."""
    value *= 1 + ROUNDING
    grain = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.floor(value / grain) * grain:.3g}"


def _class_of(width_mm: float, classes: Classes) -> str:
    name = classes.classes[0].name
    for one in classes.classes[1:]:
        if width_mm > one.from_mm:
            name = one.name
    return name


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix.lower() == ".json":
            return json.loads(text)
        if path.suffix.lower() == ".toml":
            import tomllib

            return tomllib.loads(text)
    except ImportError:
        raise ClassesError(f"TOML needs Python 3.11; write {path} as JSON") from None
    except (OSError, ValueError) as error:
        raise ClassesError(f"{path} cannot be read: {error}") from error
    raise ClassesError(f"width classes are .json or .toml; received {path.name!r}: write it as JSON")


def _checked(data: Any, path: Path) -> Classes:
    known = {"name", "title", "source", "note", "width", "classes"}
    if not isinstance(data, dict) or not isinstance(data.get("classes"), list) or not data["classes"]:
        raise ClassesError(f"{path}: a list `classes` of {{name, from_mm}} must stand in the file")
    if unknown := sorted(set(data) - known):
        raise ClassesError(f"{path}: unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    width = data.get("width", "max")
    if width not in WIDTHS:
        raise ClassesError(f"{path}: width must be one of {', '.join(WIDTHS)}; received {width!r}")
    classes = tuple(_one(item, path) for item in data["classes"])
    limits = [c.from_mm for c in classes]
    if limits[0] != 0 or any(b <= a for a, b in zip(limits, limits[1:], strict=False)):
        raise ClassesError(f"{path}: from_mm must start at 0 and grow; received {limits}")
    names = [c.name.strip() for c in classes]
    if "" in names or len(set(names)) < len(names):
        raise ClassesError(f"{path}: every class must have a name of its own; received {names}: name them apart")
    words = {key: str(data.get(key, "")) for key in ("title", "source", "note")}
    return Classes(name=str(data.get("name", path.stem)), width=width, classes=classes, **words)


def _one(item: Any, path: Path) -> WidthClass:
    number = item.get("from_mm") if isinstance(item, dict) else None
    good = isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) and number >= 0
    if number is None or not good or not isinstance(item.get("name"), str) or set(item) != {"name", "from_mm"}:
        raise ClassesError(f"{path}: a class is {{name: text, from_mm: number from 0 on}}; received {item!r}")
    return WidthClass(item["name"], float(number))
