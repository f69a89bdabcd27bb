"""Binary segmentation networks in .aoie files: PyTorch's numbers, no seams, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from aoienet import weights
from aoienet.engine import Model
from aoienet.segment import SegmentError, load, picture


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A network with random statistics, and its file."""
    torch = pytest.importorskip("torch")
    from aoienet.deploy import segment
    from aoienet.models.segment import BinaryUNet

    torch.manual_seed(0)
    net = BinaryUNet()
    net.train()(torch.randint(-127, 128, (4, 1, 128, 128)).float())
    path = tmp_path_factory.mktemp("aoie") / "net.aoie"
    segment.pack(
        net.eval(), path, "binary", 0.3, {"kind": "standardize", "window_px": 65, "eps_levels": 2.0, "scale": 32.0}
    )
    return net, load(path), path


def image(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.integers(0, 60, (height, width)) + np.linspace(0, 190, width)).astype(np.uint8)


def test_the_packed_network_gives_the_numbers_of_pytorch(pair):
    import torch

    from aoienet.data.transform import standardize

    net, segmenter, _ = pair
    pixels = image(352, 400)
    x = torch.from_numpy(standardize(pixels, 65)[None, None].astype(np.float32))
    with torch.no_grad():
        expected = net(x).sigmoid()[0, 0].numpy()
    assert expected.std() > 0.1
    np.testing.assert_allclose(segmenter(pixels), expected[160:-160, 160:-160], atol=1e-4)


def test_every_layer_is_that_of_pytorch(pair):
    from aoienet.deploy import verify

    net, _, path = pair
    model = Model.open(path)
    assert {"upadd2", "conv_bits"} < {entry["op"] for entry in model.header["graph"]}
    result = verify.verify(net.binary, model.header, model.trace, [image(100, 84)])
    assert result.passed, result.first_difference


def test_the_file_says_how_it_is_run(pair):
    segmenter = pair[1]
    assert (segmenter.name, segmenter.channels, segmenter.align_px, segmenter.halo_px) == ("binary", 1, 16, 160)
    assert segmenter.threshold == pytest.approx(0.3)


@pytest.mark.parametrize("size", [(131, 97), (6, 300), (1, 1)])
@pytest.mark.parametrize("tile_px", [32, 500])
def test_tiles_give_the_mask_of_the_whole_picture_bit_by_bit(pair, size, tile_px):
    segmenter, pixels = pair[1], image(*size)
    halo, (h, w) = segmenter.halo_px, size
    wide = np.pad(pixels, [(halo, halo + -h % 16), (halo, halo + -w % 16)], mode="symmetric")
    whole = segmenter(wide)[:h, :w]
    np.testing.assert_array_equal(picture(segmenter, pixels, tile_px), whole)


def test_classifiers_are_refused():
    for name in weights.names():
        if not name.startswith("segment_"):
            with pytest.raises(SegmentError, match="it classifies, use it as the first stage"):
                load(weights.FOLDER / f"{name}.aoie")


def test_broken_files_are_refused(tmp_path):
    (tmp_path / "a.aoie").write_bytes(b"not a model")
    for name in ("a", "none"):
        with pytest.raises(SegmentError, match=re.escape(str(tmp_path / name))):
            load(tmp_path / f"{name}.aoie")


def test_pictures_of_the_wrong_kind_are_refused(pair):
    with pytest.raises(SegmentError, match=r"takes uint8 \[H, W\]; received"):
        pair[1](np.zeros((8, 8, 3), np.uint8))
