"""A cascade in NumPy for tests: a first stage that fires on dark pixels and knows the grain of these pictures, and a
segmenter that sees 7 px far. Picklable."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import tifffile

from aoienet import sums
from aoienet.familiar import Familiar, fit
from aoienet.measure import Settings
from aoienet.report.finish import Options, finish
from aoienet.scan.cascade import Found, Looker, Stages, units_of
from aoienet.scan.mask import TILE_PX
from aoienet.scan.runner import Decision
from aoienet.scan.tiles import Geometry
from aoienet.scan.work import Plan

GEOMETRY = Geometry(64, 32, 32, 8)
DARK = 100


def first(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W] -> float32 [Hb, Wb, 2]: dark pixels of each block of 64 px, in tens, less 1."""
    dark = (image < DARK).astype(np.float32)
    cells = dark.reshape(image.shape[0] // 32, 32, image.shape[1] // 32, 32).sum(axis=(1, 3))
    blocks = cells[:-1, :-1] + cells[1:, :-1] + cells[:-1, 1:] + cells[1:, 1:]
    return np.stack([np.zeros_like(blocks), blocks / 10 - 1], axis=-1)


class Second:
    """Probability 0.9 where a pixel is darker than the mean of the pixels 7 px left and right, by 30 levels."""

    name, channels, halo_px, align_px, side_px, inside_cost, threshold, sha256 = "toy", 1, 16, 16, 0, 0, 0.5, "0" * 64

    def __call__(self, image: np.ndarray) -> np.ndarray:
        wide = np.pad(image.astype(np.int32), ((0, 0), (7, 7)), mode="edge")
        dark = wide[:, 14:] + wide[:, :-14] - 2 * wide[:, 7:-7] > 60
        return np.where(dark, np.float32(0.9), np.float32(0.1))[16:-16, 16:-16]


@functools.cache
def familiar() -> Familiar:
    """Statistics of two pictures with few lines: where lines stand close they are beyond them."""
    known, held = ([sums.of_picture(picture(512, 512, seed, 2), 64, 32, 32)] for seed in (100, 101))
    return Familiar.from_meta(fit(known, held, 32), 32, GEOMETRY.halo_px)


def stages(second: bool = True) -> Stages:
    """What a worker opens."""
    segmenter = Second() if second else None
    words = {"name": "toy", "sha256": "1" * 64}, {"name": "toy"}, {}
    return Stages(first, ["clean", "crack"], 1, GEOMETRY, Decision(1, 1.0, 0.0), segmenter, *words, familiar())


def looked(
    opened: Stages, path: Path, size: tuple[int, int], order: Sequence[int] | None = None, threads: int = 1
) -> list[Found]:
    """What all units of a picture give, in their own order; done in `order`."""
    units = units_of(*size, GEOMETRY)
    with Looker(opened, path, Settings(), threads) as looker:
        found = {u.band: looker.look(u) for u in (units if order is None else [units[k] for k in order])}
    return [found[u.band] for u in units]


def whole(found: list[Found], name: str) -> np.ndarray:
    """Rows of all units together."""
    return np.concatenate([getattr(f, name) for f in found])


def mask_of(found: list[Found], size: tuple[int, int]) -> np.ndarray:
    """The mask of all units, bool [H, W]."""
    tall, wide = (-(-side // TILE_PX) * TILE_PX for side in size)
    out = np.zeros((tall, wide), bool)
    for f in found:
        for (i, j), bits in zip(f.places.tolist(), f.bits, strict=True):
            out[i * TILE_PX : (i + 1) * TILE_PX, j * TILE_PX : (j + 1) * TILE_PX] = np.unpackbits(bits, axis=1)
    return out[: size[0], : size[1]]


def plan(work: Path, **options) -> Plan:
    """A plan that another process can read."""
    return Plan(functools.partial(stages), Settings(), finish, Options(**options), work)


def picture(height: int, width: int, seed: int = 0, cracks: int = 5, joint: int | None = None) -> np.ndarray:
    """A bright surface with dark slanted lines 5 px wide; joint: a column with a straight one from top to bottom."""
    rng = np.random.default_rng(seed)
    out = rng.integers(160, 190, (height, width), dtype=np.uint8)
    for _ in range(cracks):
        y, x, length, slope = (
            rng.integers(0, height),
            rng.integers(20, width - 20),
            rng.integers(60, 220),
            rng.normal(0, 0.4),
        )
        ys = np.arange(y, min(height, y + length))
        xs = np.clip(np.rint(x + slope * (ys - y)).astype(int), 3, width - 4)
        for d in range(-2, 3):
            out[ys, xs + d] = 40
    if joint is not None:
        out[:, joint : joint + 5] = 40
    return out


def write(path: Path, height: int, width: int, seed: int = 0, cracks: int = 5, joint: int | None = None) -> Path:
    """The picture as a tiled TIFF."""
    tifffile.imwrite(path, picture(height, width, seed, cracks, joint), tile=(256, 256), compression="zlib")
    return path


def run(
    out: Path, paths: list[Path], jobs: int = 1, resume: bool = False, mine=None, dask: str = "", watch=None, **options
) -> list[dict]:
    """A whole batch in units of 512 rows; gives the states' results or errors."""
    from aoienet.scan import cascade
    from aoienet.scan.batch import WORK, Batch, begin
    from aoienet.scan.run import local
    from aoienet.scan.work import plan_picture

    begin(out, {"pictures": [str(p) for p in paths]}, resume)
    opened = stages()
    with mock.patch.multiple(cascade, LEAST_ROWS=512, UNIT_PX=1):
        pictures = [plan_picture(k, p, out / p.stem, opened) for k, p in enumerate(paths)]
    more = {} if mine is None else {"mine": mine, "finish": False}
    more |= {} if watch is None else {"watch": watch}
    batch = Batch(out, plan(out / WORK, **options), iter(pictures), **more)
    if dask:
        from aoienet.scan.run.dask import run_on_cluster

        run_on_cluster(batch, opened, dask)
    elif jobs == 1:
        local.run_here(batch, opened)
    else:
        local.run_processes(batch, jobs)
    batch.close()
    return [s.result if s.failed is None else {"error": s.failed[1]} for s in batch.states]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


if __name__ == "__main__":
    import resource
    import sys

    folder, cores, again, limit, *names = sys.argv[1:]
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    run(Path(folder), [Path(n) for n in names], int(cores), again == "resume")
