"""Pieces as plain arrays and back, to be kept in a file or sent to another machine; no pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from aoienet.measure.piece import Piece
from aoienet.measure.width import Places

OF_PARTS = ("area", "probability", "box")
OF_POINTS = ("points", "part", "centre", "normal", "radius", "reach", "steady")
PLACES = tuple(field.name for field in fields(Places))


def to_arrays(pieces: Sequence[Piece]) -> dict[str, np.ndarray]:
    """All pieces in one array per field, and how many entries of each kind every piece has."""
    if not pieces:
        return {}
    counts = [(len(p.area), len(p.border), len(p.edges), len(p.points)) for p in pieces]
    out = {"cell": np.array([p.cell for p in pieces], np.int64), "counts": np.array(counts, np.int64)}
    for name in (*OF_PARTS, "border", "edges", *OF_POINTS):
        out[name] = np.concatenate([getattr(p, name) for p in pieces])
    for name in PLACES:
        out[f"places_{name}"] = np.concatenate([getattr(p.places, name) for p in pieces])
    return out


def from_arrays(arrays: Mapping[str, np.ndarray]) -> list[Piece]:
    """What to_arrays was given."""
    if "cell" not in arrays:
        return []
    ends = np.cumsum(arrays["counts"], axis=0)[:-1]

    def cut(name: str, kind: int) -> list[np.ndarray]:
        return np.split(arrays[name], ends[:, kind])

    split = {name: cut(name, 0) for name in OF_PARTS} | {name: cut(name, 3) for name in OF_POINTS}
    split |= {"border": cut("border", 1), "edges": cut("edges", 2)}
    places = {name: cut(f"places_{name}", 3) for name in PLACES}
    made = []
    for k, (x0, y0, x1, y1) in enumerate(arrays["cell"].tolist()):
        own = Places(**{name: values[k] for name, values in places.items()})
        made.append(Piece(cell=(x0, y0, x1, y1), places=own, **{name: values[k] for name, values in split.items()}))
    return made
