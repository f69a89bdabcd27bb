"""Joints taken out of what the mask connects: each joint by itself, and cracks that keep their own length.

A joint gets all pixels of its corridor, those of a crack that crosses it or runs along inside of it included; the rest belongs to the
nearest centre line. A crack that crosses a joint stays one crack. One that runs along inside of the corridor for more than a
few widths is there seen as the joint: it ends where it enters and another begins where it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from aoienet.measure import outline
from aoienet.measure.joint import Joint
from aoienet.measure.line import Branch, Line, connected

SHORT_PX = 12.0  # a joint that wriggles for so long is one still, and a crack on it for less than that is none
# A crack that crosses a joint leaves it this far from where it came in, by the joint's width.
LINK_WIDTHS, LINK_PX = 4.0, 4.0
SIDE_PX = 10  # a crack's side of a joint is taken this far from its end
MARGIN_PX = 1.0  # a corridor is this much wider than the joint at either side
PIXELS = 1 << 20  # of a mask at once
CUT = -2  # end of a run that goes on as something else; -1 is a free end


@dataclass(frozen=True)
class _Run:
    """A stretch of a branch that is joint number `joint`, or crack (-1). ends: junctions, CUT or -1; beyond: the joint
    at a cut end, else -1."""

    branch: Branch
    joint: int
    ends: tuple[int, int]
    beyond: tuple[int, int]

    @property
    def area(self) -> float:
        """About how many pixels."""
        return float(self.branch.weights @ (2 * self.branch.radius + 1))


@dataclass(frozen=True)
class _End:
    """An end of a crack's run at a joint. side: of the joint, -1 or 1; junction: or CUT."""

    run: int
    joint: int
    place: np.ndarray
    side: float
    junction: int


@dataclass(frozen=True)
class _Part:
    """What becomes a line: its runs, and the number of the joint or -1."""

    runs: list[_Run]
    joint: int
    count: int
    links: tuple[np.ndarray, ...]
    cuts: int


def apart(lines: Sequence[Line], joints: Sequence[Joint], least_area_px: int) -> tuple[list[Line], list[list[Line]]]:
    """Lines without the joints, and the parts of each joint. Crumbs under least_area_px at a joint are the joint's."""
    label = np.full(sum(len(b.samples) for line in lines for b in line.branches), -1, np.int64)
    for k, joint in enumerate(joints):
        label[joint.places] = k
    out: list[Line] = []
    parts: list[list[Line]] = [[] for _ in joints]
    at = 0
    for line in lines:
        own = label[at : at + sum(len(b.samples) for b in line.branches)]
        at += len(own)
        runs = _runs(line, own, joints) if (own >= 0).any() else []
        if not any(run.joint >= 0 for run in runs):
            out.append(line)
            continue
        cut = _parts(runs, joints, least_area_px)
        for part, made in zip(cut, _with_pixels(line, cut), strict=True):
            if made is not None:
                (out if part.joint < 0 else parts[part.joint]).append(made)
    return out, [some for some in parts if some]


def _runs(line: Line, label: np.ndarray, joints: Sequence[Joint]) -> list[_Run]:
    stops = np.cumsum([len(b.samples) for b in line.branches])[:-1]
    labels = np.split(label, stops)
    passing: dict[int, set[int]] = {}  # joints at a junction
    for branch, own in zip(line.branches, labels, strict=True):
        for end, joint in zip(branch.ends, (int(own[0]), int(own[-1])), strict=True):
            if end >= 0 and joint >= 0:
                passing.setdefault(end, set()).add(joint)
    runs = []
    for number, (branch, own) in enumerate(zip(line.branches, labels, strict=True)):
        first, last = (passing.get(end, set()) for end in branch.ends)
        own = _cleaned(branch, own, [(k, joints[k]) for k in sorted(first & last)])
        stretches = _stretches(own)
        closed = len(own) > 1 and branch.ends == (-1, -1) and bool((branch.path[0] == branch.path[-1]).all())
        outer = (-3 - number,) * 2 if closed else branch.ends  # where a ring is closed
        for a, b in stretches:
            runs.append(
                _Run(
                    _stretch(branch, a, b, bool(own[a] < 0)),
                    int(own[a]),
                    (outer[0] if a == 0 else CUT, outer[1] if b == len(own) else CUT),
                    (-1 if a == 0 else int(own[a - 1]), -1 if b == len(own) else int(own[b])),
                )
            )
    return runs


def _stretches(own: np.ndarray) -> list[tuple[int, int]]:
    """First and last + 1 of the stretches of equal labels."""
    stops = [0, *(np.flatnonzero(np.diff(own)) + 1).tolist(), len(own)]
    return list(zip(stops, stops[1:], strict=False))


def _cleaned(branch: Branch, label: np.ndarray, joints: Sequence[tuple[int, Joint]]) -> np.ndarray:
    """The labels of a branch without changes over less than SHORT_PX; joints: those at both of its junctions."""
    own = label.copy()
    for a, b in _stretches(own):  # what wriggles between two pieces of one joint
        inside = a > 0 and b < len(own) and own[a] < 0 and own[a - 1] == own[b]
        if inside and branch.weights[a:b].sum() <= SHORT_PX:
            own[a:b] = own[b]
    for a, b in _stretches(own):  # a crack that only comes near
        if own[a] >= 0 and b - a < len(own) and branch.weights[a:b].sum() < SHORT_PX:
            own[a:b] = -1
    if (own < 0).all() and branch.weights.sum() <= SHORT_PX:
        for k, joint in joints:
            if (np.abs(joint.away(branch.inner)) <= joint.width / 2 + MARGIN_PX).all():
                own[:] = k
    return own


def _stretch(branch: Branch, a: int, b: int, crack: bool) -> Branch:
    """Samples a ... b - 1 of a branch; a crack's path reaches to the joint's last place."""
    n, first = len(branch.samples), branch.first
    low = 0 if a == 0 else first + a - crack
    high = len(branch.path) if b == n else first + b + crack
    return Branch(
        branch.path[low:high],
        branch.samples[a:b],
        branch.weights[a:b],
        branch.cosines[a:b],
        branch.radius[a:b],
        branch.ends,
        first if a == 0 else int(crack),
    )


def _parts(runs: list[_Run], joints: Sequence[Joint], least_area_px: int) -> list[_Part]:
    """Joints, then cracks: those that meet at a junction, or face each other across a joint, are one."""
    of_joints: dict[int, list[_Run]] = {}
    for run in runs:
        if run.joint >= 0:
            of_joints.setdefault(run.joint, []).append(run)
    made = [_Part(own, k, 1, (), sum(CUT == e for r in own for e in r.ends)) for k, own in sorted(of_joints.items())]
    cracks = [run for run in runs if run.joint < 0]
    ends = _ends_at_joints(runs, cracks, joints)
    at: dict[int, list[int]] = {}
    for k, run in enumerate(cracks):
        for junction in run.ends:
            if junction not in (CUT, -1):
                at.setdefault(junction, []).append(k)
    pairs = [(some[0], other) for some in at.values() for other in some[1:]]
    links = _links(ends, connected(len(cracks), pairs), joints)
    part = connected(len(cracks), pairs + [(ends[a].run, ends[b].run) for a, b in links]).tolist()
    count = max(part, default=-1) + 1
    own_runs: list[list[_Run]] = [[] for _ in range(count)]
    across: list[list[np.ndarray]] = [[] for _ in range(count)]
    passed, cuts = [0] * count, [0] * count
    for run, k in zip(cracks, part, strict=True):
        own_runs[k].append(run)
    for some in at.values():
        passed[part[some[0]]] += len(some) == 2
    for a, b in links:
        across[part[ends[a].run]].append(np.stack([ends[a].place, ends[b].place]))
    linked = {k for pair in links for k in pair}
    for k, end in enumerate(ends):
        cuts[part[end.run]] += k not in linked and len(at.get(end.junction, ())) < 2
    for own, lines, on, cut in zip(own_runs, across, passed, cuts, strict=True):
        if sum(run.area for run in own) >= least_area_px:
            made.append(_Part(own, -1, max(1, len(own) - on - len(lines)), tuple(lines), cut))  # a ring is one
    return made


def _ends_at_joints(runs: list[_Run], cracks: list[_Run], joints: Sequence[Joint]) -> list[_End]:
    passing: dict[int, int] = {}
    for run in runs:
        if run.joint >= 0:
            passing |= {junction: run.joint for junction in run.ends if junction not in (CUT, -1)}
    ends = []
    for k, run in enumerate(cracks):
        path = run.branch.path
        for end, beyond, way in zip(run.ends, run.beyond, (path, path[::-1]), strict=True):
            joint = beyond if end == CUT else passing.get(end, -1)
            if joint >= 0:
                off = joints[joint].away(way[: SIDE_PX + 1])
                ends.append(_End(k, joint, way[0], float(np.sign(off[-1])), end))
    return ends


def _links(ends: list[_End], part: np.ndarray, joints: Sequence[Joint]) -> list[tuple[int, int]]:
    """Pairs of ends of different cracks at opposite sides of a joint and near to each other, the nearest first."""
    if len(ends) < 2:
        return []
    places = np.array([end.place for end in ends])
    reach = [LINK_WIDTHS * joints[end.joint].width + LINK_PX for end in ends]
    pairs = cKDTree(places).query_pairs(max(reach), output_type="ndarray")
    away = np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T)
    links: list[tuple[int, int]] = []
    used: set[int] = set()
    for k in np.lexsort((pairs[:, 1], pairs[:, 0], away)).tolist():
        i, j = pairs[k].tolist()
        a, b = ends[i], ends[j]
        facing = a.joint == b.joint and a.side * b.side < 0 and away[k] <= reach[i]
        if facing and part[a.run] != part[b.run] and not used & {i, j}:
            used |= {i, j}
            links.append((i, j))
    return links


def _with_pixels(line: Line, parts: list[_Part]) -> list[Line | None]:
    """The parts with their pixels, None where none is left."""
    edges = _edges(line.edges, parts) if len(parts) > 1 else [line.edges]
    out: list[Line | None] = []
    for part, own in zip(parts, edges, strict=True):
        if not len(own):
            out.append(None)
            continue
        tips = [p for run in part.runs for end, p in zip(run.ends, run.branch.path[[0, -1]], strict=True) if end == -1]
        whole = len(parts) == 1
        area = line.area if whole else _area(own)
        corners = own[:, :2] + outline.STEPS_XY[own[:, 2]]
        out.append(
            Line(
                branches=[run.branch for run in part.runs],
                tips=np.array(tips).reshape(-1, 2),
                edges=own,
                area=area,
                box=np.concatenate([corners.min(axis=0), corners.max(axis=0)]),
                probability=line.probability * area / line.area,
                count=part.count,
                links=part.links,
                cuts=part.cuts,
            )
        )
    return out


def _area(edges: np.ndarray) -> int:
    """Pixels inside of all rings: the sum over the runs of their rows."""
    rows = _rows(edges)
    return int((rows[:, 2] - rows[:, 1]).sum())


def _rows(edges: np.ndarray) -> np.ndarray:
    """Runs of pixels, int [R, 3]: y, first x, x after the last; sorted."""
    down, up = edges[edges[:, 2] == 1], edges[edges[:, 2] == 3]
    left = np.stack([up[:, 1] - 1, up[:, 0]], axis=1)
    right = down[:, [1, 0]]
    left, right = (a[np.lexsort((a[:, 1], a[:, 0]))] for a in (left, right))
    return np.column_stack([left, right[:, 1]])


def _edges(edges: np.ndarray, parts: list[_Part]) -> list[np.ndarray]:
    """The edges [E, 3] of each part."""
    owner, found = _Owner(parts), []
    rows = _rows(edges)
    for y0, y1 in _strips(rows):
        some = rows[(rows[:, 0] >= y0 - 1) & (rows[:, 0] <= y1)]
        size = some[:, 2] - some[:, 1]
        x = np.repeat(some[:, 1] - np.cumsum(size) + size, size) + np.arange(size.sum())
        y = np.repeat(some[:, 0], size)
        part = owner.of(np.stack([x, y], axis=1))
        stride = int(x.max() - x.min()) + 3
        keys = y * stride + x - x.min() + 1
        inside = (y >= y0) & (y < y1)
        for direction, (dx, dy, cx, cy) in enumerate([(0, -1, 0, 0), (1, 0, 1, 0), (0, 1, 1, 1), (-1, 0, 0, 1)]):
            wanted = keys + dy * stride + dx
            place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            border = inside & ((keys[place] != wanted) | (part[place] != part))
            corner = np.stack([x + cx, y + cy, np.full_like(x, direction), part], axis=1)
            found.append(corner[border])
    every = np.concatenate(found)
    every = every[np.argsort(every[:, 3], kind="stable")]
    return np.split(every[:, :3], np.searchsorted(every[:, 3], np.arange(1, len(parts))))


def _strips(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Strips of rows y0 ... y1 - 1 with about PIXELS pixels each."""
    total = np.cumsum(rows[:, 2] - rows[:, 1])
    stops = np.searchsorted(total, np.arange(PIXELS, int(total[-1]), PIXELS))
    edges = np.unique([rows[0, 0], *rows[stops, 0], rows[-1, 0] + 1]).tolist()
    yield from zip(edges, edges[1:], strict=False)


class _Owner:
    """Which part a pixel belongs to."""

    def __init__(self, parts: list[_Part]) -> None:
        self._joints = self._places([(k, part) for k, part in enumerate(parts) if part.joint >= 0])
        self._cracks = self._places([(k, part) for k, part in enumerate(parts) if part.joint < 0])
        self._corridor = np.array([_half(part) + MARGIN_PX for part in parts])

    @staticmethod
    def _places(parts: list[tuple[int, _Part]]) -> tuple[cKDTree, np.ndarray] | None:
        if not parts:
            return None
        places = [run.branch.inner for _, part in parts for run in part.runs]
        owners = [np.full(len(run.branch.samples), k) for k, part in parts for run in part.runs]
        return cKDTree(np.concatenate(places)), np.concatenate(owners)

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels [N, 2] (x, y) -> number of the part [N]."""
        assert self._joints is not None
        to_joint, nearest = self._joints[0].query(pixels)
        part = self._joints[1][nearest]
        if self._cracks is not None:
            to_crack, other = self._cracks[0].query(pixels)
            part = np.where((to_joint <= self._corridor[part]) | (to_joint <= to_crack), part, self._cracks[1][other])
        return part


def _half(part: _Part) -> float:
    """Half of its width by the mask, px."""
    return float(np.median(np.concatenate([run.branch.radius for run in part.runs])))
