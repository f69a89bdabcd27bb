"""The memory law of writing: mask and overlay of 4.3 gigapixels in at most 1 GiB."""

import json
import subprocess
import sys

import numpy as np
import pytest

SIDE = 1 << 16
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from aoienet.memory import peak_memory_mib
from aoienet.report.mask import write_mask
from aoienet.report.records import Scale
from aoienet.report.slide import write_slide
from aoienet.scan.sources import open_source

folder = Path(sys.argv[1])

def mask(y0, y1):
    rows = np.zeros((y1 - y0, 65536), np.uint8)
    rows[:, 5000:5003] = 255
    return rows

with open_source(folder / "big.tif", 3) as source:
    write_mask(folder / "mask.tif", mask, source.height, source.width, None, Scale(None, "none"))
    factor = write_slide(folder / "overlay.tif", source, mask, np.ones((2048, 2048), bool), 32)
print(json.dumps({"factor": factor, "peak_mib": peak_memory_mib()}))
"""


@pytest.mark.long
@pytest.mark.slow
def test_mask_and_overlay_of_four_gigapixels_are_written_within_one_gibibyte(tmp_path):
    import tifffile

    filled = np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8)
    tiles = (filled if k % 97 == 0 else None for k in range((SIDE // 512) ** 2))
    path = tmp_path / "big.tif"
    tifffile.imwrite(path, tiles, shape=(SIDE, SIDE), dtype=np.uint8, tile=(512, 512), compression="zlib", bigtiff=True)
    made = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["factor"] == 4 and told["peak_mib"] < 1024
    with tifffile.TiffFile(tmp_path / "mask.tif") as tiff:
        assert tiff.is_bigtiff and len(tiff.pages) == 8 and tiff.pages[7].asarray().max() == 255
    with tifffile.TiffFile(tmp_path / "overlay.tif") as tiff:
        assert tiff.pages[0].shape == (SIDE // 4, SIDE // 4, 3)
