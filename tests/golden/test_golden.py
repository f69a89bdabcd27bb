"""The golden files, read by Python: the NumPy interpreter and the runtime give the stored logits bit for bit."""

import struct
from pathlib import Path

import numpy as np
import pytest

from aoienet.deploy import format, simulate

FOLDER = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "golden"
NAMES = sorted(path.stem for path in FOLDER.glob("*.golden"))


def golden(name: str) -> tuple[np.ndarray, np.ndarray]:
    data = (FOLDER / f"{name}.golden").read_bytes()
    assert data[:8] == b"AOIEGOLD"
    _, height, width, channels, count = struct.unpack_from("<5I", data, 8)
    image = np.frombuffer(data, np.uint8, height * width * channels, 28)
    image = image.reshape((height, width) if channels == 1 else (height, width, channels))
    return image, np.frombuffer(data, "<f4", count, 28 + image.size)


def test_there_are_golden_files():
    assert len(NAMES) == 4


@pytest.mark.parametrize("name", NAMES)
def test_interpreter_gives_the_stored_logits(name):
    image, logits = golden(name)
    header, tensors = format.read(FOLDER / f"{name}.aoie")
    assert np.array_equal(simulate.logits(header, tensors, image).ravel(), logits)


@pytest.mark.parametrize("name", NAMES)
def test_runtime_gives_the_stored_logits_on_every_instruction_set(name, monkeypatch):
    from aoienet import engine

    image, logits = golden(name)
    for isa in engine.isas():
        monkeypatch.setenv("AOIENET_ISA", isa)
        assert np.array_equal(engine.Model.open(FOLDER / f"{name}.aoie").run(image).ravel(), logits), isa
