"""Where a TIFF lies on the earth, and how large a pixel is there: read from its tags, without GDAL.

Source   OGC 19-008r4, GeoTIFF 1.1: tags 33550, 33922, 34264 (place), 34735 (keys), chapter 7 and annex B.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aoienet.extras import install

SCALE, TIEPOINT, TRANSFORM, KEYS, DOUBLES, TEXT = 33550, 33922, 34264, 34735, 34736, 34737
FIELD_TYPE = {KEYS: "H", TEXT: "s"}  # the others are doubles
MODEL, RASTER, GEOGRAPHIC, PROJECTED, LINEAR = 1024, 1025, 2048, 3072, 3076  # keys
USER_DEFINED = 32767
METRES_PER_UNIT = {9001: 1.0, 9002: 0.3048, 9003: 12 / 39.37}  # EPSG units: metre, foot, US survey foot
WEB_MERCATOR = (3857, 900913, 3785, 3395)  # their metre is one metre at the equator only
Tag = tuple[int, str, int, Any]  # code, type, count, value
SQUARE = 0.01  # relative difference of the sides up to which a pixel counts as square


@dataclass(frozen=True)
class GeoReference:
    """Place of a picture: X = a x + b y + c, Y = d x + e y + f, with pixel centres at whole x and y.

    affine: (a, b, c, d, e, f) in units of the CRS. epsg: code of the CRS, None where the file gives none.
    geographic: X, Y are longitude, latitude in degrees. metres_per_unit: None where unknown or in degrees.
    tags: (code, type, count, value) as stored, for a mask of the same place.
    """

    affine: tuple[float, float, float, float, float, float]
    epsg: int | None
    geographic: bool
    metres_per_unit: float | None
    tags: tuple[Tag, ...]

    @property
    def crs(self) -> str | None:
        """The CRS as EPSG:n."""
        return None if self.epsg is None else f"EPSG:{self.epsg}"

    def world(self, points_xy: np.ndarray) -> np.ndarray:
        """Picture points [N, 2] (x, y in px) -> CRS points [N, 2], float64."""
        a, b, c, d, e, f = self.affine
        x, y = np.asarray(points_xy, np.float64).T
        return np.stack([a * x + b * y + c, d * x + e * y + f], axis=1)

    def lon_lat(self, points_xy: np.ndarray) -> np.ndarray:
        """Picture points [N, 2] -> longitude and latitude in degrees, WGS 84.

        Raises   GeoError: no CRS in the file, or one that needs the [geo] extra.
        """
        world = self.world(points_xy)
        if self.epsg == 4326:
            return world
        if self.epsg is None:
            raise GeoError("the picture names no EPSG code, so its place cannot become longitude and latitude.")
        return np.stack(_transformer(self.epsg).transform(world[:, 0], world[:, 1]), axis=1)

    def pixel_mm(self, width: int, height: int) -> tuple[float | None, str]:
        """Side of a pixel on the ground in mm at the middle of the picture, and where the number is from or why there
        is none."""
        middle = np.array([[width / 2, height / 2]])
        steps = np.concatenate([middle, middle + [[1, 0]], middle + [[0, 1]]])
        if self.metres_per_unit is not None and self.epsg not in WEB_MERCATOR:
            at = self.world(steps) * self.metres_per_unit
            sides = np.hypot(*(at[1:] - at[0]).T)
            origin = f"GeoTIFF pixel size in {self.crs or 'a CRS without a code'}"
        else:
            try:
                sides = _on_ellipsoid(self.lon_lat(steps))
            except GeoError as error:
                return None, str(error)
            origin = f"GeoTIFF pixel size on the ellipsoid of WGS 84, from {self.crs}"
        x_mm, y_mm = (float(s) * 1000 for s in sides)
        if not (math.isfinite(x_mm) and math.isfinite(y_mm) and min(x_mm, y_mm) > 0):
            return None, f"a pixel must have a positive size on the ground; received {x_mm:g} x {y_mm:g} mm."
        if abs(x_mm - y_mm) > SQUARE * max(x_mm, y_mm):
            return None, f"a pixel must be square on the ground to 1 %; received {x_mm:.6g} x {y_mm:.6g} mm."
        return math.sqrt(x_mm * y_mm), origin

    def tags_of_smaller(self, factor: int) -> tuple[Tag, ...]:
        """Tags of a copy that is smaller by a whole number, from the same upper left corner on."""
        if factor == 1:
            return self.tags
        a, b, c, d, e, f = self.affine
        place = transform_tag((factor * a, factor * b, c - (a + b) / 2, factor * d, factor * e, f - (d + e) / 2))
        return place, *(_for_corners(tag) for tag in self.tags if tag[0] in (KEYS, DOUBLES, TEXT))


class GeoError(ValueError):
    """A place that cannot be computed; the message says why and what to do."""


def transform_tag(affine: tuple[float, float, float, float, float, float]) -> Tag:
    """The tag of X = a u + b v + c, Y = d u + e v + f, where u and v count corners of pixels."""
    a, b, c, d, e, f = (float(v) for v in affine)
    return TRANSFORM, "d", 16, (a, b, 0.0, c, d, e, 0.0, f, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def _for_corners(tag: Tag) -> Tag:
    """Keys that say that the place is of corners of pixels ("pixel is area")."""
    code, kind, count, value = tag
    if code != KEYS:
        return tag
    words = [int(v) for v in value]
    for at in range(4, len(words), 4):
        if words[at] == RASTER:
            words[at + 3] = 1
    return code, kind, count, tuple(words)


def read_geo(page: Any, notes: list[str]) -> GeoReference | None:
    """The place that a TIFF page tells, or None; what is there but cannot be used is told in notes."""
    stored = {code: page.tags[code].value for code in (SCALE, TIEPOINT, TRANSFORM) if code in page.tags}
    if not stored:
        return None
    keys = _keys(page)
    affine = _affine(stored)
    if affine is None:
        notes.append("place on the earth dropped: its tags do not give a regular grid (scale with one tie point)")
        return None
    if keys.get(RASTER) != 2:  # stored for corners of pixels ("pixel is area"): move to centres
        a, b, c, d, e, f = affine
        affine = (a, b, c + (a + b) / 2, d, e, f + (d + e) / 2)
    geographic = keys.get(MODEL) == 2
    code = keys.get(GEOGRAPHIC if geographic else PROJECTED)
    known = isinstance(code, int) and 1024 <= code < USER_DEFINED
    return GeoReference(
        affine,
        code if known else None,
        geographic,
        None if geographic else _metres(keys, code if known else None),
        tuple(_raw_tag(page, code) for code in (SCALE, TIEPOINT, TRANSFORM, KEYS, DOUBLES, TEXT) if code in page.tags),
    )


def _affine(stored: dict[int, Any]) -> tuple[float, float, float, float, float, float] | None:
    if TRANSFORM in stored:
        m = [float(v) for v in stored[TRANSFORM]]
        affine = (m[0], m[1], m[3], m[4], m[5], m[7]) if len(m) == 16 else None
    elif SCALE in stored and TIEPOINT in stored and len(stored[TIEPOINT]) == 6 and len(stored[SCALE]) >= 2:
        sx, sy = (float(v) for v in stored[SCALE][:2])
        i, j, _, x, y, _ = (float(v) for v in stored[TIEPOINT])
        affine = (sx, 0.0, x - sx * i, 0.0, -sy, y + sy * j)
    else:
        affine = None
    if affine is None or not all(math.isfinite(v) for v in affine):
        return None
    return affine if affine[0] * affine[4] != affine[1] * affine[3] else None


def _keys(page: Any) -> dict[int, int]:
    """Keys whose value stands in the directory itself; the others (names, user-defined numbers) are not needed."""
    tag = page.tags.get(KEYS)
    if tag is None:
        return {}
    words = [int(v) for v in np.ravel(tag.value)]
    entries = zip(*[iter(words[4:])] * 4, strict=False)
    return {key: value for key, place, _, value in entries if place == 0}


def _metres(keys: dict[int, int], epsg: int | None) -> float | None:
    """Metres per unit of a projected CRS: from its own key, else from the CRS where pyproj is installed."""
    if LINEAR in keys:
        return METRES_PER_UNIT.get(keys[LINEAR])
    if epsg is None:
        return None
    try:
        return float(_crs(epsg).axis_info[0].unit_conversion_factor)
    except GeoError:
        return None


def _raw_tag(page: Any, code: int) -> Tag:
    value = page.tags[code].value
    if code == TEXT:
        return code, "s", 0, str(value)
    return code, FIELD_TYPE.get(code, "d"), len(np.ravel(value)), tuple(np.ravel(value).tolist())


def _crs(epsg: int) -> Any:
    try:
        import pyproj
    except ImportError:
        text = f"EPSG:{epsg} needs pyproj to become longitude and latitude, which is not installed; {install('geo')}"
        raise GeoError(text) from None
    try:
        return pyproj.CRS.from_epsg(epsg)
    except pyproj.exceptions.CRSError:
        raise GeoError(f"EPSG:{epsg} is not known to pyproj {pyproj.__version__}.") from None


def _transformer(epsg: int) -> Any:
    crs = _crs(epsg)
    import pyproj

    return pyproj.Transformer.from_crs(crs, 4326, always_xy=True)


def _on_ellipsoid(lon_lat: np.ndarray) -> np.ndarray:
    """Distances in metres of points 1, 2 from point 0, a few pixels apart: radii of curvature of WGS 84."""
    a, e2 = 6378137.0, 0.00669437999014
    latitude = math.radians(lon_lat[0, 1])
    bend = 1 - e2 * math.sin(latitude) ** 2
    north_m, east_m = a * (1 - e2) / bend**1.5, a / math.sqrt(bend) * math.cos(latitude)
    d_lon, d_lat = np.radians(lon_lat[1:] - lon_lat[0]).T
    return np.hypot(d_lon * east_m, d_lat * north_m)
