"""Generated surfaces with known cracks: concrete or rolled steel, made band by band, no foreign data.

What stands on a surface: noise of many octaves, stains and streaks, aggregate speckle, pores, formwork joints, tie
holes and soft shadows
(all of them look a little like defects and are none), and cracks: branching random walks, dark, soft at the edge, 2
to 6 px wide and
thinner towards their ends. Every pixel depends on (seed, y, x) only, never on the bands that were asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CHUNK_PX = 256  # rows made at once
COARSE_PX = 16  # spacing of the field that is held for the whole surface
F32 = NDArray[np.float32]
Ground = Callable[[int, int], F32]  # rows y0 ... y1 - 1 of a surface without cracks, grey levels [y1-y0, W]


@dataclass(frozen=True)
class Crack:
    """One crack with its branches.

    points_N4: y_px, x_px, half width_px, depth (share of light taken away at the middle), about 1 px apart.
    """

    id: int
    points_N4: F32

    @property
    def length_px(self) -> int:
        """Length of the centre line with its branches."""
        return len(self.points_N4)


@dataclass(frozen=True)
class Joint:
    """A straight joint across the whole surface: axis 0 along the row place_px, 1 along the column."""

    place_px: float
    half_width_px: float
    axis: int


@dataclass
class Surface:
    """A surface of height x width; `band` gives its pixels and `truth_band` the crack of each pixel (0 = none)."""

    height: int
    width: int
    seed: int
    kind: str
    cracks: tuple[Crack, ...]
    _coarse: F32 = field(repr=False)
    _marks: dict[str, F32] = field(repr=False)
    _ground: Ground | None = field(default=None, repr=False)
    _cache: tuple[int, NDArray[np.uint8]] = field(default=(-1, np.empty(0, np.uint8)), repr=False)

    def band(self, y0: int, y1: int) -> NDArray[np.uint8]:
        """Grey rows y0 ... y1 - 1, uint8 [y1-y0, W]."""
        out = np.empty((y1 - y0, self.width), np.uint8)
        for chunk in range(y0 // CHUNK_PX, -(-y1 // CHUNK_PX)):
            top = chunk * CHUNK_PX
            a, b = max(y0, top), min(y1, top + CHUNK_PX)
            out[a - y0 : b - y0] = self._chunk(chunk)[a - top : b - top]
        return out

    def truth_band(self, y0: int, y1: int) -> NDArray[np.uint16]:
        """Number of the crack at each pixel of rows y0 ... y1 - 1; 0 where there is none."""
        out = np.zeros((y1 - y0, self.width), np.uint16)
        for crack in self.cracks:
            _stamp_cracks(crack, y0, y1, self.width, None, out)
        return out

    @property
    def joints(self) -> tuple[Joint, ...]:
        """The joints that are drawn on the ground; none on a ground of the caller's own."""
        if self._ground is not None:
            return ()
        return tuple(Joint(place, half, int(axis)) for place, half, _, axis in self._marks["joints"].tolist())

    def tiles(self, tile_px: int = CHUNK_PX) -> Iterator[NDArray[np.uint8]]:
        """Square tiles in reading order, the last ones filled up with 0: what a TIFF writer asks for."""
        for top in range(0, self.height, tile_px):
            band = self.band(top, min(top + tile_px, self.height))
            for left in range(0, self.width, tile_px):
                tile = band[:, left : left + tile_px]
                yield np.pad(tile, [(0, tile_px - tile.shape[0]), (0, tile_px - tile.shape[1])])

    def _chunk(self, chunk: int) -> NDArray[np.uint8]:
        if self._cache[0] != chunk:
            self._cache = (chunk, _make_chunk(self, chunk))
        return self._cache[1]


def surface(
    height: int,
    width: int,
    seed: int = 0,
    *,
    kind: str = "concrete",
    cracks: int | Sequence[Crack] | None = None,
    ground: Ground | None = None,
) -> Surface:
    """Make a surface.

    Args     kind: "concrete" or "steel". cracks: how many, or which; default: about one per 1.5 megapixels, at least one.
             ground: a surface of the caller's own, in which the cracks are drawn; nothing else is added to it.
    Raises   ValueError: unknown kind, a side under 64 px, a negative count.
    Example: surface(512, 512, seed=1, cracks=2).band(0, 64).shape == (64, 512)
    """
    if kind not in ("concrete", "steel"):
        raise ValueError(f"kind must be concrete or steel; received {kind!r}.")
    if min(height, width) < 64:
        raise ValueError(f"a surface must be at least 64 px high and wide; received {width}x{height}.")
    count = max(1, round(height * width / 1.5e6)) if cracks is None else cracks
    if isinstance(count, int) and count < 0:
        raise ValueError(f"cracks must not be negative; received {count}.")
    walks = tuple(walked(height, width, seed, count) if isinstance(count, int) else count)
    coarse = _coarse_field(height, width, seed, kind) if ground is None else np.empty((0, 0), np.float32)
    return Surface(height, width, seed, kind, walks, coarse, _marks(height, width, seed, kind), ground)


def walked(height: int, width: int, seed: int, count: int) -> Iterator[Crack]:
    """`count` cracks of a surface; the first n of a longer row of cracks are those of a shorter one."""
    return (_walk(n + 1, height, width, np.random.default_rng([seed, 1, n])) for n in range(count))


def write_tiff(made: Surface, path: Path, *, tile_px: int = CHUNK_PX, quality: int = 92) -> None:
    """A tiled TIFF of a surface, JPEG tiles as a camera would leave them, without ever holding the whole picture."""
    import tifffile

    tifffile.imwrite(
        path,
        made.tiles(tile_px),
        shape=(made.height, made.width),
        dtype=np.uint8,
        tile=(tile_px, tile_px),
        photometric="minisblack",
        compression="jpeg",
        compressionargs={"level": quality},
        metadata=None,
    )


# ---------------------------------------------------------------- background


def _noise_rows(seed: int, octave: int, first: int, last: int, cols: int) -> F32:
    """Rows of a lattice of normal numbers; a row depends on (seed, octave, row) only. Rows may be negative."""
    group = 64
    parts = []
    for g in range(first // group, -(-last // group)):
        rng = np.random.Generator(np.random.SFC64([seed, 2, octave, g + 1000]))
        rows = rng.standard_normal((group, cols), dtype=np.float32)
        parts.append(rows[max(first - g * group, 0) : last - g * group])
    return np.concatenate(parts)


def _spline(places: NDArray[np.float64]) -> tuple[NDArray[np.int64], F32]:
    """Cubic B-spline: first of four lattice points and their weights for each place."""
    low = np.floor(places).astype(np.int64)
    t = (places - low).astype(np.float32)
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / np.float32(6)
    return low - 1, weights


def _octave(seed: int, octave: int, spacing: float, y0: int, y1: int, width: int) -> F32:
    """Smooth noise of unit variance with lattice points `spacing` px apart, rows y0 ... y1 - 1."""
    first_y, weight_y = _spline(np.arange(y0, y1) / spacing)
    first_x, weight_x = _spline(np.arange(width) / spacing)
    base = int(first_y[0])
    lattice = _noise_rows(seed, octave, base, int(first_y[-1]) + 4, int(first_x[-1]) + 6)
    wide = sum(lattice[:, first_x + 1 + k] * weight_x[k] for k in range(4))
    out = sum(wide[first_y - base + k] * weight_y[k][:, None] for k in range(4))
    return out * np.float32(2.0)  # the spline leaves about a quarter of the variance


def _coarse_field(height: int, width: int, seed: int, kind: str) -> F32:
    """Slow changes of brightness on a lattice of COARSE_PX, in grey levels, with room for the spline."""
    from scipy import ndimage

    rng = np.random.default_rng([seed, 3])
    h, w = height // COARSE_PX + 6, width // COARSE_PX + 6

    def blurred(sigma: float | tuple[float, float]) -> F32:
        limit = min(h, w) / 5  # wider than the surface would leave a constant
        sigmas = np.minimum(sigma, limit)
        made = ndimage.gaussian_filter(rng.standard_normal((h, w), dtype=np.float32), sigmas, mode="wrap")
        return (made - made.mean()) / (made.std() + 1e-6)

    steel = kind == "steel"
    out = (
        (4.0 if steel else 7.0) * blurred(60)
        + (3.0 if steel else 5.0) * blurred(16)
        + (2.0 if steel else 4.0) * blurred(4)
        + 2.2 * blurred(1.3)
    )
    stain = np.clip(blurred(10) + 0.5 * blurred(2.5) - 1.5, 0, 1.2)
    streak = np.clip(blurred((40, 1.2)) + 0.6 * blurred((12, 1.0)) - 1.5, 0, 1.5)
    wash = np.clip(blurred(7) + 0.4 * blurred(1.5) - 2.0, 0, 1.0)
    return (out - 17 * stain - (6 if steel else 11) * streak + 13 * wash).astype(np.float32)


def _marks(height: int, width: int, seed: int, kind: str) -> dict[str, F32]:
    """Hard negatives: joints [position, half width, depth, axis], holes, pores and shadows."""
    rng = np.random.default_rng([seed, 4])
    joints = []
    for axis, size in ((0, height), (1, width)):
        place = float(rng.uniform(700, 1400))
        while place < size:
            joints.append((place, rng.uniform(1.2, 3.0), rng.uniform(18, 45), axis))
            place += float(rng.uniform(1300, 2300))
    area = height * width
    steel = kind == "steel"
    count = int(area / (40000 if steel else 3600))
    radius = np.minimum(0.9 + rng.exponential(0.9, count), 9.0)
    pores = np.stack(
        [rng.uniform(0, height, count), rng.uniform(0, width, count), radius, rng.uniform(14, 62, count)], axis=1
    )
    ys, xs = np.meshgrid(np.arange(450, height, 1100), np.arange(380, width, 900), indexing="ij")
    holes = np.stack([ys.ravel(), xs.ravel(), rng.uniform(9, 17, ys.size), rng.uniform(40, 70, ys.size)], axis=1)
    holes = holes[rng.uniform(size=len(holes)) < (0.0 if steel else 0.6)]
    shadows = [
        (
            rng.uniform(-0.1, 1.0) * width,
            rng.uniform(-0.5, 0.5),
            rng.uniform(18, 110),
            rng.uniform(0.10, 0.28),
            rng.uniform(1.5, 9.0),
        )
        for _ in range(int(np.ceil(area / 22e6)))
    ]
    return {
        "joints": np.array(joints, np.float32).reshape(-1, 4),
        "pores": np.concatenate([pores, holes]).astype(np.float32).reshape(-1, 4),
        "shadows": np.array(shadows, np.float32).reshape(-1, 5),
    }


def _make_chunk(made: Surface, chunk: int) -> NDArray[np.uint8]:
    y0, y1 = chunk * CHUNK_PX, min((chunk + 1) * CHUNK_PX, made.height)
    if made._ground is not None:
        return _on_ground(made, made._ground(y0, y1), y0, y1)
    seed, width, steel = made.seed, made.width, made.kind == "steel"
    grey = _coarse_rows(made, y0, y1) + np.float32(118 if steel else 152)
    if steel:
        grey += np.float32(5.0) * _brushed(seed, y0, y1, width)
    else:
        grey += np.float32(4.0) * _octave(seed, 0, 7.0, y0, y1, width)
        grain = _octave(seed, 1, 2.6, y0, y1, width)
        grey += np.float32(6.0) * grain
        grey -= np.float32(9.0) * np.maximum(np.abs(grain) - np.float32(1.75), 0) * np.sign(grain + np.float32(0.5))
    _joints(made, y0, y1, grey)
    _pores(_pores_in(made, y0, y1), y0, grey)
    light = np.ones_like(grey)
    _shadows(made, y0, light)
    for crack in made.cracks:
        _stamp_cracks(crack, y0, y1, width, light, None)
    grey *= light
    grey += np.float32(3.4) * _fine(seed, y0, y1, width)
    return np.clip(grey + np.float32(0.5), 0, 255).astype(np.uint8)


def _on_ground(made: Surface, grey: F32, y0: int, y1: int) -> NDArray[np.uint8]:
    light = np.ones((y1 - y0, made.width), np.float32)
    for crack in made.cracks:
        _stamp_cracks(crack, y0, y1, made.width, light, None)
    return np.clip(grey * light + np.float32(0.5), 0, 255).astype(np.uint8)


def _coarse_rows(made: Surface, y0: int, y1: int) -> F32:
    first_y, weight_y = _spline(np.arange(y0, y1) / COARSE_PX + 1)
    first_x, weight_x = _spline(np.arange(made.width) / COARSE_PX + 1)
    base = int(first_y[0])
    rows = made._coarse[base : int(first_y[-1]) + 4]
    wide = sum(rows[:, first_x + k] * weight_x[k] for k in range(4))
    return sum(wide[first_y - base + k] * weight_y[k][:, None] for k in range(4)).astype(np.float32)


def _fine(seed: int, y0: int, y1: int, width: int) -> F32:
    """Sensor noise with a small blur, as a camera leaves it."""
    rows = _noise_rows(seed, 9, y0 - 1, y1 + 1, width + 2)
    rows = rows[:-2] + rows[1:-1] * np.float32(2) + rows[2:]
    return (rows[:, :-2] + rows[:, 1:-1] * np.float32(2) + rows[:, 2:]) * np.float32(1 / 6)


def _brushed(seed: int, y0: int, y1: int, width: int) -> F32:
    """Rolling marks: noise that is long in x and short in y."""
    first_x, weight_x = _spline(np.arange(width) / 90.0)
    lattice = _noise_rows(seed, 5, y0 - 1, y1 + 1, int(first_x[-1]) + 6)
    lattice = (lattice[:-2] + 2 * lattice[1:-1] + lattice[2:]) / np.float32(2.5)
    return sum(lattice[:, first_x + 1 + k] * weight_x[k] for k in range(4)).astype(np.float32)


def _joints(made: Surface, y0: int, y1: int, grey: F32) -> None:
    """Straight formwork joints: a dark line with a light lip on one side."""
    for place, half, depth, axis in made._marks["joints"].tolist():
        size = grey.shape[int(axis)]
        start = y0 if axis == 0 else 0
        low, high = int(max(place - 12 - start, 0)), int(min(place + 12 - start, size))
        if low >= high:
            continue
        away = np.arange(low, high) + start - place
        line = (
            -depth / (1 + np.exp((np.abs(away) - half) / 0.6)) + 7 * np.exp(-(((away - half - 3) / 2.2) ** 2))
        ).astype(np.float32)
        if axis == 0:
            grey[low:high] += line[:, None]
        else:
            grey[:, low:high] += line


def _pores_in(made: Surface, y0: int, y1: int) -> F32:
    pores = made._marks["pores"]
    reach = pores[:, 2] * 1.5 + 4
    return pores[(pores[:, 0] + reach > y0) & (pores[:, 0] - reach < y1)]


def _pores(pores: F32, y0: int, grey: F32) -> None:
    """Air holes: dark discs, a little lighter at the lower rim where light falls in."""
    height, width = grey.shape
    for y, x, radius, depth in pores.tolist():
        reach = int(radius * 1.5 + 3)
        top, left = max(int(y) - y0 - reach, 0), max(int(x) - reach, 0)
        bottom, right = min(int(y) - y0 + reach + 1, height), min(int(x) + reach + 1, width)
        if top >= bottom or left >= right:
            continue
        dy = (np.arange(top, bottom, dtype=np.float32) + np.float32(y0 - y))[:, None]
        dx = (np.arange(left, right, dtype=np.float32) - np.float32(x))[None]
        squash = 1 + 0.35 * np.sin(np.float32(x))  # not every pore is round
        away = np.sqrt(dy * dy * np.float32(squash) + dx * dx)
        hole = np.clip((radius + 0.7 - away) / 1.4, 0, 1)
        grey[top:bottom, left:right] -= hole * (depth * (1 - 0.35 * np.clip(dy / (radius + 1), -1, 1)))


def _shadows(made: Surface, y0: int, light: F32) -> None:
    """Slanted bands of shade with soft edges, as of a cable or a rail."""
    rows = np.arange(y0, y0 + len(light), dtype=np.float32)
    for x, slope, half, depth, soft in made._marks["shadows"].tolist():
        middle = x + slope * rows
        reach = half + 7 * soft
        left, right = int(max(middle.min() - reach, 0)), int(min(middle.max() + reach, light.shape[1]))
        if left >= right:
            continue
        away = np.abs(np.arange(left, right, dtype=np.float32)[None] - middle[:, None])
        light[:, left:right] *= 1 - np.float32(depth) / (1 + np.exp(np.clip((away - half) / soft, -30, 30)))


# ---------------------------------------------------------------- cracks


def _walk(number: int, height: int, width: int, rng: np.random.Generator) -> Crack:
    """A branching random walk; heading drifts slowly, each step adds its own kink."""
    side = min(height, width)
    margin = min(40.0, side / 6)
    start = np.array([rng.uniform(margin, height - margin), rng.uniform(margin, width - margin)])
    length = float(rng.uniform(0.35, 1.0) * min(1800, 0.8 * side) + 60)
    half, depth = rng.uniform(1.1, 3.0), rng.uniform(0.32, 0.8)
    heading = rng.uniform(0, 2 * np.pi)
    walks = [
        _line(start, heading, length / 2, half, depth, 1.0, rng),
        _line(start, heading + np.pi, length / 2, half, depth, 1.0, rng),
    ]
    for parent in list(walks):
        for _ in range(rng.poisson(length / 900)):
            if len(parent) < 80:
                continue
            at = parent[int(rng.uniform(0.15, 0.8) * len(parent))]
            turn = rng.choice([-1, 1]) * rng.uniform(0.5, 1.2)
            ahead = parent[min(len(parent) - 1, int(0.8 * len(parent)))] - at
            base = float(np.arctan2(ahead[0], ahead[1])) + turn
            walks.append(
                _line(
                    at[:2].astype(float),
                    base,
                    rng.uniform(0.15, 0.4) * length,
                    max(0.9, 0.75 * float(at[2])),
                    depth * 0.9,
                    0.8,
                    rng,
                )
            )
    points = np.concatenate(walks)
    inside = (points[:, 0] >= 0) & (points[:, 0] < height) & (points[:, 1] >= 0) & (points[:, 1] < width)
    return Crack(number, points[inside].astype(np.float32))


def _line(
    start: np.ndarray, heading: float, length: float, half: float, depth: float, calm: float, rng: np.random.Generator
) -> np.ndarray:
    """Points 1 px apart: y, x, half width, depth; width and depth fall off towards the end."""
    step = 6
    count = max(4, int(length / step))
    drift = np.cumsum(rng.normal(0, 0.10, count))
    drift -= np.linspace(0, drift[-1] * 0.5, count)
    angle = np.repeat(heading + calm * drift + rng.normal(0, 0.55, count), step)
    angle = np.convolve(np.pad(angle, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    ys, xs = start[0] + np.cumsum(np.sin(angle)), start[1] + np.cumsum(np.cos(angle))
    share = np.linspace(0, 1, len(ys))
    rough = np.repeat(np.convolve(rng.normal(0, 0.45, count + 2), [0.3, 0.4, 0.3], mode="valid"), step)
    widths = np.clip(half * (1 + rough) * (1 - 0.65 * share**1.5), 0.7, 3.6)
    fade = depth * np.minimum(1.0, (1.02 - share) * 5) * np.clip(1 + 0.5 * rough, 0.55, 1.2)
    return np.stack([ys, xs, widths, np.clip(fade, 0.08, 0.9)], axis=1)


def _stamp_cracks(
    crack: Crack, y0: int, y1: int, width: int, light: F32 | None, truth: NDArray[np.uint16] | None
) -> None:
    """Draw the part of a crack in rows y0 ... y1 - 1: light is multiplied at the deepest point, truth gets the
    crack's number."""
    points = crack.points_N4
    reach = 6
    near = points[(points[:, 0] > y0 - reach - 1) & (points[:, 0] < y1 + reach + 1)]
    if not len(near):
        return
    left = max(int(near[:, 1].min()) - reach - 1, 0)
    right = min(int(near[:, 1].max()) + reach + 2, width)
    offsets = np.arange(-reach, reach + 1)
    rows, cols = np.floor(near[:, 0]).astype(np.int64), np.floor(near[:, 1]).astype(np.int64)
    yy = rows[:, None, None] + offsets[None, :, None]
    xx = cols[:, None, None] + offsets[None, None, :]
    away = np.sqrt((yy + 0.5 - near[:, 0, None, None]) ** 2 + (xx + 0.5 - near[:, 1, None, None]) ** 2).astype(
        np.float32
    )
    ok = (yy >= y0) & (yy < y1) & (xx >= left) & (xx < right)
    flat = ((yy - y0) * (right - left) + (xx - left))[ok]
    if light is not None:
        shade = near[:, 3, None, None] / (1 + np.exp(np.minimum((away - near[:, 2, None, None]) / 0.45, 30)))
        field_ = np.zeros((y1 - y0) * (right - left), np.float32)
        np.maximum.at(field_, flat, np.broadcast_to(shade, ok.shape)[ok].astype(np.float32))
        light[:, left:right] *= 1 - field_.reshape(y1 - y0, right - left)
    if truth is not None:
        on = flat[(away <= near[:, 2, None, None])[ok]]
        area = truth[:, left:right]
        area[np.unravel_index(on, area.shape)] = crack.id
