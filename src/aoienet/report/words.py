"""How numbers, names and certificates are written for a reader of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[tuple[str, str]]


def number(value: float) -> str:
    """Three significant digits, never in powers of ten; thousands parted by commas."""
    digits = 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def measured(value: Any, u: Any) -> str:
    """Value and uncertainty with the same decimals, two significant digits of the uncertainty (GUM, 7.2.6)."""
    if value is None:
        return "unknown"
    if not u:
        return f"{number(value)} ± unknown" if u is None else number(value)
    digits = max(0, 1 - math.floor(math.log10(u)))
    return f"{value:.{digits}f} ± {u:.{digits}f}"


def bounded(values: Mapping[str, Any], name: str, unit: str) -> str:
    """A width of a record with its uncertainty, or that it is at most that."""
    return ("at most " if values["width_upper_bound"] else "") + measured(
        values[f"{name}_{unit}"], values[f"{name}_u_{unit}"]
    )


def width_class(values: Mapping[str, Any], short: bool = False) -> str:
    """The class of width of a record, and those that the uncertainty leaves open; "" without classes. short: without what follows a
    colon in the name."""
    name, least, most = (values.get(f"width_class{end}") for end in ("", "_at_least", "_at_most"))
    if name is None:
        return ""
    ends = [str(end).split(":")[0] for end in (least, most)]  # "over 0.4 mm: beyond every limit"
    shown = str(name).split(":")[0] if short else str(name)
    return shown if least == most else f"{shown} ({ends[0]} to {ends[1]})"


def models(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, str]]:
    """Both stages, as rows of a table."""
    return rows({f"First stage {k}": v for k, v in first.items()}) + rows(
        {f"Second stage {k}": v for k, v in second.items()}
    )


def promise(certificate: dict[str, Any], threshold: float, set_aside: float | None) -> str:
    """The certificate as an inspector reads it: with the cracks followed where it says so; why there is none; "" where it says other
    things. threshold: of the scan; set_aside: that of a certificate which therefore does not hold."""
    if not certificate:
        if set_aside is None:
            return "The model file carries no certificate: no share of missed cracks is guaranteed."
        return (
            f"The certificate of the model file is for threshold {_text(set_aside)}; this scan used {_text(threshold)}, so no share of missed "
            "cracks is guaranteed."
        )
    try:
        confidence, found = certificate["confidence"], certificate.get("followed", certificate)
        photographs = found["photographs"]
        none, missed = (found[f"photographs_{name}"] for name in ("without_any_crack_found", "with_a_missed_crack"))
        none_most, missed_most = (
            found[f"photographs_{name}_at_most"] for name in ("without_any_crack_found", "with_a_missed_crack")
        )
    except KeyError:
        return ""
    if found is certificate:
        who, looked = "the first stage", "passed on by it"
    else:
        who, looked = "the first stage, with the cracks followed by the second,", "looked at by the second"
    return (
        f"What {who} may miss: of {photographs} test photographs with cracks, {none} had no crack {looked}, and "
        f"{missed} had at least one crack that was not. With {100 * confidence:.3g} % confidence this is so in at most {100 * none_most:.1f} % and "
        f"{100 * missed_most:.1f} % of photographs like these. It says nothing about other surfaces or cameras."
    )


def rows(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values as text; a list or a table in one line."""
    return [(name.replace("_", " "), _text(value)) for name, value in values.items()]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k.replace('_', ' ')} {_text(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(v) for v in value)
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
