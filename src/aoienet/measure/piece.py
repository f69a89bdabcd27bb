"""What is seen of the cracks in one cell of a picture. A cell is measured with a halo of its surroundings and gives up
only what lies in the cell, so that cells can be done in any order, on any machine, and put together (merge.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from aoienet.measure import skeleton, width
from aoienet.measure.width import Places

Rectangle = tuple[int, int, int, int]  # x0, y0, x1, y1; x1 and y1 exclusive
SPLINE_PX = 24  # beyond the last sample of a profile: what lies further off weighs less than 1e-13 in a cubic spline
BESIDE_PX = 1.5  # the 8 neighbours of a pixel
GREY_OF_RGB = np.array([0.299, 0.587, 0.114], np.float32)  # luma of ITU-R BT.601


@dataclass(frozen=True)
class Settings:
    """How cracks are measured.

    blur_px        sigma of the optical blur if known (a sharp edge of the same picture tells), else None
    gap_px         parts of a mask whose ends come this near to another part are one crack; 0: never
    least_area_px  smaller cracks are not reported
    cell_px        side of a cell; halo_px: surroundings read with it. Cracks up to halo_px / 2 wide have the same
                   centre line whatever the cells are
    """

    blur_px: float | None = None
    gap_px: float = 4.0
    least_area_px: int = 20
    cell_px: int = 512
    halo_px: int = 96

    def __post_init__(self) -> None:
        if self.blur_px is not None and not 0.1 <= self.blur_px <= 10:
            raise ValueError(
                f"the blur must be from 0.1 to 10 px (its sigma); received {self.blur_px}; next: leave it out where it is not known."
            )
        if not 0 <= self.gap_px <= 64:
            raise ValueError(f"gap_px must be from 0 to 64; received {self.gap_px}.")
        if self.cell_px < 16 or self.halo_px < 16:
            raise ValueError(
                f"cell_px and halo_px must be at least 16; received cell_px={self.cell_px}, halo_px={self.halo_px}."
            )


@dataclass(frozen=True)
class Window:
    """Pixels of a rectangle of the picture: mask bool [H, W]; image uint8 or float [H, W] or [H, W, 3], None: width
    from the mask alone; probability float [H, W] or None."""

    mask: np.ndarray
    image: np.ndarray | None = None
    probability: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.mask.ndim != 2:
            raise ValueError(f"a mask must be [H, W]; received {self.mask.shape}.")
        for name, array in (("image", self.image), ("probability", self.probability)):
            if array is not None and array.shape[:2] != self.mask.shape:
                raise ValueError(f"{name} must have the mask's size {self.mask.shape}; received {array.shape}.")


@dataclass(frozen=True)
class Piece:
    """One cell. Parts are connected components within the cell, numbered from 0; points are of the centre line."""

    cell: Rectangle
    area: np.ndarray  # [C] pixels
    probability: np.ndarray  # [C] sum over the pixels; NaN: none given
    box: np.ndarray  # [C, 4] x0, y0, x1, y1
    border: np.ndarray  # [B, 3] x, y, part of crack pixels along the inside of the cell's border
    edges: np.ndarray  # [E, 4] x, y of the corner where it starts, direction, part
    points: np.ndarray  # [N, 2] x, y pixel
    part: np.ndarray  # [N]
    centre: np.ndarray  # [N, 2] x, y, sub-pixel
    normal: np.ndarray  # [N, 2] unit vector along which the width was measured
    radius: np.ndarray  # [N] half width by the mask
    reach: np.ndarray  # [N] at a free end: how far the mask goes on; else NaN
    places: width.Places  # what the profiles say
    steady: np.ndarray  # [N] bool: away from junctions and ends, where a width makes sense


def cells(size_hw: tuple[int, int], cell_px: int) -> Iterator[Rectangle]:
    """Cells of a picture from top to bottom, left to right."""
    height, wide = size_hw
    for y in range(0, height, cell_px):
        for x in range(0, wide, cell_px):
            yield x, y, min(wide, x + cell_px), min(height, y + cell_px)


def window_of(cell: Rectangle, size_hw: tuple[int, int], halo_px: int) -> Rectangle:
    """The cell and its halo, within the picture."""
    x0, y0, x1, y1 = cell
    return max(0, x0 - halo_px), max(0, y0 - halo_px), min(size_hw[1], x1 + halo_px), min(size_hw[0], y1 + halo_px)


def measure_piece(window: Window, window_box: Rectangle, cell: Rectangle, settings: Settings) -> Piece | None:
    """Measure a cell; None where it has no crack pixel. window_box: where the window lies in the picture."""
    x0, y0 = cell[0] - window_box[0], cell[1] - window_box[1]
    if not window.mask[y0 : y0 + cell[3] - cell[1], x0 : x0 + cell[2] - cell[0]].any():
        return None
    window, window_box = _cropped(window, window_box, cell)
    x0, y0 = cell[0] - window_box[0], cell[1] - window_box[1]
    core = slice(y0, y0 + cell[3] - cell[1]), slice(x0, x0 + cell[2] - cell[0])
    mask = skeleton.fill_small_holes(window.mask.astype(bool))
    label, count = ndimage.label(mask[core], np.ones((3, 3)))
    ids = np.arange(1, count + 1)
    area = ndimage.sum_labels(window.mask[core], label, ids).astype(np.int64)
    found = np.full(count, np.nan)
    if window.probability is not None:
        found = ndimage.sum_labels(np.where(window.mask[core], window.probability[core], 0), label, ids)
    box = np.array([(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(label)])
    shift = np.array(window_box[:2])
    lines = _lines(mask, window.image, core, shift, settings)
    part = label[lines["points"][:, 1] - y0, lines["points"][:, 0] - x0] - 1
    corner = np.array(cell[:2])
    return Piece(
        cell=cell,
        area=area,
        probability=found,
        box=box + np.tile(corner, 2),
        border=_border(label) + [*corner, 0],
        edges=_edges(mask, core, label) + [*corner, 0, 0],
        points=lines.pop("points") + shift,
        centre=lines.pop("centre") + shift,
        part=part,
        **lines,
    )


def _cropped(window: Window, box: Rectangle, cell: Rectangle) -> tuple[Window, Rectangle]:
    """The cell and as much around the crack pixels as any profile reaches: the rest would be filtered for nothing."""
    rows, columns = (np.flatnonzero(window.mask.any(axis=axis)) for axis in (1, 0))
    spans = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    margin = int(width.REACH_WIDTHS * min(spans) / 2 + width.MARGIN_PX) + SPLINE_PX
    x0, y0 = (min(int(n[0]) - margin, c - b) for n, c, b in ((columns, cell[0], box[0]), (rows, cell[1], box[1])))
    x1, y1 = (max(int(n[-1]) + 1 + margin, c - b) for n, c, b in ((columns, cell[2], box[0]), (rows, cell[3], box[1])))
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(window.mask.shape[1], x1), min(window.mask.shape[0], y1)
    cut = np.s_[y0:y1, x0:x1]
    image, found = (None if a is None else a[cut] for a in (window.image, window.probability))
    part = Window(window.mask[cut], image, found)
    return part, (box[0] + x0, box[1] + y0, box[0] + x1, box[1] + y1)


def grey(image: np.ndarray) -> np.ndarray:
    """Luminance, float32 [H, W]."""
    return (
        image.astype(np.float32) @ GREY_OF_RGB
        if image.ndim == 3 and image.shape[2] == 3
        else image.reshape(image.shape[:2]).astype(np.float32)
    )


def _lines(
    mask: np.ndarray, image: np.ndarray | None, core: tuple[slice, slice], origin: np.ndarray, settings: Settings
) -> dict:
    """The pruned centre line and its widths in the window, those points that lie in the core. origin: of the window, in the picture."""
    points = skeleton.points_of(skeleton.thin(mask))
    radius = np.maximum(_depth(mask, points) - 0.5, 0.5)
    height, wide = mask.shape
    gap = np.minimum.reduce([points[:, 0], points[:, 1], wide - 1 - points[:, 0], height - 1 - points[:, 1]])
    alive = skeleton.prune(points, radius, gap <= radius + 2)
    points, radius = points[alive], radius[alive]
    centre, normal, steady, reach = _directions(points, radius, gap[alive] <= radius + 2, mask)

    def within(margin: int) -> np.ndarray:
        (rows, columns), (x, y) = core, points.T
        return (
            (y >= rows.start - margin)
            & (y < rows.stop + margin)
            & (x >= columns.start - margin)
            & (x < columns.stop + margin)
        )

    around = within(2)  # places of the core follow from those beside it as in the whole picture
    points, radius, centre, normal, steady, reach = (a[around] for a in (points, radius, centre, normal, steady, reach))
    light = None if image is None else grey(image)
    places = _every_second(
        points,
        points + origin,
        normal,
        lambda some: width.widths(light, mask, centre[some], normal[some], radius[some], settings.blur_px),
    )
    near = np.abs(places.shift) <= radius + 1
    centre = np.where((steady & near)[:, None], centre + places.shift[:, None] * normal, centre)
    own = within(0)
    lines = {"points": points, "centre": centre, "normal": normal, "radius": radius, "reach": reach, "steady": steady}
    return {
        **{name: value[own] for name, value in lines.items()},
        "places": Places(**{name: value[own] for name, value in vars(places).items()}),
    }


def _every_second(
    points: np.ndarray, place: np.ndarray, normal: np.ndarray, measure: Callable[[np.ndarray], Places]
) -> Places:
    """Places at all points, every second one along a line measured: a profile is the mean over 5 px along the crack, so one between
    two others says hardly more than their mean. place: of the points in the picture, so that the choice does not hang on the window."""
    along_x = np.abs(normal[:, 1]) > np.abs(normal[:, 0])
    some = np.where(along_x, place[:, 0], place[:, 1]) % 2 == 0
    if some.any():
        some |= cKDTree(points[some]).query(points)[0] > BESIDE_PX
    else:
        some[:] = True
    found = measure(some)
    if some.all():
        return found
    near = cKDTree(points[some]).query(points[~some], k=2, distance_upper_bound=BESIDE_PX)[1]
    first, second = near[:, 0], np.where(near[:, 1] < some.sum(), near[:, 1], near[:, 0])
    out = {}
    for name, value in vars(found).items():
        out[name] = np.empty(len(points), value.dtype)
        out[name][some] = value
        join = {"grey": np.logical_and, "bound": np.fmax}.get(name, lambda a, b: (a + b) / 2)
        out[name][~some] = join(value[first], value[second])
    return Places(**out)


def _depth(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance of each point of the mask to the nearest pixel outside of it, px. A distance transform of all pixels gives
    the same and takes ten times as long. A mask without an outside: half of its shorter side."""
    tall = np.pad(mask, 1)
    tall = tall[:-2] | tall[1:-1] | tall[2:]
    y, x = np.nonzero((tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]) & ~mask)
    if not len(x):
        return np.full(len(points), min(mask.shape) / 2)
    return cKDTree(np.stack([x, y], axis=1)).query(points)[0]


def _directions(
    points: np.ndarray, radius: np.ndarray, cut: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Smooth place, unit normal, steadiness and reach of each point; cut: the line goes on beyond the window there."""
    lines = skeleton.graph(points)
    centre = points.astype(np.float64)
    normal, steady = np.tile([0.0, 1.0], (len(points), 1)), np.zeros(len(points), bool)
    reach = np.full(len(points), np.nan)
    for branch, (first, last) in zip(lines.branches, lines.ends, strict=True):
        path = skeleton.smooth(points[branch], radius[branch])
        along = skeleton.tangents(path)
        centre[branch] = path
        normal[branch] = np.stack([-along[:, 1], along[:, 0]], axis=1)
        steady[branch] = True
        for end, junction, order in ((branch[0], first, branch), (branch[-1], last, branch[::-1])):
            closed = branch[0] == branch[-1] and len(branch) > 1
            if junction < 0 and not cut[end] and not closed:
                steady[order[: int(np.ceil(radius[end])) + 2]] = False
                reach[end] = _reach(mask, *skeleton.end_of(path, end == branch[0], radius[end]), radius[end])
    if len(lines.centres):
        size = np.zeros(len(lines.centres))
        member = lines.cluster >= 0
        np.maximum.at(size, lines.cluster[member], radius[member])
        away, nearest = cKDTree(lines.centres).query(points)
        # a branch that leaves at 40 degrees is part of the profiles across the other one up to here
        steady &= away > 2.75 * size[nearest] + 2
    return centre, normal, steady, reach


def _reach(mask: np.ndarray, start: np.ndarray, direction: np.ndarray, radius: float) -> float:
    """How far the mask goes on from start in that direction, px."""
    t = np.arange(0, 2 * radius + 3, 0.125)
    at = start[:, None] + direction[:, None] * t
    inside = ndimage.map_coordinates(mask.astype(np.float32), at[::-1], order=1) >= 0.5
    return float(t[-1] if inside.all() else t[np.argmin(inside)])


def _border(label: np.ndarray) -> np.ndarray:
    rim = np.zeros(label.shape, bool)
    rim[[0, -1], :] = rim[:, [0, -1]] = True
    y, x = np.nonzero(rim & (label > 0))
    return np.stack([x, y, label[y, x] - 1], axis=1)


def _edges(mask: np.ndarray, core: tuple[slice, slice], label: np.ndarray) -> np.ndarray:
    """Borders between crack pixels of the core and others, one per side, as [E, 4] x, y, direction, part."""
    padded = np.pad(mask, 1)
    rows, columns = core
    out = []
    for direction, (dx, dy, cx, cy) in enumerate([(0, -1, 0, 0), (1, 0, 1, 0), (0, 1, 1, 1), (-1, 0, 0, 1)]):
        other = padded[rows.start + 1 + dy : rows.stop + 1 + dy, columns.start + 1 + dx : columns.stop + 1 + dx]
        y, x = np.nonzero((label > 0) & ~other)
        out.append(np.stack([x + cx, y + cy, np.full_like(x, direction), label[y, x] - 1], axis=1))
    return np.concatenate(out)
