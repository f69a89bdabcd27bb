"""report.html: one file, no network, nothing run, hostile names harmless; the numbers and the geometry are right."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.report.cracks import HEIGHT, WIDTH, scanned, surface
from tests.report.reader import Reader

from aoienet.measure.classes import load
from aoienet.report import page as pages
from aoienet.report import words
from aoienet.report.page import Page, write_page
from aoienet.report.records import Scale, place_of
from aoienet.scan.sources import open_source


def page(name, cracks, *, scale=None, height=HEIGHT, width=WIDTH, mask=None, **changes):
    result, looked = scanned(height, width, mask)
    made = Page(
        name, width, height, result.thumb, result.factor, ~looked, np.zeros_like(looked), 32, cracks, scale or Scale(None, "no scale was given"),
        place_of(None), 1 - looked.mean(), [("File", name)], [("Name", "toy")], [], "", [("Threshold", "0.5")],
    )  # fmt: skip
    return replace(made, **changes)


def read(folder, made):
    path = folder / "source.tif"
    grey = (
        surface()[0] if (made.height, made.width) == (HEIGHT, WIDTH) else np.zeros((made.height, made.width), np.uint8)
    )
    tifffile.imwrite(path, grey, tile=(64, 64))
    with open_source(path, 3) as source:
        write_page(folder / "report.html", made, source)
    reader = Reader()
    reader.raw = (folder / "report.html").read_text(encoding="utf-8")
    reader.feed(reader.raw)
    assert reader.stack == []
    return reader


@pytest.mark.parametrize("count", [0, 1, 3, 300])
def test_the_page_is_whole_and_asks_for_nothing_outside(tmp_path, count):
    cracks = [replace(surface()[2][1 + i % 2], id=i + 1) for i in range(count)]
    made = read(tmp_path, page("wall.tif", cracks, mask=surface()[1]))
    assert not made.all("script") and not made.all("link") and not made.all("img")
    for tag, attributes in made.seen:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
        if "href" in attributes:
            assert attributes["href"].startswith(("data:image/jpeg;base64,", "#")), (tag, attributes["href"][:40])
    assert not re.search(r"https?://|url\(|@import", made.raw)
    assert f"{count} {'crack' if count == 1 else 'cracks'} found" in " ".join(made.text.split())
    assert len(made.all("article")) == min(count, pages.CROPS) and made.text.count("Greatest width (px)") == (count > 0)


def test_a_random_sample_of_what_was_not_looked_at_is_shown(tmp_path):
    looked = np.zeros((14, 20), bool)
    looked[:, :12] = True
    looked[6, 16] = True
    made = read(tmp_path, page("wall.tif", [], clean_HW=~looked, seed="12ab" * 16))
    places = [(int(x), int(y)) for x, y in re.findall(r"not looked at, from x (\d+), y (\d+)", made.raw)]
    assert 5 < len(places) <= 24 and places == sorted(set(places), key=lambda p: (p[1], p[0]))
    for x, y in places:
        assert not looked[y // 32 : y // 32 + 3, x // 32 : x // 32 + 3].any() and x + 96 <= WIDTH and y + 96 <= HEIGHT
    parts = re.findall(r'<figure><svg viewBox="0 0 96 96".*?base64,(.*?)"', made.raw)
    for (x, y), data in zip(places, parts, strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)
        assert np.abs(pixels[..., 0] - surface()[0][y : y + 96, x : x + 96]).mean() < 6  # JPEG
    again = read(tmp_path, page("wall.tif", [], clean_HW=~looked, seed="12ab" * 16)).raw
    other = read(tmp_path, page("wall.tif", [], clean_HW=np.ones_like(looked), seed="77" * 32)).raw
    assert again == made.raw and other.count("not looked at, from x") == 24
    assert "not looked at, from x" not in read(tmp_path, page("wall.tif", [], clean_HW=np.zeros_like(looked))).raw


def test_what_is_hardly_longer_than_wide_comes_last_and_is_said_to_be_a_pore_perhaps(tmp_path):
    _, crack, short = surface()[2]
    widths = replace(short.widths, max=replace(short.widths.max, value_px=40.0))
    pore = replace(short, length_px=60.0, widths=widths)
    made = read(tmp_path, page("wall.tif", [crack, pore], mask=surface()[1]))
    first, second = re.findall(r"<h3>(.*?)</h3>", made.raw)
    assert (
        first == f"Crack {crack.id}" and second.startswith(f"Crack {pore.id} ") and "may be a pore or a hole" in second
    )
    text = " ".join(made.text.split())
    assert f"px greatest width (crack {pore.id}, which may be a pore or a hole; of the longer ones: " in text
    assert f"px, crack {crack.id})" in text and "1 of 2 that is less than three times" in text
    assert "pore" not in read(tmp_path, page("wall.tif", [crack], mask=surface()[1])).text


def test_wide_tables_scroll_and_classes_wrap(tmp_path):
    made = read(tmp_path, page("wall.tif", surface()[2], scale=Scale(0.1, "x", load("ec2")), mask=surface()[1]))
    assert "beyond" in made.text
    (table,) = re.findall(r'<div class="scroll">\s*<table class="number">.*?</table>\s*</div>', made.raw, re.S)
    assert table.count('<td class="class">') == 2
    assert ".scroll { overflow-x: auto; }" in made.raw and ".number td.class { white-space: normal;" in made.raw


def test_every_picture_has_a_text_and_every_reference_a_target(tmp_path):
    made = read(tmp_path, page("wall.tif", surface()[2], mask=surface()[1]))
    for attributes in made.all("svg"):
        assert attributes["role"] == "img" and len(attributes["aria-label"]) > 10
    ids = [attributes["id"] for _, attributes in made.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in made.seen:
        target = attributes.get("href", "") if attributes.get("href", "").startswith("#") else ""
        assert not target or target[1:] in ids
        assert "aria-labelledby" not in attributes or attributes["aria-labelledby"] in ids


def test_joints_are_counted_and_drawn_apart_from_cracks(tmp_path):
    made = read(tmp_path, page("wall.tif", surface()[2], mask=surface()[1]))
    text = " ".join(made.text.split())
    assert "2 cracks found" in text and re.search(r"1 joint, 33\d px together", text)
    classes = [attributes.get("class") for attributes in made.all("path")]
    assert classes.count("joint") == 1 and [a["class"] for a in made.all("use") if "class" in a].count("crack") == 2
    assert len(made.all("article")) == 2 and len(re.findall(r"<tr><th scope=\"row\">\d+</th>", made.raw)) == 2
    joints = read(tmp_path, page("wall.tif", surface()[2][:1], mask=surface()[1]))
    assert "0 cracks found" in " ".join(joints.text.split()) and "a straight crack may be among them" in joints.text
    assert ' class="joint"' not in read(tmp_path, page("wall.tif", surface()[2][1:], mask=surface()[1])).raw


def test_a_hostile_name_is_text(tmp_path):
    name = '"><script>alert(1)</script>&.tif'
    made = read(tmp_path, page(name, [], warnings=["<b>bold</b>"]))
    assert (
        not made.all("script") and not made.all("b")[2:] and made.text.count(name) >= 2 and "<b>bold</b>" in made.text
    )


def test_numbers_have_their_unit_and_uncertainty(tmp_path):
    cracks = surface()[2]
    widest = min((c for c in cracks if c.kind == "crack"), key=pages.severity)
    made = read(tmp_path, page("wall.tif", cracks, scale=Scale(0.5, "--mm-per-px"), mask=surface()[1]))
    text = " ".join(made.text.split())
    width, u = 0.5 * widest.widths.max.value_px, 0.5 * widest.widths.max.u_px
    shown = re.search(r"([\d.]+) ± ([\d.]+) mm greatest width \(crack (\d+)\)", text)
    assert int(shown[3]) == widest.id
    assert float(shown[1]) == pytest.approx(width, abs=u) and float(shown[2]) == pytest.approx(u, rel=0.05)
    assert "One pixel is 0.5 mm (--mm-per-px)." in text


def test_every_width_that_is_only_a_bound_says_so(tmp_path):
    crack = surface()[2][1]
    for bound in (True, False):
        one = replace(crack, widths=replace(crack.widths, upper_bound=bound))
        text = " ".join(read(tmp_path, page("wall.tif", [one], mask=surface()[1])).text.split())
        number = r"[\d.]+ ± [\d.]+"
        word = "at most " if bound else ""
        assert re.search(rf"Greatest width ?{word}{number}", text), text
        assert re.search(rf"Mean, 95th percentile ?{word}{number}, {word}{number} px", text), text


@pytest.mark.parametrize(
    ("value", "u", "text"),
    [(1.23456, 0.0312, "1.235 ± 0.031"), (1200.7, 15.2, "1201 ± 15"), (5.0, 0.0, "5.00"), (None, 1.0, "unknown"), (12.3, None, "12.3 ± unknown")],
)  # fmt: skip
def test_uncertainties_have_two_digits(value, u, text):
    assert words.measured(value, u) == text


def test_the_map_shades_exactly_what_was_not_looked_at(tmp_path):
    from PIL import ImageDraw

    made = page("wall.tif", [], mask=surface()[1])
    reader = read(tmp_path, made)
    path = next(a["d"] for a in reader.all("path") if a.get("class") == "blank")
    image = Image.new("1", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    for x, y, w, h in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-\d+z", path):
        draw.rectangle((int(x), int(y), int(x) + int(w) - 1, int(y) + int(h) - 1), fill=1)
    want = np.kron(made.clean_HW, np.ones((32, 32), bool))[:HEIGHT, :WIDTH]
    np.testing.assert_array_equal(np.asarray(image), want)


def test_the_map_shades_what_is_unlike_the_training_pictures_and_the_key_says_so(tmp_path):
    made = page("wall.tif", [])
    strange = np.zeros(made.clean_HW.shape, bool)
    strange[2:4, 3:7] = True
    reader = read(tmp_path, replace(made, unfamiliar_HW=strange, clean_HW=made.clean_HW & ~strange))
    assert [a["d"] for a in reader.all("path") if a.get("class") == "strange"] == ["M96 64h128v64h-128z"]
    assert "unlike the training pictures" in reader.text
    assert "unlike the training pictures" not in read(tmp_path, made).text


def test_a_crop_holds_the_pixels_around_the_crack(tmp_path):
    grey, mask, cracks = surface()
    reader = read(tmp_path, page("wall.tif", cracks[2:], mask=mask))
    x, y, w, h = (int(v) for v in reader.all("svg")[1]["viewbox"].split())
    image = next(a for a in reader.all("image") if a.get("id") == f"crop{cracks[2].id}")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(image["href"].split(",")[1]))))
    assert pixels.shape[:2] == (h, w)
    assert np.abs(pixels[..., 0].astype(int) - grey[y : y + h, x : x + w]).mean() < 4


@pytest.mark.parametrize(("height", "width"), [(6400, 420), (420, 6400)])
def test_a_long_strip_is_shown_in_pieces_that_cover_it(tmp_path, height, width):
    reader = read(tmp_path, page("strip.tif", [], height=height, width=width))
    boxes = [[int(v) for v in a["viewbox"].split()] for a in reader.all("svg") if "style" in a]
    assert len(boxes) > 3 and sum(w * h for _, _, w, h in boxes) == height * width
    assert all(max(w, h) <= pages.LONG_STRIP * min(w, h) for _, _, w, h in boxes)


def test_lines_and_numbers_of_a_tall_strip_are_drawn_larger_since_its_pieces_are_shown_smaller(tmp_path):
    sizes = {}
    for name, height, width in (("tall", 4000, 500), ("wide", 500, 4000)):
        made = read(tmp_path, page(name, [], height=height, width=width))
        maps = [a for a in made.all("svg") if "style" in a]
        spans = [max(map(int, a["viewbox"].split()[2:])) for a in maps]
        thin = [float(a["style"].removeprefix("--thin: ")) for a in maps]
        sizes[name] = thin[0] / spans[0]
    assert sizes["tall"] == pytest.approx(2 * sizes["wide"], rel=0.01)


def test_the_number_of_a_crack_at_the_right_edge_is_inside_of_the_map(tmp_path):
    short = replace(surface()[2][2], id=1234, box_px=(WIDTH - 12, 100, WIDTH, 130))
    made = read(tmp_path, page("wall.tif", [short], mask=surface()[1]))
    (text,) = made.all("text")
    assert float(text["x"]) + 4 * 0.6 * float(text["font-size"]) < WIDTH


def test_a_large_crack_is_shown_from_the_small_picture(tmp_path):
    crack = replace(surface()[2][1], box_px=(0, 0, 3000, 2000))
    result, looked = scanned(2000, 3000, factor=4)
    made = replace(page("big.tif", [crack], height=2000, width=3000), thumb=result.thumb, factor=4, clean_HW=~looked)
    reader = read(tmp_path, made)
    assert reader.all("svg")[1]["viewbox"] == "0 0 3000 2000" and "Shown 8 times smaller." in reader.text


def test_a_missing_certificate_is_said_and_one_that_was_set_aside_for_another_threshold(tmp_path):
    missing, other = words.promise({}, 1.0, None), words.promise({}, 1.0, 0.3)
    assert "carries no certificate" in missing and "is for threshold 0.3; this scan used 1, so no share" in other
    for text in (missing, other):
        assert f'<p class="warn">{text}</p>' in read(tmp_path, page("a.tif", [], promise=text)).raw
    assert "<p>held</p>" in read(tmp_path, page("a.tif", [], certificate=[("n", "59")], promise="held")).raw


def test_colors_have_contrast_and_paper_is_a4(tmp_path):
    raw = read(tmp_path, page("a.tif", [])).raw
    assert "size: A4" in raw

    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        return sum(
            w * (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4)
            for w, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )

    for name in ("ink", "soft", "crack", "joint"):
        color = re.search(rf"--{name}: (#[0-9a-f]{{6}})", raw)[1]
        assert 1.05 / (luminance(color) + 0.05) >= 4.5  # WCAG 2.1, 1.4.3
