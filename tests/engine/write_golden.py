"""Write the random networks of `engine_networks` as golden files for a machine without Python: write_golden.py FOLDER.

The logits are those of the slow interpreter; tests/golden/make.py has the layout, runtime/tests/test_golden.cc reads it.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np

from aoienet.deploy import format as aoie_format
from aoienet.deploy import simulate

sys.path.insert(0, str(Path(__file__).parent))
from engine_networks import everything  # noqa: E402


def write(folder: Path) -> int:
    """Write every network with one picture; return how many."""
    rng = np.random.default_rng(11)
    networks = dict(everything())
    for name, (header, tensors) in networks.items():
        given = header["input"]
        h, w = (given["height"], given["width"]) if given["fixed"] else (41, 23)
        image = rng.integers(0, 256, (h, w, given["channels"])).astype(np.uint8)
        aoie_format.write(folder / f"{name}.aoie", header, tensors)
        logits = simulate.run(header, tensors, image)[-1].astype("<f4")
        head = b"AOIEGOLD" + struct.pack("<5I", 1, h, w, given["channels"], logits.size)
        (folder / f"{name}.golden").write_bytes(head + image.tobytes() + logits.tobytes())
    return len(networks)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    print(f"{write(target)} networks in {target}")
