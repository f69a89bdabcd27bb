"""Cracks and joints as files that other tools open: a table, COCO and GeoJSON. Docs: docs/guide/outputs.md."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from aoienet.files import atomic
from aoienet.report.records import PX_DIGITS, Place, Scale, columns, record

if TYPE_CHECKING:
    from aoienet.measure.crack import Crack

SUPERCATEGORIES = {"crack": "defect", "joint": "construction"}  # category 1, 2


def write_csv(path: Path, cracks: Sequence[Crack], scale: Scale, place: Place) -> None:
    """defects.csv: one line per crack or joint in order of id; an unknown value is an empty field."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, columns(scale, place), lineterminator="\n")
        table.writeheader()
        table.writerows(record(crack, scale, place) for crack in cracks)


def write_coco(
    path: Path, cracks: Sequence[Crack], scale: Scale, place: Place, name: str, size_hw: tuple[int, int]
) -> None:
    """defects.coco.json: one image, one annotation per crack or joint with its outer outlines and the record as attributes.

    COCO counts from the corner of a pixel, so a point at the centre of pixel (x, y) is written as (x + 0.5, y + 0.5).
    """
    head: dict[str, Any] = {
        "info": {"description": "cracks and joints found by aoienet", "version": "1.0"},
        "licenses": [],
        "images": [{"id": 1, "file_name": name, "width": size_hw[1], "height": size_hw[0]}],
        "categories": [
            {"id": k, "name": kind, "supercategory": above}
            for k, (kind, above) in enumerate(SUPERCATEGORIES.items(), 1)
        ],
    }
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        _write_list(out, head, "annotations", (_annotation(crack, scale, place) for crack in cracks))


def write_geojson(path: Path, cracks: Sequence[Crack], scale: Scale, place: Place) -> None:
    """defects.geojson: of each crack or joint the outline (Polygon or MultiPolygon) and the centre line (MultiLineString).

    With a place on the earth as RFC 7946 asks: longitude, latitude, outer rings counterclockwise. Without: pixels
    from the upper left corner, y negated, and the member `coordinate_space` says so.
    """
    head: dict[str, Any] = {"type": "FeatureCollection"}
    if not place.on_earth:
        head["coordinate_space"] = "pixels from the upper left corner of the picture: x to the right, y negated"
        head["coordinate_space_reason"] = place.reason
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        _write_list(out, head, "features", (f for crack in cracks for f in _features(crack, scale, place)))


def _write_list(out: TextIO, head: dict[str, Any], member: str, items: Iterator[dict[str, Any]]) -> None:
    """One JSON document whose last member is a list, one item per line and never all of them in memory."""
    text = json.dumps(head, allow_nan=False, ensure_ascii=False)
    out.write(f'{text[:-1]}, "{member}": [')
    separator = "\n"
    for item in items:
        out.write(separator + json.dumps(item, allow_nan=False, ensure_ascii=False))
        separator = ",\n"
    out.write("\n]}\n")


def _annotation(crack: Crack, scale: Scale, place: Place) -> dict[str, Any]:
    x0, y0, x1, y1 = (int(v) for v in crack.box_px)
    rings = [np.round(np.asarray(ring)[:-1] + 0.5, PX_DIGITS) for ring in crack.polygons_px]
    values = record(crack, scale, place)
    return {
        "id": int(crack.id),
        "image_id": 1,
        "category_id": 1 + list(SUPERCATEGORIES).index(crack.kind),
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": int(crack.area_px),
        "iscrowd": 0,
        "score": values["probability"],
        "segmentation": [ring.ravel().tolist() for ring in rings if len(ring) >= 3],
        "attributes": {key: value for key, value in values.items() if key not in ("id", "area_px")},
    }


def _features(crack: Crack, scale: Scale, place: Place) -> Iterator[dict[str, Any]]:
    properties = record(crack, scale, place)
    rings = [ring for ring in (_ring(r, place) for r in crack.polygons_px) if ring is not None]
    outline: dict[str, Any] | None = None
    if len(rings) == 1:
        outline = {"type": "Polygon", "coordinates": rings}
    elif rings:
        outline = {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
    yield {"type": "Feature", "properties": {"part": "outline", **properties}, "geometry": outline}
    lines = [_points(path, place).tolist() for path in crack.paths_px if len(path) >= 2]
    if lines:
        line = {"type": "MultiLineString", "coordinates": lines}
        yield {"type": "Feature", "properties": {"part": "centre line", **properties}, "geometry": line}


def _points(points: np.ndarray, place: Place) -> np.ndarray:
    return np.round(place.convert(np.asarray(points, np.float64)), place.digits) + 0.0


def _ring(points: np.ndarray, place: Place) -> list[list[float]] | None:
    """A closed ring, counterclockwise; None where it encloses nothing."""
    if len(points) < 4:
        return None
    exact = place.convert(np.asarray(points, np.float64))
    shifted = exact - exact[0]
    twice = float(np.sum(shifted[:-1, 0] * shifted[1:, 1] - shifted[1:, 0] * shifted[:-1, 1]))
    if twice == 0:
        return None
    ring = np.round(exact if twice > 0 else exact[::-1], place.digits) + 0.0
    return ring.tolist()
