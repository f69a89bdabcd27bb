"""The folder of one picture: all files, a manifest with their hashes, the same bytes twice."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from tests.report.cracks import scanned, surface

from aoienet.files import OutputError
from aoienet.report.outputs import FILES, Findings, write_outputs
from aoienet.report.records import Scale
from aoienet.scan.sources import file_sha256


@pytest.fixture
def found(tmp_path):
    grey, mask, cracks = surface()
    path = tmp_path / "wall.tif"
    tifffile.imwrite(path, grey, tile=(64, 64))
    first, _ = scanned(mask=mask)
    return Findings(
        path, file_sha256(path), ["clean", "crack"], first, cracks,
        lambda y0, y1: mask[y0:y1], Scale(0.25, "--mm-per-px"), {"name": "toy", "sha256": "0" * 64},
        {"name": "light", "sha256": "1" * 64}, {"threshold": 0.5, "tile_px": [1024, 1024]},
        warnings=["Widths from 0.1 mm are asked for, but a pixel is 0.25 mm."],
    )  # fmt: skip


def test_all_files_are_there_and_the_manifest_tells_their_hashes(tmp_path, found):
    out = tmp_path / "out"
    out.mkdir()
    manifest = write_outputs(out, found)
    assert sorted(p.name for p in out.iterdir()) == sorted([*FILES, "manifest.json"])
    assert json.loads((out / "manifest.json").read_text()) == manifest
    for name, facts in manifest["files"].items():
        assert facts == {"bytes": (out / name).stat().st_size, "sha256": file_sha256(out / name)}
    assert manifest["picture"]["sha256"] == found.sha256 and manifest["scale"]["mm_per_px"] == 0.25
    assert (manifest["result"]["cracks"], manifest["result"]["joints"]) == (2, 1)
    assert manifest["versions"]["numpy"] == np.__version__
    assert manifest["result"]["looked_at_share"] == pytest.approx(
        np.kron(found.first.reasons_HW != 0, np.ones((32, 32)))[:420, :640].mean(), abs=1e-6
    )
    assert "asked for" in (out / "report.html").read_text()


def test_the_report_says_in_words_what_the_certificate_holds(tmp_path, found):
    (tmp_path / "out").mkdir()
    names = ("photographs_without_any_crack_found", "photographs_with_a_missed_crack")
    shares = {f"{names[0]}_at_most": 0.0194, f"{names[1]}_at_most": 0.1769}
    certificate = {"photographs": 153, "confidence": 0.95, names[0]: 0, names[1]: 19, **shares}
    write_outputs(tmp_path / "out", replace(found, certificate=certificate))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "of 153 test photographs" in page and "in at most 1.9 % and 17.7 % of photographs like these" in page


def test_two_runs_give_the_same_bytes_and_no_times(tmp_path, found):
    for name in "ab":
        (tmp_path / name).mkdir()
        write_outputs(tmp_path / name, found)
    for file in [*FILES, "manifest.json"]:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    assert "time_s" not in (tmp_path / "a" / "manifest.json").read_text()


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path, found):
    with pytest.raises(OutputError, match="cannot write"):
        write_outputs(tmp_path / "none", found)
