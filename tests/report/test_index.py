"""index.html of a batch: one file, nothing run, hostile names harmless, worst first, pixels and millimetres apart."""

import re
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from tests.report.cracks import scanned, surface
from tests.report.reader import Reader

from aoienet.report.index import Overview, names, write_index
from aoienet.report.outputs import PREVIEW
from aoienet.report.thumbnail import write_preview


def done(name, *, width=None, length=0.0, mm=None, cracks=None, joints=0, compact=False, widest=None, **changes):
    """An entry of summary.json: a picture of 1 megapixel whose widest crack has `width`, px or with mm per px mm."""
    unit = "px" if mm is None else "mm"
    worst = None
    if width is not None:
        worst = {"id": 1, f"width_max_{unit}": width, f"width_max_u_{unit}": 0.1, "width_upper_bound": 0}
        worst |= {f"length_{unit}": length, "compact": compact}
    return {
        "input": f"site/{name}.jpg", "status": "done", "folder": name, "width_px": 1000, "height_px": 1000, "megapixels": 1.0,
        "mm_per_px": mm, "scale": "no scale was given" if mm is None else "--mm-per-px", "area_dropped_share": 0.5, "area_outside_share": 0.0,
        "area_unfamiliar_share": 0.0, "cracks": int(width is not None) if cracks is None else cracks, "joints": joints,
        f"length_{unit}": length, f"width_max_{unit}": width if widest is None else widest, "worst": worst,
        "cracks_by_width_class": None, "cracks_certain_by_width_class": None, "rule_met": None, "warnings": [], **changes,
    }  # fmt: skip


def suspected(name, dropped):
    words = {"cracks": None, "joints": None, "length_px": None, "width_max_px": None, "worst": None}
    return done(name, **words, area_dropped_share=dropped, warnings=["Only the first stage was run."])


def failed(name, error):
    return {"input": f"site/{name}.jpg", "status": "failed", "error": error}


def read(folder, inputs, *, rule=None, measured=True, classes="", certificate=()):
    rule_met = sum(bool(e.get("rule_met")) for e in inputs)
    overview = Overview([("Name", "toy")], certificate, "", [("threshold", "0.5")], [], measured, classes)
    write_index(folder / "index.html", {"inputs": inputs, "fail_on": rule, "rule_met": rule_met}, overview)
    reader = Reader()
    reader.raw = (folder / "index.html").read_text(encoding="utf-8")
    reader.feed(reader.raw)
    assert reader.stack == []
    reader.words = " ".join(reader.text.split())
    reader.order = re.findall(r'<th scope="row"><a href="[^"]*">(.*?)\.jpg</a>', reader.raw)
    return reader


def test_totals_say_what_was_done_found_and_left(tmp_path):
    inputs = [
        done("a", width=0.42, length=1200.4, mm=0.1, cracks=3, joints=2),
        done("b", mm=0.1, area_dropped_share=1.0, area_outside_share=0.5, width_px=3000),
        failed("c", "site/c.jpg is broken"),
        {"input": "site/d.jpg", "status": "in parts", "units": 1},
    ]
    page = read(tmp_path, inputs, certificate=[("photographs", "153")])
    for words in (
        "Crack overview: 4 pictures", "From site", "2 of 4 pictures done, 1 failed, 1 not yet", "4.0 megapixels scanned",
        "3 cracks found, in 1 picture", "0.42 ± 0.10 mm greatest width (a.jpg)", "1,200 mm length of all cracks together",
        "2 joints: straight lines", "80.0 % of the area judged clean", "This scan is not finished: 1 of 4", "d.jpg (1 band done)",
        "c.jpgsite/c.jpg is broken", "2 pictures0.1 mm per pixel (--mm-per-px)", "photographs153",
    ):  # fmt: skip
        assert words in page.words, words
    finished = read(tmp_path, inputs[:2])
    assert "not finished" not in finished.words and "failed" not in finished.words.lower()


def test_worst_come_first_and_compact_ones_after_cracks(tmp_path):
    inputs = [
        done("clean"), done("hard", area_dropped_share=0.1), done("thin", width=0.1, length=9.0, mm=None),
        done("pore", width=9.0, length=10.0, compact=True), done("wide", width=0.9, length=5.0, widest=7.0),
        done("longer", width=0.1, length=50.0), done("ruled", width=0.05, length=5.0, rule_met=True),
    ]  # fmt: skip
    page = read(tmp_path, inputs, rule="cracks>0")
    assert page.order == ["ruled", "wide", "longer", "thin", "pore", "hard", "clean"]
    assert page.raw.count('class="met"') == 1 and "1 picture meets the rule cracks>0" in page.words
    assert "Those that meet the rule first" in page.words and "since pores and holes look like that" in page.words
    assert "7.00 of what may be a pore or a hole" in page.words and "9.00 px of what may be a pore" in page.words
    plain = read(tmp_path, [e for e in inputs if e["folder"] not in ("pore", "ruled")])
    assert "the rule" not in plain.words and "pores" not in plain.words


def test_pixels_and_millimetres_are_never_added(tmp_path):
    inputs = [
        done("a", width=3.0, length=100.0), done("b", width=0.2, length=10.0, mm=0.1), done("c", width=0.3, length=20.0, mm=0.25),
    ]  # fmt: skip
    page = read(tmp_path, inputs)
    assert page.order == ["c", "b", "a"]
    for words in (
        "0.30 ± 0.10 mm greatest width (c.jpg) with a scale", "30.0 mm length of all cracks together, in the 2 pictures with a scale",
        "3.00 ± 0.10 px greatest width (a.jpg) without a scale", "100 px length of all cracks together, in the 1 picture without",
        "2 pictures with a scale", "1 picture without a scale, in pixels", "2 pictures0.1 to 0.25 mm per pixel",
        "1 picturelengths in pixels: no scale was given",
    ):  # fmt: skip
        assert words in page.words, words
    assert "130" not in page.words
    assert " px " not in read(tmp_path, inputs[1:]).words.replace("1,000 × 1,000 px", "").replace("mm per px", "")


def test_the_first_stage_alone_gives_suspicions_and_no_zeros(tmp_path):
    page = read(tmp_path, [suspected("a", 0.9), suspected("b", 0.25)], measured=False)
    assert page.order == ["b", "a"] and "42.5 % of the area suspected" in page.words and "75.0 %" in page.words
    assert "cracks found" not in page.words and "Greatest width" not in page.words and "None" not in page.raw
    assert "All pictures: Only the first stage was run." in page.words


def test_hostile_names_are_text_and_links_lead_to_the_folders(tmp_path):
    wild = ['a"><script>x()</script>', "50 % #1?b&c", "Brücke", "javascript:alert(1)", "it's {{ 7 * 7 }}"]
    inputs = [done(name.replace("/", "")) for name in wild] + [failed("<img src=x>", "<b>no</b> &amp;")]
    page = read(tmp_path, inputs)
    assert not page.all("script") and not page.all("link") and not page.all("img") and "{{ 7 * 7 }}" in page.text
    links = [a["href"] for a in page.all("a") if a["href"].endswith("report.html")]
    assert sorted(unquote(href) for href in links) == sorted(f"{e['folder']}/report.html" for e in inputs[:-1])
    assert all(re.fullmatch(r"[A-Za-z0-9_.~%-]+/report\.html", href) for href in links)
    assert "<b>no</b> &amp;" in page.text and "<img src=x>.jpg" in page.text
    assert not [name for _, found in page.seen for name in found if name.startswith("on")]
    assert not re.search(r"https?://|url\(|@import", page.raw) and "default-src 'none'" in page.raw


def test_warnings_of_one_kind_stand_once_with_their_pictures(tmp_path):
    blurred = "{} % of the area is too blurred to judge."
    inputs = [
        done("a", warnings=[blurred.format(12)]),
        done("b", warnings=[blurred.format(80), "Only page 1 of 2."]),
        done("c"),
    ]
    page = read(tmp_path, inputs)
    assert (
        "1: 2 picturesa.jpg and others: 12 % of the area" in page.words and "2: 1 pictureb.jpg: Only page" in page.words
    )
    assert "2 pictures with warnings" in page.words
    marks = [re.findall(r"#warning-(\d)", row) for row in re.findall(r"<tr><td.*?</tr>", page.raw, re.S)]
    assert marks == [["1"], ["1", "2"], []] and page.raw.count('id="warning-1"') == 1
    of_all = read(tmp_path, [{**e, "warnings": ["Widths are bounds."]} for e in inputs])
    assert "All pictures: Widths are bounds." in of_all.words and "#warning" not in of_all.raw


def test_classes_of_width_are_counted_over_all_pictures(tmp_path):
    names = {
        "width_class": "over 0.3 mm: beyond",
        "width_class_at_least": "up to 0.3 mm",
        "width_class_at_most": "over 0.3 mm: beyond",
    }
    a = done("a", width=0.4, mm=0.1, cracks=3, cracks_by_width_class={"up to 0.3 mm": 2, "over 0.3 mm: beyond": 1})
    a["cracks_certain_by_width_class"] = {"up to 0.3 mm": 2, "over 0.3 mm: beyond": 0}
    a["worst"] |= names
    b = done("b", width=0.2, mm=0.1, cracks_by_width_class={"up to 0.3 mm": 1, "over 0.3 mm: beyond": 0})
    b["cracks_certain_by_width_class"] = {"up to 0.3 mm": 1, "over 0.3 mm: beyond": 0}
    page = read(tmp_path, [a, b, done("c", width=3.0)], classes="mine")
    assert (
        "Class of width (mine), known in 2 of 3 pictures" in page.words
        and "over 0.3 mm (up to 0.3 mm to over 0.3 mm)" in page.words
    )
    rows = re.findall(r'<tr><th scope="row">(.*? 0\.3 mm.*?)</th><td>(\d)</td><td>(\d)</td><td>(\d)</td>', page.raw)
    assert rows == [("up to 0.3 mm", "3", "3", "2"), ("over 0.3 mm: beyond", "1", "0", "1")]
    assert "Of these certain" in page.words and "may belong to a lower one" in page.words
    assert page.raw.count('<th scope="col">Class</th>') == 1  # not in the table in pixels


def test_a_thousand_rough_previews_make_a_page_of_less_than_16_megabytes(tmp_path):
    result, _ = scanned(700, 900)
    result.thumb = np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)
    (tmp_path / "one").mkdir()
    write_preview(tmp_path / "one" / PREVIEW, result, surface()[2])
    assert (tmp_path / "one" / PREVIEW).stat().st_size < 10_000
    inputs = [{**done("one", width=1.0), "input": f"site/{k}.jpg"} for k in range(20)]
    page = read(tmp_path, inputs)
    assert len(page.all("img")) == 20 and all(a["src"].startswith("data:image/jpeg;base64,") for a in page.all("img"))
    head = len(read(tmp_path, inputs[:1]).raw)
    assert 1000 / 19 * (len(page.raw) - head) < 16e6
    (tmp_path / "one" / PREVIEW).unlink()
    assert not read(tmp_path, inputs).all("img")


def test_a_preview_is_small_and_shows_cracks_and_joints(tmp_path):
    grey, mask, cracks = surface()
    result = scanned(mask=mask)[0]
    result.thumb = grey
    write_preview(tmp_path / "p.jpg", result, cracks)
    made = np.asarray(Image.open(tmp_path / "p.jpg")).astype(int)
    assert made.shape == (84, 128, 3)
    for crack in cracks:
        x, y = crack.paths_px[0][len(crack.paths_px[0]) // 2] / 5
        around = made[int(y) - 1 : int(y) + 3, int(x) - 1 : int(x) + 3].reshape(-1, 3)
        redness = (around[:, 0] - around[:, 1]).max()
        assert (redness > 60) == (crack.kind == "crack") and ((around[:, 1] - around[:, 0]).max() > 20) == (
            crack.kind == "joint"
        )
    write_preview(tmp_path / "q.jpg", result, measured=False)
    assert not np.array_equal(made, np.asarray(Image.open(tmp_path / "q.jpg")))


@pytest.mark.parametrize("count", [1, 12])
def test_pictures_of_one_name_are_told_apart_and_folders_are_named(tmp_path, count):
    inputs = [{**done(f"f{k}"), "input": f"site/f{k}/a.jpg"} for k in range(count)]
    assert names(inputs) == (["a.jpg"] if count == 1 else [e["input"] for e in inputs])
    page = read(tmp_path, inputs)
    assert ("From site/f0 Summary" if count == 1 else "site/f7 (1), 4 more folders") in page.words
