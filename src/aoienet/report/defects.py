"""Cracks and joints as files that other tools open: a table, COCO and GeoJSON. Docs: docs/guide/outputs.md."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from scipy.spatial import cKDTree

from aoienet.files import atomic
from aoienet.measure.outline import Polygon, area_of
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
    """defects.coco.json: one image, one annotation per crack or joint with its outlines and the record as attributes.

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

    With a place on the earth as RFC 7946 asks: longitude, latitude, outer rings counterclockwise, holes clockwise. Without: pixels
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
    rings = [np.round(_without_holes(polygon) + 0.5, PX_DIGITS) for polygon in crack.polygons_px]
    values = record(crack, scale, place)
    return {
        "id": int(crack.id),
        "image_id": 1,
        "category_id": 1 + list(SUPERCATEGORIES).index(crack.kind),
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": int(crack.area_px),
        "iscrowd": 0,
        "score": values["probability"],
        "segmentation": [ring.ravel().tolist() for ring in rings],
        "attributes": {key: value for key, value in values.items() if key not in ("id", "area_px")},
    }


def _features(crack: Crack, scale: Scale, place: Place) -> Iterator[dict[str, Any]]:
    properties = record(crack, scale, place)
    rings = [[_ring(ring, place, hole=k > 0) for k, ring in enumerate(polygon)] for polygon in crack.polygons_px]
    outline: dict[str, Any] = {"type": "MultiPolygon", "coordinates": rings}
    if len(rings) == 1:
        outline = {"type": "Polygon", "coordinates": rings[0]}
    yield {"type": "Feature", "properties": {"part": "outline", **properties}, "geometry": outline}
    parts = [_points(path, place) for path in crack.paths_px if len(path)]
    lines = [points.tolist() for points in parts if np.ptp(points, axis=0).any()]
    if lines:
        line = {"type": "MultiLineString", "coordinates": lines}
        yield {"type": "Feature", "properties": {"part": "centre line", **properties}, "geometry": line}


def _points(points: np.ndarray, place: Place) -> np.ndarray:
    return np.round(place.convert(np.asarray(points, np.float64)), place.digits) + 0.0


def _ring(points: np.ndarray, place: Place, hole: bool) -> list[list[float]]:
    """A closed ring, counterclockwise, a hole clockwise."""
    exact = place.convert(np.asarray(points, np.float64))
    ring = np.round(exact if (area_of(exact) > 0) != hole else exact[::-1], place.digits) + 0.0
    return ring.tolist()


def _without_holes(polygon: Polygon) -> np.ndarray:
    """One ring [M, 2], not closed, for a format that knows no holes: each hole is joined to the outer ring by a cut, there and
    back along the shortest way between their corners, so that the area inside is the same."""
    outer = polygon[0][:-1]
    cuts: dict[int, list[np.ndarray]] = {}
    tree = cKDTree(outer)
    for hole in polygon[1:]:
        away, nearest = tree.query(hole[:-1])
        first = int(np.argmin(away))
        turned = np.roll(hole[:-1], -first, axis=0)
        cuts.setdefault(int(nearest[first]), []).append(np.concatenate([turned, turned[:1]]))
    stops = sorted(cuts)
    parts, at = [], 0
    for stop in stops:
        parts.append(outer[at : stop + 1])
        for hole in cuts[stop]:
            parts += [hole, outer[stop : stop + 1]]
        at = stop + 1
    return np.concatenate([*parts, outer[at:]])
