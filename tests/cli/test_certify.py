"""certify: counts missed cracks by photograph with a shipped model and writes them into the file and its card."""

import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from aoienet import weights
from aoienet.cli import app
from aoienet.cli._cascade import Request, open_stages
from aoienet.data.datasets import crack_blocks
from aoienet.deploy import format as aoie
from aoienet.engine import Model
from aoienet.familiar import Familiar
from aoienet.report.words import promise
from aoienet.segment import load


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def block_set(tmp_path_factory):
    """Two photographs: one with a dark crack, cut into two pictures; one whose mask says crack where nothing is."""
    return drawn_set(tmp_path_factory.mktemp("set"), 0)


@pytest.fixture(scope="module")
def other_set(tmp_path_factory):
    """The same on other ground."""
    return drawn_set(tmp_path_factory.mktemp("other"), 7)


def drawn_set(root, seed):
    for part in ("test_img", "test_lab"):
        (root / part).mkdir()
    rng = np.random.default_rng(seed)
    for name, drawn in (("a-1", True), ("a-2", True), ("b", False)):
        image = Image.fromarray(np.clip(rng.normal(150, 4, (256, 256)), 0, 255).astype(np.uint8))
        mask = Image.new("L", image.size)
        line = [(10, 20), (90, 110), (130, 120), (240, 235)]
        ImageDraw.Draw(mask).line(line, 255, 5)
        if drawn:
            ImageDraw.Draw(image).line(line, 60, 5)
        image.convert("RGB").save(root / "test_img" / f"{name}.jpg", quality=95)
        mask.save(root / "test_lab" / f"{name}.png")
    return root


def test_the_file_and_its_card_say_what_the_threshold_misses(block_set, tmp_path):
    path = weights.locate("crack_blocks")
    answer = call("certify", "crack_blocks", "--data", block_set, "-o", tmp_path / "mine.aoie")
    assert answer.exit_code == 0, answer.output
    found = Model.open(tmp_path / "mine.aoie").header["meta"]["certificate"]
    assert (found["photographs"], found["cracks"], found["cracks_missed"]) == (2, 3, 1)
    assert found["photographs_without_any_crack_found"] == 1
    followed = found["followed"]
    assert (followed["second_stage"], followed["cracks"], followed["cracks_missed"]) == ("binary", 3, 1)
    (old, old_tensors), (new, new_tensors) = aoie.read(path), aoie.read(tmp_path / "mine.aoie")
    assert found["threshold"] == old["scan"]["threshold"] == new["scan"]["threshold"]
    assert all(np.array_equal(old_tensors[name], new_tensors[name]) for name in old_tensors | new_tensors)
    text = (tmp_path / "mine.md").read_text()
    assert Model.open(tmp_path / "mine.aoie").sha256 in text and "2 of 3" in text and "a crack missed: 1 of 2" in text
    assert text.count("Certificate of the threshold") == 1 and "second stage `binary`" in text


def test_a_report_quotes_the_count_of_the_second_stage_that_scanned(block_set, tmp_path):
    for segmenter, quoted in (("binary", True), ("none", False)):
        mine = tmp_path / f"{segmenter}.aoie"
        assert call("certify", "crack_blocks", "--data", block_set, "--segmenter", segmenter, "-o", mine).exit_code == 0
        assert ("followed" in Model.open(mine).header["meta"]["certificate"]) == quoted
        assert ("followed" in open_stages(Request(str(mine))).certificate) == quoted
    mine = str(tmp_path / "binary.aoie")
    for request in (Request(mine, segmenter=None), Request(mine, segmenter="light")):
        certificate = open_stages(request).certificate
        assert certificate["cracks"] == 3 and "followed" not in certificate
        assert "What the first stage may miss" in promise(certificate, 0.0, None)
    assert "looked at by the second" in promise(open_stages(Request(mine)).certificate, 0.0, None)
    own = certificate["threshold"]
    other, same = (open_stages(Request(mine, threshold=level)) for level in (own + 1, own))
    assert (other.certificate, other.set_aside) == ({}, own) and (same.certificate["cracks"], same.set_aside) == (
        3,
        None,
    )
    answer = call("certify", "crack_blocks", "--data", block_set, "--segmenter", "lite", "-o", tmp_path / "x.aoie")
    assert answer.exit_code == 1 and "unknown segmentation network 'lite'" in answer.output


def test_a_threshold_chosen_anew(block_set, other_set, tmp_path):
    """On photographs with one crack that cannot be seen, all of the length needs a threshold that passes on everything there."""
    thresholds = []
    for keep in (0.5, 1):
        words = ("--keep", keep, "--choose-on", other_set)
        answer = call("certify", "crack_blocks", "--data", block_set, *words, "-o", tmp_path / "mine.aoie")
        assert answer.exit_code == 0, answer.output
        header = Model.open(tmp_path / "mine.aoie").header
        thresholds.append(header["scan"]["threshold"])
        found = header["meta"]["certificate"]
        assert found["threshold"] == thresholds[-1] and found["length_passed_on"] >= keep - 0.1  # of another ground
        text = (tmp_path / "mine.md").read_text()
        assert (
            f"threshold {thresholds[-1]:.3f} (log-odds): the largest that passes on {100 * keep:g} % of the length"
            in text
        )
    assert thresholds[0] > thresholds[1] and found["cracks_missed"] == 0
    answer = call("certify", "crack_blocks", "--data", block_set, "--keep", 0.9, "-o", tmp_path / "x.aoie")
    assert answer.exit_code == 1 and "go together" in answer.output
    answer = call(
        "certify", "crack_blocks", "--data", block_set, "--keep", 2, "--choose-on", block_set, "-o", tmp_path / "x.aoie"
    )
    assert answer.exit_code == 1 and "at most 1" in answer.output and not (tmp_path / "x.aoie").exists()


def test_photographs_that_choose_a_threshold_must_not_test_it(block_set, tmp_path):
    """The certificate would say that they did not choose it."""
    words = ("--data", block_set, "--keep", 0.9, "--choose-on", block_set, "-o", tmp_path / "x.aoie")
    answer = call("certify", "crack_blocks", *words)
    assert answer.exit_code == 1 and "3 pictures of" in answer.output and "must not test it" in answer.output
    assert not (tmp_path / "x.aoie").exists()


@pytest.fixture(scope="module")
def all_sets(block_set, tmp_path_factory):
    """The folder of all block sets: both masked ones, a few bricks, clean photographs."""
    root = tmp_path_factory.mktemp("all")
    rng = np.random.default_rng(1)

    def save(path, shape=(256, 256)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(rng.normal(130, 20, shape), 0, 255).astype(np.uint8)).save(path, quality=90)

    for source in ("deepcrack256", "crack500_256"):
        for part in ("test_img", "test_lab"):
            shutil.copytree(block_set / part, root / source / part)
        for k in range(12):
            save(root / source / "train_img" / f"t{source}{k}.jpg")
            (root / source / "train_lab").mkdir(exist_ok=True)
            Image.new("L", (256, 256)).save(root / source / "train_lab" / f"t{source}{k}.png")
    for k in range(0, 100, 10):
        save(root / "brick_crack227" / "negative" / f"{k}.jpg", (227, 227))
        save(root / "brick_crack227" / "positive" / f"{k}.jpg", (227, 227))
    for name in ("DJI_0020", "DJI_0027"):
        save(root / "large" / f"{name}.JPG", (300, 400))
    for part in ("train", "val"):
        save(root / "imagenette224" / part / "n1" / f"{part}.JPEG", (224, 260))
    return root


def test_the_folder_of_all_sets_gives_the_statistics_of_the_training_pictures_too(all_sets, tmp_path):
    bare = tmp_path / "bare.aoie"
    header, tensors = aoie.read(weights.locate("crack_blocks"))
    aoie.write(bare, header | {"meta": {k: v for k, v in header["meta"].items() if k != "familiar"}}, tensors)
    shutil.copy(weights.locate("crack_blocks").with_suffix(".md"), bare.with_suffix(".md"))
    answer = call("certify", bare, "--data", all_sets, "-o", tmp_path / "mine.aoie")
    assert answer.exit_code == 0, answer.output
    found, after = aoie.read(tmp_path / "mine.aoie")
    parts = crack_blocks.load(all_sets)
    assert parts.val and found["meta"]["familiar"] == crack_blocks.familiar(parts.train, parts.val, 64, 32)
    assert all(np.array_equal(tensors[name], after[name]) for name in tensors | after)
    assert "Unfamiliar is a block" in answer.output
    assert (tmp_path / "mine.md").read_text().count("Unfamiliar is a block") == 1
    known = open_stages(Request(str(tmp_path / "mine.aoie"), segmenter=None)).familiar
    assert known.limit == found["meta"]["familiar"]["limit"]
    assert open_stages(Request(str(bare), segmenter=None)).familiar is None


def test_a_file_with_wrong_statistics_is_refused_with_the_next_step(tmp_path):
    header, tensors = aoie.read(weights.locate("crack_blocks"))
    wrong = header["meta"]["familiar"] | {"around_px": 128}
    aoie.write(tmp_path / "wrong.aoie", header | {"meta": header["meta"] | {"familiar": wrong}}, tensors)
    answer = call("scan", tmp_path / "none.png", "--model", tmp_path / "wrong.aoie", "--out", tmp_path / "o")
    assert answer.exit_code == 1 and "received 128" in answer.output and "aoienet certify" in answer.output


def test_what_cannot_be_certified_says_so(block_set, tmp_path):
    answer = call("certify", "neu_cls", "--data", block_set, "-o", tmp_path / "x.aoie")
    assert answer.exit_code == 1 and "drops nothing" in answer.output
    answer = call("certify", "crack_blocks", "--data", tmp_path, "-o", tmp_path / "x.aoie")
    assert answer.exit_code == 1 and "block set" in answer.output and not (tmp_path / "x.aoie").exists()


@pytest.mark.parametrize(
    ("made", "answered"),
    [
        (lambda mask: mask.resize((64, 64)), "has the size of its picture"),
        (lambda mask: mask.point(lambda level: level // 255), "whose largest value is 1"),
        (lambda mask: Image.new("L", mask.size), "without any crack"),
    ],
)
def test_masks_that_cannot_be_counted_are_refused(block_set, tmp_path, made, answered):
    for part in ("test_img", "test_lab"):
        (tmp_path / part).mkdir()
    Image.open(block_set / "test_img" / "b.jpg").save(tmp_path / "test_img" / "b.PNG")  # other formats are read
    made(Image.open(block_set / "test_lab" / "b.png")).save(tmp_path / "test_lab" / "b.png")
    answer = call("certify", "crack_blocks", "--data", tmp_path, "-o", tmp_path / "x.aoie")
    assert answer.exit_code == 1 and not (tmp_path / "x.aoie").exists()
    assert answered in " ".join(answer.output.split()), answer.output


def test_shipped_scanning_models_carry_a_certificate_of_their_threshold_and_statistics():
    for name in ("crack_blocks", "crack_blocks_fast"):
        header = Model.open(weights.locate(name)).header
        found = header["meta"]["certificate"]
        assert found["threshold"] == header["scan"]["threshold"]
        assert found["followed"]["sha256"] == load("binary").sha256  # with the second stage that ships today
        known = Familiar.from_meta(header["meta"]["familiar"], 32, header["scan"]["halo_px"])
        assert known.around_px == 64 and header["meta"]["familiar"]["quantile"] == 0.995
