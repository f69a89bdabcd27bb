"""The table, COCO and GeoJSON: other programs read them, units are in the names, the numbers are the measured ones."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from tests.report.cracks import HEIGHT, WIDTH, surface

from aoienet.measure import measure_picture
from aoienet.report.defects import write_coco, write_csv, write_geojson
from aoienet.report.finish import Rule
from aoienet.report.records import Scale, columns, place_of, record
from aoienet.scan.sources import GeoReference

PIXELS, MM = Scale(None, "no scale was given"), Scale(0.25, "--mm-per-px")
NOWHERE = place_of(None)
UTM = GeoReference((0.00025, 0.0, 500000.0, 0.0, -0.00025, 5400000.0), 32633, False, 1.0, ())
DEGREES = GeoReference((1e-8, 0.0, 10.0, 0.0, -1e-8, 60.0), 4326, True, None, ())


@pytest.fixture(scope="module")
def cracks():
    return surface()[2]


def table(path):
    return list(csv.DictReader(path.open(encoding="utf-8")))


def test_there_are_two_cracks_and_a_joint(cracks):
    assert [c.id for c in cracks] == [1, 2, 3] and [c.kind for c in cracks] == ["joint", "crack", "crack"]


def test_every_file_tells_the_kind(tmp_path, cracks):
    write_csv(tmp_path / "a.csv", cracks, PIXELS, NOWHERE)
    assert [row["kind"] for row in table(tmp_path / "a.csv")] == ["joint", "crack", "crack"]
    write_coco(tmp_path / "a.json", cracks, PIXELS, NOWHERE, "wall.tif", (HEIGHT, WIDTH))
    coco = json.loads((tmp_path / "a.json").read_text())
    names = {c["id"]: c["name"] for c in coco["categories"]}
    assert sorted(names.values()) == ["crack", "joint"]
    assert [names[a["category_id"]] for a in coco["annotations"]] == ["joint", "crack", "crack"]
    write_geojson(tmp_path / "a.geojson", cracks, PIXELS, NOWHERE)
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert [f["properties"]["kind"] for f in features] == ["joint"] * 2 + ["crack"] * 4


def test_the_table_has_pixels_always_and_millimetres_only_with_a_scale(tmp_path, cracks):
    write_csv(tmp_path / "px.csv", cracks, PIXELS, NOWHERE)
    write_csv(tmp_path / "mm.csv", cracks, MM, NOWHERE)
    plain, scaled = table(tmp_path / "px.csv"), table(tmp_path / "mm.csv")
    assert not [name for name in plain[0] if "mm" in name or "lon" in name]
    for crack, a, b in zip(cracks, plain, scaled, strict=True):
        assert a == {key: b[key] for key in a}
        assert float(a["length_px"]) == pytest.approx(crack.length_px, abs=1e-3)
        assert float(b["length_mm"]) == pytest.approx(0.25 * crack.length_px, abs=1e-3)
        assert float(b["width_max_u_mm"]) == pytest.approx(0.25 * crack.widths.max.u_px, abs=1e-4)
        assert float(b["area_mm2"]) == pytest.approx(crack.area_px / 16, abs=1e-3)
        assert a["probability"] == "" or 0 <= float(a["probability"]) <= 1


def test_every_name_of_a_length_ends_in_its_unit():
    known = {
        "id",
        "kind",
        "branches",
        "compact",
        "width_upper_bound",
        "orientation_deg",
        "score_log_odds",
        "probability",
        "lon_deg",
        "lat_deg",
    }
    for name in columns(MM, place_of(DEGREES)):
        assert name in known or name.endswith(("_px", "_mm", "_mm2")), name


@pytest.mark.parametrize("scale", [PIXELS, MM])
@pytest.mark.parametrize("place", [NOWHERE, place_of(DEGREES)])
def test_the_record_has_exactly_the_columns(cracks, scale, place):
    assert list(record(cracks[0], scale, place)) == columns(scale, place)


def test_what_is_hardly_longer_than_wide_is_compact_and_a_rule_can_leave_it_out(cracks):
    some = next(c for c in cracks if c.kind == "crack")
    wide = some.length_px / 2.9
    pore = replace(some, widths=replace(some.widths, max=replace(some.widths.max, value_px=wide)))
    crack = replace(pore, length_px=3.1 * wide)
    both = [record(c, PIXELS, NOWHERE) for c in (pore, crack)]
    assert [r["compact"] for r in both] == [1, 0]
    rule = Rule.parse(f"width_max_px>={wide - 0.01} and compact==0")
    assert rule.holds(both) and not rule.holds(both[:1])


def test_what_is_not_known_is_an_empty_field_and_null(tmp_path, cracks):
    unknown = replace(cracks[0], score=float("nan"), probability=float("nan"))
    write_csv(tmp_path / "a.csv", [unknown], PIXELS, NOWHERE)
    assert table(tmp_path / "a.csv")[0]["score_log_odds"] == ""
    write_geojson(tmp_path / "a.json", [unknown], PIXELS, NOWHERE)
    assert json.loads((tmp_path / "a.json").read_text())["features"][0]["properties"]["score_log_odds"] is None


def test_a_part_of_a_centre_line_without_length_is_left_out(tmp_path, cracks):
    point = np.array([[9.0, 9.0], [9.0001, 9.0]])  # equal as written
    crack = replace(cracks[1], paths_px=(*cracks[1].paths_px, point, point[:1], point[:0]))
    for name, one in (("a.json", cracks[1]), ("b.json", crack)):
        write_geojson(tmp_path / name, [one], PIXELS, NOWHERE)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    write_geojson(tmp_path / "c.json", [replace(crack, paths_px=(point,))], PIXELS, NOWHERE)
    assert [f["properties"]["part"] for f in json.loads((tmp_path / "c.json").read_text())["features"]] == ["outline"]


def test_a_scale_must_be_a_positive_number():
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="received"):
            Scale(wrong, "test")


def test_coco_is_read_by_pycocotools_and_its_polygons_cover_the_cracks(tmp_path, cracks):
    coco_module = pytest.importorskip("pycocotools.coco", reason="pycocotools is a development dependency")
    write_coco(tmp_path / "a.json", cracks, MM, NOWHERE, "wall.tif", (HEIGHT, WIDTH))
    coco = coco_module.COCO(str(tmp_path / "a.json"))
    assert coco.loadImgs([1])[0] == {"id": 1, "file_name": "wall.tif", "width": WIDTH, "height": HEIGHT}
    assert coco.loadCats(coco.getCatIds())[0]["name"] == "crack"
    drawn = np.zeros((HEIGHT, WIDTH), bool)
    for crack, annotation in zip(cracks, coco.loadAnns(coco.getAnnIds()), strict=True):
        one = coco.annToMask(annotation).astype(bool)
        ys, xs = np.nonzero(one)
        x, y, w, h = annotation["bbox"]
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x, y, x + w, y + h)
        assert annotation["area"] == one.sum() == crack.area_px
        assert annotation["attributes"]["length_mm"] == pytest.approx(0.25 * crack.length_px, abs=1e-3)
        drawn |= one
    np.testing.assert_array_equal(drawn, surface()[1])


def test_a_crack_around_clean_area_keeps_it_clean_in_coco_and_geojson(tmp_path):
    """Cracks that close a net (alligator cracks) would cover all that lies between them."""
    mask_module = pytest.importorskip("pycocotools.mask", reason="pycocotools is a development dependency")
    y, x = np.mgrid[:300, :420]
    mask = np.abs(np.hypot(y - 150, x - 150) - 90) < 3
    mask |= np.abs(np.hypot(y - 150, x - 270) - 90) < 3
    (crack,) = measure_picture(mask)
    write_coco(tmp_path / "a.json", [crack], PIXELS, NOWHERE, "wall.tif", mask.shape)
    (annotation,) = json.loads((tmp_path / "a.json").read_text())["annotations"]
    drawn = mask_module.decode(mask_module.merge(mask_module.frPyObjects(annotation["segmentation"], *mask.shape)))
    np.testing.assert_array_equal(drawn, mask)
    write_geojson(tmp_path / "b.json", [crack], PIXELS, NOWHERE)
    outer, *holes = json.loads((tmp_path / "b.json").read_text())["features"][0]["geometry"]["coordinates"]
    assert len(holes) == 3 and signed_area(outer) > 0 and all(signed_area(hole) < 0 for hole in holes)
    assert sum(map(signed_area, [outer, *holes])) == mask.sum()


def test_coco_without_cracks_is_read_too(tmp_path):
    coco_module = pytest.importorskip("pycocotools.coco", reason="pycocotools is a development dependency")
    write_coco(tmp_path / "a.json", [], PIXELS, NOWHERE, "wall.tif", (HEIGHT, WIDTH))
    assert coco_module.COCO(str(tmp_path / "a.json")).getAnnIds() == []


def rings(document):
    for feature in document["features"]:
        geometry = feature["geometry"]
        if geometry["type"] == "Polygon":
            yield from geometry["coordinates"]
        elif geometry["type"] == "MultiPolygon":
            yield from (ring for polygon in geometry["coordinates"] for ring in polygon)


def signed_area(ring):
    at = np.array(ring) - ring[0]
    return float(np.sum(at[:-1, 0] * at[1:, 1] - at[1:, 0] * at[:-1, 1]) / 2)


def test_geojson_in_degrees_keeps_the_rules_of_rfc_7946(tmp_path, cracks):
    write_geojson(tmp_path / "a.json", cracks, MM, place_of(DEGREES))
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["type"] == "FeatureCollection" and set(document) == {"type", "features"}
    assert [f["properties"]["part"] for f in document["features"]] == ["outline", "centre line"] * 3
    for ring in rings(document):
        assert ring[0] == ring[-1] and len(ring) >= 4 and signed_area(ring) > 0
    x0, y0, x1, y1 = cracks[0].box_px
    lon, lat = np.array(next(rings(document))).T
    assert lon.min() == pytest.approx(10 + 1e-8 * (x0 - 0.5), abs=2e-10)
    assert lat.max() == pytest.approx(60 - 1e-8 * (y0 - 0.5), abs=2e-10)
    middle = document["features"][0]["properties"]
    assert middle["lon_deg"] == pytest.approx(10 + 1e-8 * (x0 + x1 - 1) / 2, abs=1e-9)


def test_a_projected_place_becomes_longitude_and_latitude(tmp_path, cracks):
    pyproj = pytest.importorskip("pyproj")
    write_geojson(tmp_path / "a.json", cracks, MM, place_of(UTM))
    lon, lat = next(rings(json.loads((tmp_path / "a.json").read_text())))[0]
    back = pyproj.Transformer.from_crs(4326, 32633, always_xy=True).transform(lon, lat)
    ring = cracks[0].polygons_px[0][0]
    here = UTM.world(ring) - back
    assert np.hypot(*here.T).min() < 2e-5  # metres: a twelfth of a pixel


def test_without_a_place_geojson_is_in_pixels_and_says_so(tmp_path, cracks):
    write_geojson(tmp_path / "a.json", cracks, PIXELS, NOWHERE)
    document = json.loads((tmp_path / "a.json").read_text())
    assert "pixels" in document["coordinate_space"] and "no place" in document["coordinate_space_reason"]
    x0, y0, x1, y1 = cracks[0].box_px
    x, y = np.array(next(rings(document))).T
    assert (x.min(), x.max(), -y.max(), -y.min()) == (x0, x1, y0, y1)
    assert all(signed_area(ring) > 0 for ring in rings(document))


def test_a_place_that_cannot_be_converted_is_told(tmp_path, cracks):
    lost = replace(UTM, epsg=None)
    assert not place_of(lost).on_earth and "EPSG" in place_of(lost).reason


@pytest.mark.parametrize("write", [write_csv, write_geojson])
def test_the_same_cracks_give_the_same_bytes(tmp_path, cracks, write):
    for name in "ab":
        write(tmp_path / name, cracks, MM, place_of(DEGREES))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
