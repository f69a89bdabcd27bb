"""The memory law of the cascade: a TIFF of 4.3 gigapixels is scanned, segmented, measured and reported within 1 GiB."""

import json
import subprocess
import sys

import numpy as np
import pytest

SIDE = 1 << 16
PROGRAM = """
import functools, json, sys
from pathlib import Path
import numpy as np
from aoienet.memory import peak_memory_mib
from aoienet.measure import Settings
from aoienet.report.finish import Options, finish
from aoienet.scan.batch import WORK, Batch, begin
from aoienet.scan.cascade import Stages
from aoienet.scan.run.local import run_here
from aoienet.scan.runner import Decision
from aoienet.scan.tiles import Geometry
from aoienet.scan.work import Plan, plan_picture
from aoienet.segment import load

def run(image):
    h, w = image.shape[0] // 32, image.shape[1] // 32
    darkest = image[: h * 32 : 2, : w * 32].reshape(h, 16, w, 32).min(axis=(1, 3)).astype(np.float32)
    cells = np.minimum(np.minimum(darkest[:-1, :-1], darkest[1:, 1:]), np.minimum(darkest[1:, :-1], darkest[:-1, 1:]))
    return np.stack([np.zeros_like(cells), 100 - cells], axis=-1)

out = Path(sys.argv[2])
stages = Stages(run, ["clean", "crack"], 1, Geometry(64, 32, 64, 8), Decision(1, 1.0, 0.0), load("light"), second_stage={"name": "light"})
begin(out, {}, resume=False)
plan = Plan(None, Settings(), finish, Options(), out / WORK)
batch = Batch(out, plan, iter([plan_picture(0, Path(sys.argv[1]), out, stages)]))
run_here(batch, stages)
print(json.dumps({"result": batch.states[0].result, "peak_mib": peak_memory_mib()}))
"""


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
    made = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), str(tmp_path / "out")], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["result"]["cracks"] == -(-count // 997) and told["result"]["area_dropped_share"] > 0.99
    assert told["peak_mib"] < 1024, told
