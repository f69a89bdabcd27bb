"""The memory law: a TIFF of one gigapixel is scanned within 1 GiB."""

import json
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from aoienet.cli._common import peak_memory_mib
from aoienet.report.run import Job, scan_files
from aoienet.scan.runner import Decision
from aoienet.scan.tiles import Geometry

def run(image):
    h, w = image.shape[0] // 32, image.shape[1] // 32
    dark = 255 - image[: h * 32 : 8, : w * 32 : 8].reshape(h, 4, w, 4).mean(axis=(1, 3), dtype=np.float32)
    cells = (dark[:-1, :-1] + dark[1:, 1:]) / 32
    return np.stack([np.full_like(cells, 8.0), cells], axis=-1)

job = Job(run, ["clean", "crack"], 1, Geometry(64, 32, 64, 8), Decision(1, 1.0, 0.0), {"name": "toy"}, jobs=2)
document = scan_files(job, [Path(sys.argv[1])], Path(sys.argv[2]), lambda label: None, peak_memory_mib)
print(json.dumps(document))
"""


@pytest.mark.slow
def test_a_gigapixel_tiff_is_scanned_within_one_gibibyte(tmp_path):
    import tifffile

    side = 32 * 1024
    rng = np.random.default_rng(0)
    filled = rng.integers(0, 256, (512, 512), dtype=np.uint8)

    def tiles():
        for k in range((side // 512) ** 2):
            yield filled if k % 7 == 0 else None

    tifffile.imwrite(
        tmp_path / "big.tif", tiles(), shape=(side, side), dtype=np.uint8, tile=(512, 512), compression="zlib"
    )
    (tmp_path / "out").mkdir()
    made = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "big.tif"), str(tmp_path / "out")],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    document = json.loads(made.stdout)
    assert document["inputs"][0]["megapixels"] > 1000 and document["inputs"][0]["blocks"] == 1023**2
    assert document["peak_memory_mib"] < 1024
