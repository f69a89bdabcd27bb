"""Pieces of a picture put together: every crack and every joint once, whatever the cells were.

Memory: about 100 bytes per point of the centre lines and 32 per pixel of outline, nothing per pixel of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.spatial import cKDTree

from aoienet.measure import joint, outline, skeleton, split, statistics
from aoienet.measure.crack import CRACK, JOINT, Crack
from aoienet.measure.line import Branch, Line, connected
from aoienet.measure.piece import Piece, Settings
from aoienet.measure.width import Places

Scores = Callable[[np.ndarray], np.ndarray]  # points [N, 2] (x, y) -> log-odds of the first stage [N]


@dataclass(frozen=True)
class Bridge:
    """A gap of the mask between a tip and another part; both_tips: the other side is a free end too."""

    groups: tuple[int, int]
    path: np.ndarray  # [2, 2]
    both_tips: bool


def merge(
    pieces: Iterable[Piece | None],
    size_hw: tuple[int, int],
    settings: Settings,
    scores: Scores | None = None,
    *,
    as_one: bool = False,
) -> list[Crack]:
    """All cracks and joints of a picture, in the order of their ids; as_one: everything is one crack. The order of the
    pieces does not matter."""
    found = sorted((p for p in pieces if p is not None), key=lambda p: (p.cell[1], p.cell[0]))
    if not found:
        return []
    whole = _together(found)
    del found
    lines = _lines(whole, connected(len(whole.area), _touching(whole.border)), size_hw)
    joints: list[list[Line]] = []
    if not as_one:
        lines, joints = split.apart(lines, joint.find(_strokes(whole, lines)), settings.least_area_px)
    cracks = [_crack(whole, parts, [], settings.blur_px, scores, JOINT) for parts in joints]
    bridges = _bridges(lines, settings.gap_px) if settings.gap_px > 0 and len(lines) > 1 else []
    joined = connected(len(lines), [b.groups for b in bridges])
    joined = np.zeros_like(joined) if as_one else joined
    count = int(joined.max(initial=-1)) + 1
    across = _split(joined[[b.groups[0] for b in bridges]], count)
    for members, inner in zip(_split(joined, count), across, strict=True):
        parts = [lines[g] for g in members]
        if sum(line.area for line in parts) >= settings.least_area_px:
            cracks.append(_crack(whole, parts, [bridges[b] for b in inner], settings.blur_px, scores, CRACK))
    cracks.sort(key=lambda c: (c.box_px[1], c.box_px[0], c.box_px[3], c.box_px[2], tuple(c.polygons_px[0][0])))
    return [replace(crack, id=k) for k, crack in enumerate(cracks, 1)]


def _together(pieces: list[Piece]) -> Piece:
    """All pieces as one, points sorted by y, then x."""
    first = np.cumsum([0, *(len(p.area) for p in pieces)])
    values = {}
    for field in fields(Piece):
        if field.name in ("cell", "places"):
            continue
        arrays = [getattr(p, field.name) for p in pieces]
        if field.name == "part":
            arrays = [a + n for a, n in zip(arrays, first, strict=False)]
        elif field.name in ("border", "edges"):
            arrays = [a + np.append(np.zeros(a.shape[1] - 1, a.dtype), n) for a, n in zip(arrays, first, strict=False)]
        values[field.name] = np.concatenate(arrays)
    order = np.lexsort((values["points"][:, 0], values["points"][:, 1]))
    for name in ("points", "part", "centre", "normal", "radius", "reach", "steady"):
        values[name] = values[name][order]
    places = {f.name: np.concatenate([getattr(p.places, f.name) for p in pieces])[order] for f in fields(Places)}
    return Piece(cell=(0, 0, 0, 0), places=Places(**places), **values)


def _touching(border: np.ndarray) -> np.ndarray:
    """Pairs of parts with pixels next to each other (8-neighbourhood), int [P, 2]."""
    order = np.lexsort((border[:, 0], border[:, 1]))
    x, y, part = border[order].T
    stride = int(x.max(initial=0)) + 3
    keys, pairs = y * stride + x, []
    for step in (1, stride - 1, stride, stride + 1):
        place = np.minimum(np.searchsorted(keys, keys + step), len(keys) - 1)
        near = keys[place] == keys + step
        pairs.append(np.stack([part[near], part[place[near]]], axis=1))
    return np.concatenate(pairs) if len(keys) else np.empty((0, 2), np.int64)


def _split(label: np.ndarray, count: int) -> list[np.ndarray]:
    """Indices with each label 0 ... count - 1."""
    order = np.argsort(label, kind="stable")
    return np.split(order, np.searchsorted(label[order], np.arange(1, count)))


def _lines(whole: Piece, group: np.ndarray, size_hw: tuple[int, int]) -> list[Line]:
    count = int(group.max()) + 1
    sets = (_split(values, count) for values in (group, group[whole.part], group[whole.edges[:, 3]]))
    return [_line(whole, parts, p, whole.edges[e, :3], size_hw) for parts, p, e in zip(*sets, strict=True)]


def _line(whole: Piece, parts: np.ndarray, own: np.ndarray, edges: np.ndarray, size_hw: tuple[int, int]) -> Line:
    """Branches of one connected part of the mask; parts: of the pieces, own: its points, sorted."""
    branches, tips = _branches(whole, own, size_hw) if len(own) else ([], [])
    low, high = whole.box[parts, :2].min(axis=0), whole.box[parts, 2:].max(axis=0)
    return Line(
        branches=branches,  # none: a blob so wide that its thinned points fell to no cell
        tips=np.array(tips).reshape(-1, 2),
        edges=edges,
        area=int(whole.area[parts].sum()),
        box=np.concatenate([low, high]),
        probability=float(whole.probability[parts].sum()),
        count=len(branches),
    )


def _branches(whole: Piece, own: np.ndarray, size_hw: tuple[int, int]) -> tuple[list[Branch], list[np.ndarray]]:
    """The branches of a connected part and its free ends."""
    graph = skeleton.graph(whole.points[own])
    radius, centre, normal = whole.radius[own], whole.centre[own], whole.normal[own]
    branches, tips = [], []
    last_pixel = np.array([size_hw[1], size_hw[0]]) - 0.5
    for branch, ends in zip(graph.branches, graph.ends, strict=True):
        rough = centre[branch]
        for at, junction in zip((0, -1), ends, strict=True):
            if junction >= 0:
                rough[at] = graph.centres[junction]
        path = skeleton.smooth(rough, radius[branch])
        steps = np.hypot(*np.diff(path, axis=0).T) if len(path) > 1 else np.zeros(1)
        along = skeleton.tangents(path)
        cosines = np.abs(along[:, 0] * normal[branch, 1] - along[:, 1] * normal[branch, 0])
        weights = (np.append(steps, 0) + np.insert(steps, 0, 0))[: len(branch)] / 2
        closed = len(branch) > 1 and branch[0] == branch[-1]
        head, tail = (junction < 0 and not closed for junction in ends)
        for first, free in ((True, head), (False, tail)):
            if free:
                end = own[branch[0 if first else -1]]
                path = _extended(path, whole.radius[end], whole.reach[end], first)
                path = np.clip(path, -0.5, last_pixel)
                tips.append(path[0 if first else -1])
        branches.append(Branch(path, own[branch], weights, cosines, whole.radius[own][branch], ends, int(head)))
    return branches, tips


def _strokes(whole: Piece, lines: list[Line]) -> joint.Strokes:
    """All branches of a picture, for the search of joints."""
    branches = [branch for line in lines for branch in line.branches]
    nothing = np.empty(0)
    samples = np.concatenate([nothing.astype(np.int64), *(branch.samples for branch in branches)])
    weights, cosines = (
        np.concatenate([nothing, *(getattr(branch, name) for branch in branches)]) for name in ("weights", "cosines")
    )
    width = whole.places.width[samples] * cosines
    return joint.strokes_of([branch.inner for branch in branches], weights, width, whole.steady[samples])


def _extended(path: np.ndarray, radius: float, reach: float, first: bool) -> np.ndarray:
    """The thinned line ends about half a width before the mask does: go on straight."""
    end, direction = skeleton.end_of(path, first, radius)
    tip = (end + direction * (radius if math.isnan(reach) else reach))[None]
    return np.concatenate([tip, path] if first else [path, tip])


def _bridges(lines: list[Line], gap_px: float) -> list[Bridge]:
    """The shortest gap from each tip to an outline of another part, if it is at most gap_px."""
    tips = np.concatenate([line.tips for line in lines])
    owner = np.concatenate([np.full(len(line.tips), k) for k, line in enumerate(lines)]).astype(np.int64)
    sides = np.concatenate([line.edges for line in lines])
    side_owner = np.concatenate([np.full(len(line.edges), k) for k, line in enumerate(lines)]).astype(np.int64)
    middle = sides[:, :2] - 0.5 + outline.STEPS_XY[sides[:, 2]] / 2
    if not len(tips):
        return []
    best: dict[tuple[int, int], tuple[float, int, int]] = {}
    for k, near in enumerate(cKDTree(middle).query_ball_point(tips, gap_px)):
        others = np.array(sorted(near), np.int64)
        others = others[side_owner[others] != owner[k]]
        if len(others):
            away = np.hypot(*(middle[others] - tips[k]).T)
            nearest = int(np.argmin(away))
            a, b = int(owner[k]), int(side_owner[others[nearest]])
            pair = (min(a, b), max(a, b))
            best[pair] = min(best.get(pair, (np.inf, 0, 0)), (float(away[nearest]), k, int(others[nearest])))
    tree = cKDTree(tips)
    out = []
    for pair, (_, k, side) in sorted(best.items()):
        other = pair[0] if owner[k] == pair[1] else pair[1]
        facing = [j for j in tree.query_ball_point(tips[k], 2 * gap_px) if owner[j] == other]
        out.append(Bridge(pair, np.stack([tips[k], middle[side]]), bool(facing)))
    return out


def _crack(
    whole: Piece,
    lines: list[Line],
    bridges: list[Bridge],
    blur_px: float | None,
    scores: Scores | None,
    kind: str,
) -> Crack:
    """One row: a crack, or a joint with all its parts."""
    branches = [branch for line in lines for branch in line.branches]
    paths = [branch.path for branch in branches] + [link for line in lines for link in line.links]
    paths += [b.path for b in bridges]
    boxes = np.array([line.box for line in lines])
    if not paths:
        paths = [_through(boxes)]
    polygons = [polygon for line in lines for polygon in outline.polygons(line.edges)]
    box = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    sizes = [len(branch.samples) for branch in branches]
    lengths = [skeleton.length_of(path) for path in paths]
    tips = sum(len(line.tips) + line.cuts for line in lines)
    area = sum(line.area for line in lines)
    if branches:
        samples, weights, cosines = (
            np.concatenate([getattr(branch, name) for branch in branches]) for name in ("samples", "weights", "cosines")
        )
        along = Places(**{name: value[samples] for name, value in vars(whole.places).items()})
        along = replace(along, width=along.width * cosines, bound=along.bound * cosines)
        number = np.repeat(np.arange(len(sizes)), sizes)
        widths = statistics.summary(statistics.Samples(along, whole.steady[samples], weights, number, tips), blur_px)
    else:
        widths = statistics.of_area(area, lengths[0])
    touched = np.concatenate([*paths, *(ring for rings in polygons for ring in rings)])
    return Crack(
        id=0,
        kind=kind,
        paths_px=tuple(paths),
        polygons_px=tuple(sorted(polygons, key=lambda rings: -outline.area_of(rings[0]))),
        box_px=(int(box[0]), int(box[1]), int(box[2]), int(box[3])),
        area_px=area,
        length_px=math.fsum(lengths),
        length_u_px=statistics.length_u(math.fsum(lengths), tips, widths.median.value_px),
        widths=widths,
        orientation_deg=_orientation(paths),
        branches=1
        if kind == JOINT
        else sum(line.count for line in lines) + sum(-1 if b.both_tips else 1 for b in bridges),
        score=float(np.max(scores(touched))) if scores is not None else math.nan,
        probability=sum(line.probability for line in lines) / area,
    )


def _through(boxes: np.ndarray) -> np.ndarray:
    """A line through the middle of the boxes, along their longer side."""
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0) - 0.5, boxes[:, 2:].max(axis=0) - 0.5
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return np.array([(x0, y), (x1, y)] if x1 - x0 >= y1 - y0 else [(x, y0), (x, y1)])


def _orientation(paths: list[np.ndarray]) -> float:
    """Direction of the largest spread of the centre line, each piece of it weighed by its length."""
    middle = np.concatenate([(path[1:] + path[:-1]) / 2 for path in paths])
    weight = np.concatenate([np.hypot(*np.diff(path, axis=0).T) for path in paths])
    if weight.sum() <= 0:
        return 0.0
    x, y = (middle - np.average(middle, axis=0, weights=weight)).T
    xx, xy, yy = (float(np.average(v, weights=weight)) for v in (x * x, x * -y, y * y))
    angle = math.degrees(0.5 * math.atan2(2 * xy, xx - yy)) % 180.0
    return angle if angle < 180.0 else 0.0  # -1e-17 % 180 is 180
