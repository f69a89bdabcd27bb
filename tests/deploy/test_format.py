"""The model file: what is written is read back, and both readers refuse the hostile set."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from hostile_cases import cases, fnv1a, forge, good_bytes, layout  # noqa: E402
from tiny_models import mixed_model, picture_model, scan_model  # noqa: E402

from aoienet.deploy import format as model_file  # noqa: E402

HOSTILE = list(cases())
IDS = [name for name, _, _ in HOSTILE]


def _engine() -> Any:
    """Return the Python face of the C++ runtime, or skip where it is not built."""
    try:
        engine = importlib.import_module("aoienet.engine")
        engine.Model  # noqa: B018
    except (ImportError, AttributeError) as error:
        pytest.skip(f"the C++ runtime is not built ({error}); run: make dev")
    return engine


def _error_class(engine: Any) -> type[Exception]:
    found: type[Exception] = engine.ModelFileError
    return found


@pytest.mark.parametrize("model", [scan_model, picture_model, mixed_model])
def test_read_gives_back_what_was_written(model: Any, tmp_path: Path) -> None:
    header, tensors = model()
    model_file.write(tmp_path / "m.aoie", header, tensors)
    got_header, got_tensors = model_file.read(tmp_path / "m.aoie")
    assert {key: value for key, value in got_header.items() if key != "tensors"} == header
    assert list(got_tensors) == list(tensors)
    for name, tensor in tensors.items():
        assert got_tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(got_tensors[name], tensor)


def test_the_writer_makes_the_bytes_of_the_forger() -> None:
    header, tensors = scan_model()
    table_header, data = layout(header, tensors)
    written = model_file.serialize(header, tensors)
    assert written[-len(data) :] == data
    assert model_file.parse(written)[0] == table_header


def test_the_writer_is_deterministic() -> None:
    assert model_file.serialize(*scan_model()) == model_file.serialize(*scan_model())


def test_write_leaves_the_old_file_and_no_other_when_it_refuses(tmp_path: Path) -> None:
    path = tmp_path / "m.aoie"
    model_file.write(path, *scan_model())
    before = path.read_bytes()
    header, tensors = scan_model(seed=1)
    tensors["c1.e"][0] = np.nan
    with pytest.raises(model_file.FormatError, match="NaN"):
        model_file.write(path, header, tensors)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.aoie"]


@pytest.mark.parametrize("name", ["stem.scale", "c1.plane_scale", "c1.e", "fc.weight"])
def test_write_refuses_constants_with_which_a_picture_could_make_infinity(name: str, tmp_path: Path) -> None:
    header, tensors = scan_model()
    huge = tensors | {name: np.full_like(tensors[name], 3e38)}
    assert name in tensors and np.isfinite(huge[name]).all()
    with pytest.raises(model_file.FormatError, match=r"op \d+ \(\w+\): no picture .* 2\^126.*; received .*\. Export"):
        model_file.write(tmp_path / "m.aoie", header, huge)
    assert os.listdir(tmp_path) == []


def test_every_shipped_file_opens() -> None:
    """None has a picture that overflows; the golden files are opened by runtime/tests/test_golden.cc."""
    shipped = list(Path(importlib.import_module("aoienet.weights").__file__ or "").parent.rglob("*.aoie"))
    assert len(shipped) >= 4
    for path in shipped:
        _engine().Model.open(path)


def test_write_leaves_no_temporary_file_when_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("disk is gone")

    monkeypatch.setattr(model_file.os, "replace", fail)
    with pytest.raises(OSError, match="disk is gone"):
        model_file.write(tmp_path / "m.aoie", *scan_model())
    assert os.listdir(tmp_path) == []


def test_write_refuses_a_dtype_that_the_file_has_not() -> None:
    header, tensors = scan_model()
    with pytest.raises(model_file.FormatError, match="dtype of tensor 'c1.e'.*float64"):
        model_file.serialize(header, tensors | {"c1.e": tensors["c1.e"].astype(np.float64)})


def test_write_refuses_nan_in_the_header() -> None:
    header, tensors = scan_model()
    with pytest.raises(model_file.FormatError, match="finite JSON"):
        model_file.serialize(header | {"meta": {"loss": float("nan")}}, tensors)


@pytest.mark.parametrize("size", [0, 1, 2, 63, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 77])
def test_checksum_is_fnv1a(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8).tobytes()
    assert model_file.checksum(data) == fnv1a(data)


def test_checksum_of_published_vectors() -> None:
    """Source: Noll, FNV test vectors, fnv64a of "", "a" and "foobar"."""
    assert model_file.checksum(b"") == 0xCBF29CE484222325
    assert model_file.checksum(b"a") == 0xAF63DC4C8601EC8C
    assert model_file.checksum(b"foobar") == 0x85944171F73967E8


@pytest.mark.parametrize(("name", "data", "words"), HOSTILE, ids=IDS)
def test_the_python_reader_refuses_and_names_the_rule(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.aoie"
    path.write_bytes(data)
    with pytest.raises(model_file.FormatError) as caught:
        model_file.read(path)
    assert words in str(caught.value)
    assert "; received " in str(caught.value)


@pytest.mark.parametrize(("name", "data", "words"), HOSTILE, ids=IDS)
def test_the_cpp_reader_refuses_the_same_files(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    engine = _engine()
    path = tmp_path / "hostile.aoie"
    path.write_bytes(data)
    with pytest.raises(_error_class(engine)) as caught:
        engine.Model.open(str(path))
    assert str(caught.value).strip()


@pytest.mark.parametrize("model", [scan_model, picture_model, mixed_model])
def test_both_readers_take_the_files_that_the_hostile_ones_are_made_of(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "good.aoie"
    path.write_bytes(forge(*layout(*model())))
    model_file.read(path)
    _engine().Model.open(str(path))


def test_both_readers_take_numbers_up_to_the_one_that_rounds_to_infinity_and_pairs_of_surrogates(
    tmp_path: Path,
) -> None:
    header, data = layout(*scan_model())
    text = json.dumps(header).encode()
    path = tmp_path / "good.aoie"
    edge = 2**1024 - 2**970
    for value in (f"{edge - 1}", f"{edge - 1}.{'9' * 900}", f"-{edge // 10}e1", "1.7976931348623158e308", "0e310"):
        path.write_bytes(forge(text.replace(b'"threshold": 0.0', b'"threshold": ' + value.encode()), data))
        assert float(model_file.read(path)[0]["scan"]["threshold"]) == float(value)
        _engine().Model.open(str(path))
    path.write_bytes(forge(text.replace(b"tiny", rb"\uD83d\uDE00"), data))
    assert model_file.read(path)[0]["name"] == _engine().Model.open(str(path)).name == "\U0001f600_scan"


def test_every_single_byte_change_is_refused_by_both_readers(tmp_path: Path) -> None:
    engine = None
    if importlib.util.find_spec("aoienet.engine") is not None:
        engine = _engine()
    good = good_bytes()
    path = tmp_path / "flipped.aoie"
    for place in [*range(32), *range(32, len(good), len(good) // 200)]:
        flipped = bytearray(good)
        flipped[place] ^= 0x10
        with pytest.raises(model_file.FormatError):
            model_file.parse(bytes(flipped))
        if engine is not None:
            path.write_bytes(flipped)
            with pytest.raises(_error_class(engine)):
                engine.Model.open(str(path))


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    good = good_bytes()
    for size in [*range(0, 80), *range(80, len(good), 97)]:
        with pytest.raises(model_file.FormatError):
            model_file.parse(good[:size])


def test_hostile_names_are_unique() -> None:
    assert len(set(IDS)) == len(IDS) > 100
