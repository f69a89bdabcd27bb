"""index.html of a batch: totals, what failed, and all pictures, worst first. One file without network and without scripts.

What it knows of a picture is its entry of summary.json and preview.jpg of its folder, which is read when its line is written: memory
does not grow with the pixels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aoienet.report import template
from aoienet.report.outputs import PREVIEW
from aoienet.report.words import Rows, bounded, number, width_class

TEMPLATE = "index.html.j2"
FOLDERS = 8  # of the pictures, named in the head
Entry = dict[str, Any]  # of one picture, as in summary.json


@dataclass(frozen=True)
class Overview:
    """What holds for all pictures, in words that are ready to print, as in Page. classes: name of the classes of width."""

    model: Rows
    certificate: Rows
    promise: str
    settings: Rows
    versions: Rows
    measured: bool
    classes: str = ""


@dataclass
class Total:
    """Sums over the pictures whose lengths have the same unit; pixels and millimetres are never added."""

    unit: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def cracks(self) -> int:
        return sum(e["cracks"] for e in self.entries)

    @property
    def length(self) -> str:
        return number(sum(e[f"length_{self.unit}"] for e in self.entries))

    @property
    def worst(self) -> dict[str, Any] | None:
        """What the line of the picture with the worst crack says of it; None without cracks."""
        first = min(self.entries, key=lambda e: _severity(e)[1:])
        if first["worst"] is None:
            return None
        widest = [w for e in self.entries if (w := e[f"width_max_{self.unit}"]) is not None]
        return {"href": _href(first), "name": first["name"], **_width(first, self.unit, max(widest, default=None))}


def write_index(path: Path, summary: dict[str, Any], overview: Overview) -> None:
    """Write index.html beside the folders of the pictures. summary: as in summary.json, finished or not."""
    inputs: list[Entry] = [{**e, "name": n} for e, n in zip(summary["inputs"], names(summary["inputs"]), strict=True)]
    done = [e for e in inputs if e["status"] == "done"]
    kinds = _kinds((e, e["warnings"]) for e in done)
    common = [k for k in kinds if len(kinds[k]) == len(done) > 1]
    marks = {k: i for i, k in enumerate((k for k in kinds if k not in common), 1)}
    totals = [Total(u, some) for u in ("mm", "px") if (some := [e for e in done if _unit(e) == u])]
    area = sum(e["width_px"] * e["height_px"] for e in done)
    seen = [e["width_px"] * e["height_px"] * (1 - e["area_outside_share"]) for e in done]  # what was photographed
    dropped = sum(e["area_dropped_share"] * px for e, px in zip(done, seen, strict=True)) / max(1, sum(seen))

    def lines(some: list[Entry]) -> Iterator[dict[str, Any]]:
        for e in sorted(some, key=_severity if overview.measured else _suspicion):
            noted = {marks[k] for w in e["warnings"] if (k := _kind(w)) in marks}
            yield {**_line(e, path.parent), "warnings": sorted(noted)}

    context = {
        "page": overview,
        "inputs": inputs,
        "done": len(done),
        "folders": _folders(inputs),
        "rule": summary["fail_on"],
        "rule_met": summary["rule_met"],
        "failed": [e for e in inputs if e["status"] == "failed"],
        "waiting": [e for e in inputs if e["status"] == "in parts"],
        "megapixels": f"{area / 1e6:,.1f}",
        "dropped": dropped,
        "totals": totals,
        "with_cracks": sum(bool(e["cracks"]) for e in done),
        "joints": sum(e["joints"] for e in done) if overview.measured else 0,
        "compact": any(e["worst"] is not None and e["worst"]["compact"] for e in done),
        "classes": _classes(done),
        "classified": sum(e["cracks_by_width_class"] is not None for e in done),
        "scales": _scales(done),
        "common": [kinds[k][0][1] for k in common],
        "warned": sum(any(_kind(w) in marks for w in e["warnings"]) for e in done),
        "kinds": [(mark, kinds[k]) for k, mark in marks.items()],
        "tables": [
            (t.unit, len(t.entries), bool(_classes(t.entries)), lines(t.entries))
            for t in (totals if overview.measured else [Total("px", done)])
        ],
    }
    template.write(path, TEMPLATE, context)


def names(inputs: Sequence[Entry]) -> list[str]:
    """Names of the files, with the path where several have the same."""
    count = Counter(Path(e["input"]).name for e in inputs)
    return [name if count[name := Path(e["input"]).name] == 1 else e["input"] for e in inputs]


def _severity(e: Entry) -> tuple[Any, ...]:
    """As of the cracks of one report: pictures whose cracks are all compact after others, widest first, then longest."""
    worst, unit = e["worst"], _unit(e)
    if worst is None:
        return not e["rule_met"], True, True, e["area_dropped_share"], 0.0
    width = worst[f"width_max_{unit}"]
    return not e["rule_met"], False, worst["compact"], 0.0 if width is None else -width, -e[f"length_{unit}"]


def _suspicion(e: Entry) -> float:
    return float(e["area_dropped_share"])


def _unit(e: Entry) -> str:
    return "px" if e["mm_per_px"] is None else "mm"


def _line(e: Entry, out: Path) -> dict[str, Any]:
    """A line of the table. A preview that somebody removed leaves its place empty."""
    preview = out / e["folder"] / PREVIEW
    unit, found = _unit(e), bool(e["cracks"])
    return {
        "href": _href(e),
        "name": e["name"],
        "preview": template.embedded(preview.read_bytes()) if preview.is_file() else "",
        "size": f"{e['width_px']:,} × {e['height_px']:,} px",
        "scale": "" if e["mm_per_px"] is None else f"{e['mm_per_px']:.4g} mm per px",
        "rule_met": bool(e["rule_met"]),
        "cracks": e["cracks"],
        "joints": e["joints"],
        "length": number(e[f"length_{unit}"]) if found else "",
        **(
            _width(e, unit, e[f"width_max_{unit}"])
            if found
            else {"width": "", "pore": False, "wider": "", "width_class": ""}
        ),
        "dropped": e["area_dropped_share"],
    }


def _width(e: Entry, unit: str, widest: float | None) -> dict[str, Any]:
    """The width of the worst crack; widest: of all, also of compact ones."""
    worst = e["worst"]
    value = worst[f"width_max_{unit}"]
    return {
        "width": bounded(worst, "width_max", unit),
        "pore": worst["compact"],
        "wider": number(widest) if widest is not None and (value is None or widest > value) else "",
        "width_class": width_class(worst, short=True),
    }


def _href(e: Entry) -> str:
    """The report of a picture, relative to this page; a name with a colon is no scheme."""
    return quote(Path(e["folder"]).as_posix()) + "/report.html"


def _folders(inputs: Sequence[Entry]) -> list[str]:
    """Where the pictures lie, and how many of them where it is several folders."""
    of = Counter(str(Path(e["input"]).parent) for e in inputs)
    if len(of) == 1:
        return list(of)
    more = [f"{len(of) - FOLDERS} more folders"] if len(of) > FOLDERS else []
    return [f"{name} ({n})" for name, n in list(of.items())[:FOLDERS]] + more


def _classes(done: Sequence[Entry]) -> list[tuple[str, int, int, int]]:
    """Name of each class of width, its cracks, those of them that are certainly not of a lower class, and the pictures that have
    some."""
    some = [e for e in done if e["cracks_by_width_class"] is not None]
    found, certain = ([e[f"cracks_{which}by_width_class"] for e in some] for which in ("", "certain_"))
    return [
        (name, sum(f[name] for f in found), sum(f[name] for f in certain), sum(f[name] > 0 for f in found))
        for name in (found[0] if found else ())
    ]


def _scales(done: Sequence[Entry]) -> list[tuple[int, str]]:
    """How many pictures have which scale, and where it is from or why there is none."""
    made = []
    for some in _kinds((e, [f"{_unit(e)} {e['scale']}"]) for e in done).values():
        values = [e["mm_per_px"] for e, _ in some]
        origin = some[0][0]["scale"] + (", and alike" if len({text for _, text in some}) > 1 else "")
        if values[0] is None:
            made.append((len(some), f"lengths in pixels: {origin}"))
            continue
        least, most = (f"{v:.4g}" for v in (min(values), max(values)))
        made.append((len(some), f"{least if least == most else f'{least} to {most}'} mm per pixel ({origin})"))
    return made


def _kinds(texts: Iterable[tuple[Entry, Sequence[str]]]) -> dict[str, list[tuple[Entry, str]]]:
    """Texts that differ in nothing but their numbers, together, the most frequent first; one of each picture."""
    made: dict[str, list[tuple[Entry, str]]] = {}
    for e, some in texts:
        for kind, text in {_kind(text): text for text in some}.items():
            made.setdefault(kind, []).append((e, text))
    return dict(sorted(made.items(), key=lambda item: -len(item[1])))


def _kind(text: str) -> str:
    return re.sub(r"\d+(?:[.,]\d+)*", "#", text)
