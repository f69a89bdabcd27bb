"""The memory law of the cascade: a TIFF of 4.3 gigapixels is scanned, segmented, measured and reported within 1 GiB, by the models
that ship."""

import json
import subprocess
import sys

import numpy as np
import pytest

SIDE = 1 << 16


@pytest.mark.long
@pytest.mark.slow
def test_four_gigapixels_are_scanned_within_one_gibibyte(tmp_path):
    import tifffile

    plain = np.random.default_rng(0).integers(150, 170, (512, 512), dtype=np.uint8)
    cracked = plain.copy()
    cracked[100:300, 250:255] = 50  # straight and longer it would be a joint
    count = (SIDE // 512) ** 2
    tiles = (cracked if k % 997 == 0 else plain for k in range(count))
    path = tmp_path / "big.tif"
    tifffile.imwrite(path, tiles, shape=(SIDE, SIDE), dtype=np.uint8, tile=(512, 512), bigtiff=True)
    words = ["-m", "aoienet", "scan", str(path), "--out", str(tmp_path / "out"), "--jobs", "1", "--json"]
    made = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    (entry,) = told["inputs"]
    assert entry["cracks"] == -(-count // 997) and entry["area_dropped_share"] > 0.99, entry
    assert told["run"]["peak_memory_mib"] < 1024, told["run"]
