"""The memory law of reading: a TIFF of 4.3 gigapixels, band by band, in at most 1 GiB."""

import json
import subprocess
import sys

import numpy as np
import pytest

SIDE = 1 << 16
PROGRAM = """
import json, sys
from aoienet.memory import peak_memory_mib
from aoienet.scan.sources import open_source
from aoienet.scan.sources.cost import reading_cost

with open_source(sys.argv[1]) as source:
    cost = reading_cost(source)
    total = sum(int(source.read(y, min(y + cost.band_rows, source.height)).sum()) for y in range(0, source.height, cost.band_rows))
    corner = source.window(source.height - 9, source.height, source.width - 9, source.width)
print(json.dumps({"bands": cost.bands, "total": total, "corner": corner.tolist(), "peak_mib": peak_memory_mib(), "told_mib": cost.memory_bytes / 2**20}))
"""


@pytest.mark.slow
def test_four_gigapixels_are_read_within_one_gibibyte(tmp_path):
    import tifffile

    filled = np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8)
    count = (SIDE // 512) ** 2
    tiles = (filled if k % 97 == 0 or k == count - 1 else None for k in range(count))
    path = tmp_path / "big.tif"
    tifffile.imwrite(path, tiles, shape=(SIDE, SIDE), dtype=np.uint8, tile=(512, 512), compression="zlib", bigtiff=True)
    made = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["total"] == int(filled.sum()) * (len(range(0, count, 97)) + 1)
    assert told["corner"] == filled[-9:, -9:].tolist()
    assert told["bands"] == 64 and told["peak_mib"] < 1024
    assert told["peak_mib"] < told["told_mib"] + 128  # what `aoienet info` tells, and the program itself
