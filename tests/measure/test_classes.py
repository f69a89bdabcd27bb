"""Width classes: presets, own files, what the uncertainty leaves open, and files that are wrong."""

import json
import sys
from dataclasses import replace

import pytest

from aoienet.measure import Measured, Widths, classes


def widths(value_px: float, u_px: float, bound: bool = False) -> Widths:
    one = Measured(value_px, u_px)
    return Widths(one, one, one, one, bound)


@pytest.mark.parametrize("name", classes.presets())
def test_every_preset_loads_and_names_its_source(name):
    one = classes.load(name)
    assert one.name == name and one.title and len(one.source) > 20 and one.classes[0].from_mm == 0


def test_the_presets_are_those_of_the_guide():
    assert classes.presets() == ["aci224r", "ec2", "en10163", "osim"]


def test_a_width_between_the_limits_is_certain_and_one_at_a_limit_is_not():
    osim = classes.load("osim")
    sure = classes.classify(widths(5, 0.2), 0.1, osim)
    assert (sure.name, sure.certain) == ("medium", True)
    near = classes.classify(widths(3.1, 0.2), 0.1, osim)
    assert (near.name, near.at_least, near.at_most, near.certain) == ("medium", "narrow", "medium", False)


def test_an_upper_bound_may_belong_to_any_class_below():
    verdict = classes.classify(widths(2.5, 0.1, bound=True), 0.1, classes.load("osim"))
    assert (verdict.at_least, verdict.at_most) == ("hairline", "narrow")


def test_steel_needs_no_scale_and_concrete_does():
    assert classes.classify(widths(1, 1), None, classes.load("en10163")).name == "defect"
    with pytest.raises(classes.ClassesError, match="give a scale"):
        classes.classify(widths(1, 1), None, classes.load("ec2"))


def test_pixels_that_are_too_coarse_are_warned_of():
    ec2 = classes.load("ec2")
    assert classes.too_coarse(ec2, 0.05) is None
    assert "asks for 0.2 mm" in classes.too_coarse(ec2, 0.08)
    assert "0.2, 0.3, 0.4 mm" in classes.too_coarse(ec2, 0.5)


def test_the_pixel_that_would_do_is_one_that_is_not_warned_of():
    ec2 = classes.load("ec2")
    assert "; 0.0666 mm per px or less" in classes.too_coarse(ec2, 0.0667) and classes.too_coarse(ec2, 0.0666) is None
    osim = classes.load("osim")
    for k in range(1, 100):
        one = replace(osim, classes=(osim.classes[0], classes.WidthClass("wide", 3 * k / 10)))
        assert classes.too_coarse(one, k / 10) is None
        assert f"; {k / 10:g} mm per px or less" in classes.too_coarse(one, k / 10 + 0.01)


def test_own_files(tmp_path):
    data = {
        "name": "bridge",
        "width": "median",
        "classes": [{"name": "ok", "from_mm": 0}, {"name": "bad", "from_mm": 2}],
    }
    (tmp_path / "own.json").write_text(json.dumps(data))
    assert classes.classify(widths(30, 0.1), 0.1, classes.load(tmp_path / "own.json")).name == "bad"
    (tmp_path / "own.json").write_text(json.dumps(data), encoding="utf-8-sig")  # as Notepad writes it
    assert classes.load(tmp_path / "own.json").name == "bridge"
    text = 'name = "t"\n[[classes]]\nname = "a"\nfrom_mm = 0\n'
    (tmp_path / "own.toml").write_text(text)
    if sys.version_info >= (3, 11):
        assert classes.load(tmp_path / "own.toml").classes[0].name == "a"
    else:
        with pytest.raises(classes.ClassesError, match="write it as JSON|as JSON"):
            classes.load(tmp_path / "own.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "a list `classes`"),
        ('{"classes": []}', "a list `classes`"),
        ('{"classes": [{"name": "a", "from_mm": 0.1}]}', "must start at 0"),
        ('{"classes": [{"name": "a", "from_mm": 0}, {"name": "b", "from_mm": 0}]}', "grow"),
        ('{"classes": [{"name": "a", "from_mm": "0"}]}', "from_mm: number"),
        ('{"classes": [{"name": "a", "from_mm": NaN}]}', "from_mm: number"),
        ('{"classes": [{"name": "a", "from_mm": true}]}', "from_mm: number"),
        ('{"classes": [{"name": "a", "from_mm": 0}], "width": "p50"}', "received 'p50'"),
        ('{"classes": [{"name": "a", "from_mm": 0}], "limits": 1}', "unknown key 'limits'"),
        ('{"classes": [{"name": "a", "from_mm": 0}, {"name": "a", "from_mm": 1}]}', "a name of its own"),
        ('{"classes": [{"name": " ", "from_mm": 0}]}', "a name of its own"),
    ],
)
def test_a_wrong_file_is_refused_with_the_rule(tmp_path, text, words):
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(classes.ClassesError, match=words):
        classes.load(path)


def test_unknown_names_and_other_formats(tmp_path):
    with pytest.raises(classes.ClassesError, match="known: aci224r, ec2, en10163, osim"):
        classes.load("ec3")
    (tmp_path / "own.yaml").write_text("classes: []")
    with pytest.raises(classes.ClassesError, match=r"\.json or \.toml"):
        classes.load(tmp_path / "own.yaml")
