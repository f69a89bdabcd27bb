"""What the tests of several verbs share: a small real model file and generated pictures."""

import contextlib

import numpy as np
import pytest
from PIL import Image
from tests.deploy import tiny_models

from aoienet.deploy import format as aoie


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "toy.aoie"
    aoie.write(path, *tiny_models.scan_model())
    return path


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 430), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture(scope="session")
def wall(tmp_path_factory):
    """A small surface with a crack that the shipped networks find."""
    from aoienet import synth

    path = tmp_path_factory.mktemp("wall") / "wall.tif"
    synth.write_tiff(synth.surface(384, 512, 5, cracks=1), path)
    return path


@pytest.fixture
def interrupted_at(monkeypatch):
    """Ctrl-C while the mask of the picture with this folder is written."""
    from aoienet.report import outputs

    real = outputs.write_mask

    @contextlib.contextmanager
    def at(folder):
        def stop(path, *more):
            if path.parent.name == folder:
                raise KeyboardInterrupt
            return real(path, *more)

        with monkeypatch.context() as patched:
            patched.setattr(outputs, "write_mask", stop)
            yield

    return at
