"""Foreign ONNX files: what is taken, what is measured, what is refused and how."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnx import TensorProto

from aoienet.segment import SegmentError, load, picture
from aoienet.segment.onnx import OnnxSegmenter, Options
from tests.segment.networks import unet

GREY = np.random.default_rng(0).integers(0, 256, (64, 80), np.uint8)
RGB = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
FOUR = Options(align_px=4)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_halo_is_measured(tmp_path):
    """A pixel at 4m sees the repeated cell m - 1, so the pixels 4 (m - 1) - 4 to the left: 8 px away, and no further."""
    assert OnnxSegmenter(unet(tmp_path / "n.onnx"), FOUR).halo_px == 8


def test_logits_and_probabilities_are_told_apart(tmp_path):
    logits = OnnxSegmenter(unet(tmp_path / "a.onnx"), FOUR)
    ready = OnnxSegmenter(unet(tmp_path / "b.onnx", end="Sigmoid"), FOUR)
    assert (logits.probability, ready.probability) == (False, True)
    np.testing.assert_allclose(logits(GREY), ready(GREY), atol=1e-6)


def test_two_channels_are_a_softmax(tmp_path):
    logits = OnnxSegmenter(unet(tmp_path / "a.onnx", out=2), FOUR)
    ready = OnnxSegmenter(unet(tmp_path / "b.onnx", out=2, end="Softmax"), FOUR)
    other = OnnxSegmenter(unet(tmp_path / "c.onnx", out=2), Options(align_px=4, crack_channel=0))
    assert (logits.probability, ready.probability) == (False, True)
    np.testing.assert_allclose(logits(GREY), ready(GREY), atol=1e-6)
    np.testing.assert_allclose(logits(GREY), 1 - other(GREY), atol=1e-6)


def test_colour_order_and_transform(tmp_path):
    path = unet(tmp_path / "a.onnx", channels=3)
    plain = OnnxSegmenter(path, FOUR)
    assert plain.channels == 3
    swapped = OnnxSegmenter(path, Options(align_px=4, bgr=True))
    np.testing.assert_array_equal(plain(RGB[:, :, ::-1]), swapped(RGB))
    dark = OnnxSegmenter(path, Options(align_px=4, mean=(10.0, 20.0, 30.0), std=(50.0, 60.0, 70.0)))
    assert np.abs(dark(RGB) - plain(RGB)).max() > 1e-3


def test_uint8_input_takes_the_pixels_as_they_are(tmp_path):
    raw = OnnxSegmenter(unet(tmp_path / "a.onnx", dtype=TensorProto.UINT8), FOUR)
    scaled = OnnxSegmenter(unet(tmp_path / "b.onnx"), FOUR)
    np.testing.assert_allclose(raw(GREY), scaled(GREY), atol=1e-6)


def test_options_from_metadata_and_from_the_file_beside(tmp_path):
    path = unet(tmp_path / "n.onnx", metadata=json.dumps({"align_px": 4, "threshold": 0.3, "name": "mine"}))
    segmenter = load(path)
    assert (segmenter.name, segmenter.threshold, segmenter.align_px) == ("mine", 0.3, 4)
    path.with_suffix(".json").write_text(json.dumps({"threshold": 0.7, "mean": [1.0]}))
    assert load(path).threshold == 0.7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must be an object"),
        ('{"treshold": 1}', "unknown option 'treshold'.*known: name, mean"),
        ('{"mean": ["a"]}', "option mean .* must be like"),
        ('{"align_px": 4.5}', "option align_px .* must be like 32; received 4.5"),
        ('{"bgr": 1}', "option bgr"),
        ('{"std": [0]}', "std: not 0"),
        ('{"mean": [1, 2]}', "mean is one finite number or one per channel, here 1"),
        ('{"threshold": 1.5}', "threshold in 0..1"),
        ('{"halo_px": 5}', "halo_px a multiple"),
        ('{"align_px": 0}', "align_px at least 1"),
        ('{"output": "odds"}', "output is one of auto, logits, probability"),
        ('{"output_name": "mask"}', "no output 'mask'; it has: map"),
    ],
)
def test_wrong_options_name_the_rule(tmp_path, text, message):
    path = unet(tmp_path / "n.onnx")
    path.with_suffix(".json").write_text(text)
    with pytest.raises(SegmentError, match=message):
        load(path)


def test_networks_that_cannot_be_used_are_refused(tmp_path):
    cases = [
        (unet(tmp_path / "a.onnx", channels=2), "with 1 or 3 channels"),
        (unet(tmp_path / "b.onnx", channels=3, channels_last=True), "channels last"),
        (unet(tmp_path / "c.onnx", out=3), "received the shape"),
        (unet(tmp_path / "d.onnx", keep_size=False), "received the shape"),
        (unet(tmp_path / "e.onnx", global_pool=True), "give halo_px"),
    ]
    for path, message in cases:
        with pytest.raises(SegmentError, match=message):
            load(path)
    accepted = OnnxSegmenter(cases[-1][0], Options(halo_px=64))
    assert picture(accepted, GREY).shape == GREY.shape


def test_files_that_are_no_networks(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"not a network")
    (tmp_path / "b.onnx").write_bytes(b"")
    cut = unet(tmp_path / "c.onnx").read_bytes()
    (tmp_path / "c.onnx").write_bytes(cut[: len(cut) // 2])
    for name in "abc":
        with pytest.raises(SegmentError, match="not an ONNX file"):
            load(tmp_path / f"{name}.onnx")
    with pytest.raises(SegmentError, match="cannot open .*No such file"):
        load(tmp_path / "none.onnx")
    with pytest.raises(SegmentError, match="unknown segmentation network 'ligth'; known: light"):
        load("ligth")


def test_pictures_of_the_wrong_kind_are_refused(tmp_path):
    segmenter = OnnxSegmenter(unet(tmp_path / "n.onnx"), FOUR)
    for wrong in (RGB, GREY.astype(np.float32), GREY[:0], GREY[:, :, None]):
        with pytest.raises(SegmentError, match=r"takes uint8 \[H, W\]; received"):
            segmenter(wrong)


def test_a_size_that_the_network_does_not_take(tmp_path):
    with pytest.raises(SegmentError, match="align_px"):
        load(unet(tmp_path / "n.onnx")) and OnnxSegmenter(tmp_path / "n.onnx", Options(align_px=3))


def test_calls_from_several_threads_agree(tmp_path):
    segmenter = OnnxSegmenter(unet(tmp_path / "n.onnx"), FOUR)
    images = [np.roll(GREY, k, axis=1) for k in range(16)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(segmenter, images))
    for image, probability in zip(images, found, strict=True):
        np.testing.assert_array_equal(probability, segmenter(image))


def test_the_shipped_network_runs_without_pytorch(tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from aoienet.segment import load, picture\n"
        "s = load('light')\n"
        "p = picture(s, np.zeros((70, 90), np.uint8) if s.channels == 1 else np.zeros((70, 90, 3), np.uint8))\n"
        "assert p.shape == (70, 90) and np.isfinite(p).all()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
