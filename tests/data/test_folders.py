"""Class folders: what is found, read, refused, grouped, split and reported."""

import numpy as np
import pytest
from PIL import Image

from aoienet.data.datasets import folders
from aoienet.scan.sources import open_source

SIZE = (40, 40)


def picture(seed: int, side: int = 40) -> np.ndarray:
    """Coarse random texture: no two seeds are alike."""
    coarse = np.random.default_rng(seed).integers(20, 236, (10, 10), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def save(path, image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path)


@pytest.fixture
def root(tmp_path):
    """Two classes, one with a space and letters beyond ASCII, of 20 and 10 pictures."""
    for i in range(30):
        save(tmp_path / "set" / ("good" if i < 20 else "Kratzer größer") / f"{i:02d}.png", picture(i))
    return tmp_path / "set"


def load(root, **options):
    return folders.load(root, 0, SIZE, folders.Options(**options))


# --- found, split, weighed --------------------------------------------------------------------------------------------


def test_classes_are_the_folder_names_and_the_split_is_stratified(root):
    data = load(root)
    assert data.classes == ("Kratzer größer", "good")
    assert data.images_NHW.shape == (30, 40, 40) and data.images_NHW.dtype == np.uint8
    assert data.report["counts"]["train"] == {"Kratzer größer": 7, "good": 14}
    assert data.report["counts"]["val"] == {"Kratzer größer": 1, "good": 2}
    assert data.report["counts"]["test"] == {"Kratzer größer": 2, "good": 4}
    assert data.report["layout"] == "classes" and not data.report["duplicates"]["groups"]


def test_the_split_depends_on_the_seed_alone(root):
    again = [folders.load(root, seed, SIZE) for seed in (0, 0, 1)]
    assert np.array_equal(again[0].part_N, again[1].part_N) and again[0].data_hash == again[1].data_hash
    assert not np.array_equal(again[0].part_N, again[2].part_N) and again[0].data_hash != again[2].data_hash


def test_weights_are_inverse_to_the_counts_with_mean_one():
    assert folders.balanced_weights([30, 10]) == pytest.approx([2 / 3, 2])
    assert folders.balanced_weights([7, 7, 7]) == [1, 1, 1]


def test_weights_can_be_switched_off(root):
    assert load(root).report["class_weights"] == pytest.approx({"Kratzer größer": 1.5, "good": 0.75})
    assert set(load(root, class_weights=False).report["class_weights"].values()) == {1.0}


def test_a_split_of_the_user_is_kept(tmp_path):
    for k, (part, count) in enumerate((("train", 4), ("val", 1), ("test", 2))):
        for c in "ab":
            for i in range(count):
                save(tmp_path / part / c / f"{i}.png", picture(100 * k + 10 * i + ord(c)))
    data = load(tmp_path)
    assert [len(data.indices(p)) for p in folders.PARTS] == [8, 2, 4] and data.report["layout"] == "parts"
    assert all(name.startswith(folders.PARTS[p] + "/") for name, p in zip(data.names, data.part_N, strict=True))
    assert "as given" in data.split


def test_hidden_files_other_files_and_pictures_outside_of_classes_are_passed_over(root):
    save(root / "good" / "._01.png", picture(90))
    save(root / ".thumbs" / "1.png", picture(91))
    save(root / "loose.png", picture(92))
    (root / "good" / "notes.txt").write_text("x")
    save(root / "good" / "deeper" / "01.PNG", picture(93))
    data = load(root)
    assert data.report["other_files"] == ["good/notes.txt", "loose.png"]
    assert "good/deeper/01.PNG" in data.names and len(data.names) == 31
    assert any("passed over" in line for line in data.report["summary"])


# --- duplicates -------------------------------------------------------------------------------------------------------


def test_near_duplicates_stay_in_one_part(root, tmp_path):
    for i in range(10):
        base = Image.fromarray(picture(i))
        base.resize((60, 60)).save(root / "good" / f"{i:02d}_large.png")
        base.point(lambda v: 0.8 * v + 20).save(root / "good" / f"{i:02d}_bright.jpg", quality=60)
    data = load(root)
    part = dict(zip(data.names, data.part_N.tolist(), strict=True))
    for i in range(10):
        names = [f"good/{i:02d}{end}" for end in (".png", "_large.png", "_bright.jpg")]
        assert len({part[n] for n in names}) == 1
    found = data.report["duplicates"]
    assert found["near_groups"] == 10 and found["groups_in_two_parts"] == 0 and found["largest_group"] == 3


def test_duplicates_over_the_user_s_parts_are_listed(tmp_path):
    for c in "ab":
        for i in range(4):
            save(tmp_path / "train" / c / f"{i}.png", picture(10 * i + ord(c)))
        save(tmp_path / "test" / c / "new.png", picture(500 + ord(c)))
    save(tmp_path / "test" / "a" / "again.bmp", picture(ord("a")))
    found = load(tmp_path).report["duplicates"]
    assert found["groups_in_two_parts"] == found["exact_groups"] == 1
    row = found["groups"][0]
    assert row["exact"] and row["parts"] == ["train", "test"] and row["classes"] == ["a"]
    assert {f["file"] for f in row["files"]} == {"train/a/0.png", "test/a/again.bmp"}
    assert any("two parts" in line for line in load(tmp_path).report["summary"])


def test_one_picture_in_two_classes_is_reported(root):
    save(root / "Kratzer größer" / "same.png", picture(3))
    data = load(root)
    assert data.report["duplicates"]["groups_in_two_classes"] == 1
    assert any("two classes" in line for line in data.report["summary"])


# --- reading ----------------------------------------------------------------------------------------------------------


def test_pixels_are_those_that_classify_reads(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    grey16 = np.random.default_rng(1).integers(0, 65536, (12, 20), dtype=np.uint16)
    made = {
        "grey.png": Image.fromarray(rgb[..., 0]),
        "rgb.png": Image.fromarray(rgb),
        "rgba.png": Image.fromarray(rgb).convert("RGBA"),
        "la.png": Image.fromarray(rgb[..., 0]).convert("LA"),
        "palette.png": Image.fromarray(rgb).quantize(32),
        "bits.png": Image.fromarray(rgb[..., 0]).convert("1"),
        "sixteen.png": Image.fromarray(grey16),
        "sixteen.tif": Image.fromarray(grey16),
        "cmyk.jpg": Image.fromarray(rgb).convert("CMYK"),
    }
    for name, image in made.items():
        image.save(tmp_path / name)
        with open_source(tmp_path / name) as source:
            assert np.array_equal(folders.read_picture(tmp_path / name)[0], source.read(0, source.height)), name


def test_the_camera_s_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(picture(0)[:, :24]).save(tmp_path / "turned.jpg", exif=exif)
    with open_source(tmp_path / "turned.jpg") as source:
        expected = source.read(0, source.height)
    assert expected.shape == (24, 40)
    assert np.array_equal(folders.read_picture(tmp_path / "turned.jpg")[0], expected)


def test_unreadable_pictures_are_left_out_and_listed(root):
    (root / "good" / "broken.png").write_bytes((root / "good" / "00.png").read_bytes()[:60])
    (root / "good" / "empty.jpg").write_bytes(b"")
    save(root / "good" / "small.png", picture(0)[:7])
    save(root / "good" / "float.tif", Image.fromarray(np.ones((20, 20), np.float32)))
    with pytest.raises(
        ValueError, match="broken.png cannot be read .*; 4 such pictures, and data.most_broken=3 may be left"
    ):
        load(root, most_broken=3)
    data = load(root, most_broken=4)
    reasons = {row["file"]: row["reason"] for row in data.report["unreadable"]}
    assert len(data.names) == 30 and len(reasons) == 4
    assert "8 px" in reasons["good/small.png"] and "40x7" in reasons["good/small.png"]
    assert "16 bits" in reasons["good/float.tif"]
    assert any("4 unreadable" in line for line in data.report["summary"])


# --- refused ----------------------------------------------------------------------------------------------------------


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="not a folder"):
        load(tmp_path / "nothing")


def test_no_class_folders_one_class_and_an_empty_class_are_refused(tmp_path, root):
    save(tmp_path / "loose" / "a.png", picture(0))
    with pytest.raises(ValueError, match="no class folders"):
        load(tmp_path / "loose")
    save(tmp_path / "one" / "a" / "a.png", picture(0))
    with pytest.raises(ValueError, match="two classes or more"):
        load(tmp_path / "one")
    (root / "empty class").mkdir()
    with pytest.raises(ValueError, match="without one .*'empty class'"):
        load(root)


def test_a_class_that_loses_all_its_pictures_is_refused(root):
    (root / "bad").mkdir()
    (root / "bad" / "1.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="'bad' lost all its pictures.*bad/1.png"):
        load(root)


def test_half_a_split_is_refused(tmp_path):
    for part in ("train", "valid", "test"):
        for c in "ab":
            save(tmp_path / part / c / "1.png", picture(0))
    with pytest.raises(ValueError, match="valid/"):
        load(tmp_path)
    for c in "ab":
        save(tmp_path / "half" / "train" / c / "1.png", picture(0))
    with pytest.raises(ValueError, match="train/ and test/"):
        load(tmp_path / "half")
    save(tmp_path / "half" / "test" / "c" / "1.png", picture(0))
    with pytest.raises(ValueError, match="that train/ has not: c"):
        load(tmp_path / "half")


def test_too_few_pictures_and_wrong_fractions_are_refused(tmp_path):
    for c in "ab":
        save(tmp_path / c / "1.png", picture(ord(c)))
    with pytest.raises(ValueError, match="test part is empty; 2 readable"):
        load(tmp_path)
    with pytest.raises(ValueError, match="val_fraction=0.5, test_fraction=0.5"):
        folders.Options(val_fraction=0.5, test_fraction=0.5)
