"""From the files of a picture's units to its output folder."""

from __future__ import annotations

import contextlib
import operator
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from aoienet.cells import LINKS, WEAKER, largest
from aoienet.files import OutputError
from aoienet.measure import Piece, Settings, merge
from aoienet.measure.classes import Classes, too_coarse
from aoienet.measure.crack import CRACK, JOINT, Crack
from aoienet.measure.joint import LEAST_PX
from aoienet.measure.marker import Marked
from aoienet.report.outputs import Findings, write_outputs
from aoienet.report.page import severity
from aoienet.report.records import CLASS_ENDS, Scale, columns, place_of, record
from aoienet.report.tables import area_share, looked_share, outside_share, unfamiliar_share
from aoienet.scan.cascade import Found, Stages
from aoienet.scan.follow import CELLS
from aoienet.scan.keep import OUTSIDE, Reason, cell_px
from aoienet.scan.mask import SpooledMask
from aoienet.scan.runner import ScanResult, shrink_factor
from aoienet.scan.sources import GeoReference, SourceError, file_sha256
from aoienet.scan.tiles import Geometry, block_grid
from aoienet.scan.work import Picture, Plan

ONLY_FIRST = "Only the first stage was run: no crack was segmented or measured, the marked areas are suspicions."
DARK = 64  # of 255: what 14 bits reach where 16 were expected
NOTABLE = 0.1  # share of the area that nobody could judge from which on a reader is warned
MOSTLY = 0.5  # share of the area from which on a picture as a whole is called unfamiliar, or empty
COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq,
}  # fmt: skip
COUNTS = {"cracks": CRACK, "joints": JOINT}  # names of a rule that count


class RuleError(ValueError):
    """A rule of --fail-on that says nothing."""


@dataclass(frozen=True)
class Condition:
    """NAME OP NUMBER of one crack or joint, or of their number."""

    name: str
    sign: str
    number: float

    def holds(self, value: Any) -> bool:
        """Whether a value meets it; one that nobody knows does not."""
        return value is not None and COMPARE[self.sign](float(value), self.number)


@dataclass(frozen=True)
class Rule:
    """NAME OP NUMBER, several joined by `and`: any crack whose columns of defects.csv compare so, any joint with `joint.` before
    the first name; or the number of `cracks` or `joints` itself, alone."""

    text: str
    kind: str
    conditions: tuple[Condition, ...]

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Raises   RuleError: not of that form, no such column, a number of cracks beside other conditions."""
        prefix, body = re.fullmatch(r"\s*(?:(crack|joint)\.)?(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        parts = [part.removeprefix(f"{prefix}.") for part in re.split(r"\s+and\s+", body)]
        known = [*(COUNTS if prefix is None else ()), *columns(Scale(1.0, ""), place_of(None))[2:]]
        conditions = tuple(_condition(part, text, known) for part in parts)
        if len(conditions) > 1 and any(c.name in COUNTS for c in conditions):
            raise RuleError(f"cracks and joints count all of a picture and stand alone in a rule; received {text!r}")
        return cls(text, COUNTS.get(conditions[0].name) or prefix or CRACK, conditions)

    def holds(self, records: Sequence[dict[str, Any]]) -> bool:
        """Whether the cracks or joints of a picture meet the rule."""
        own = [r for r in records if r["kind"] == self.kind]
        first = self.conditions[0]
        if first.name in COUNTS:
            return first.holds(len(own))
        return any(all(c.holds(r.get(c.name)) for c in self.conditions) for r in own)

    @property
    def needs_scale(self) -> bool:
        """Whether it speaks of millimetres."""
        return any(c.name.endswith(("_mm", "_mm2")) or c.name == "mm_per_px" for c in self.conditions)


def _condition(part: str, text: str, known: Sequence[str]) -> Condition:
    found = re.fullmatch(r"\s*([a-z0-9_]+)\s*(>=|<=|==|>|<)\s*([-+0-9.eE]+)\s*", part)
    try:
        if found is None:
            raise ValueError
        number = float(found[3])
    except ValueError:
        raise RuleError(
            'a rule is NAME>=NUMBER (>, <=, <, ==), as "width_max_mm>=0.3", or several joined by "and"; '
            f"received {text!r}"
        ) from None
    if found[1] not in known:
        raise RuleError(f"unknown name {found[1]!r} in the rule {text!r}; known: {', '.join(known)}")
    return Condition(found[1], found[2], number)


@dataclass(frozen=True)
class Options:
    """What the outputs need to know. mm_per_px None: from the picture's own place on the earth, if it has one."""

    mm_per_px: float | None = None
    scale_origin: str = ""
    classes: Classes | None = None
    rule: Rule | None = None


def finish(stages: Stages, plan: Plan, picture: Picture, units: list[Path]) -> dict[str, Any]:
    """Write all outputs of a picture; gives what the summary says of it.

    Raises   SourceError: the picture can no longer be read. OutputError: the folder cannot be written, a unit's file is
             broken.
    """
    options: Options = plan.options
    picture.folder.mkdir(parents=True, exist_ok=True)
    with stages.open_source(picture.path) as source:
        geo, size_hw, white_level = source.geo, (source.height, source.width), source.white_level
        notices, outside = list(source.warnings), source.outside
    if wrong := needs_scale(options, picture, geo):
        raise SourceError(wrong)
    scale = scale_of(options, geo, size_hw, picture.marked)
    sha256 = file_sha256(picture.path)
    with _spool(plan.work) as spool:
        mask = SpooledMask(spool, size_hw[1])
        first, pieces = _together(stages, size_hw, units, mask)
        if (first.reasons_HW == OUTSIDE).all():
            raise SourceError(
                f"{picture.path}: a part of the picture must have been photographed; received a file whose {outside} says that nothing "
                "was; next: --nodata none, which looks at all of it"
            )
        cracks = merge(pieces, size_hw, plan.settings, score_lookup(first.scores_HW, stages.geometry))
        del pieces
        findings = Findings(
            path=picture.path,
            sha256=sha256,
            classes=stages.classes,
            first=first,
            cracks=cracks,
            mask_rows=mask.rows,
            scale=scale,
            model=stages.model,
            second_stage=stages.second_stage,
            settings=settings_of(stages, plan.settings),
            certificate=stages.certificate,
            set_aside=stages.set_aside,
            white_level=stages.white_level,
            nodata=stages.nodata,
            warnings=[
                *notices,
                *_too_dark(first.thumb, white_level),
                *_warnings(stages, options, plan.settings, scale, first, outside),
            ],
        )
        write_outputs(picture.folder, findings)
    return _summary(options, picture, findings, geo)


@contextlib.contextmanager
def _spool(folder: Path) -> Iterator[BinaryIO]:
    """A file without a name in the work folder; a full disk there is an error like any other of the outputs."""
    try:
        with tempfile.TemporaryFile(dir=folder) as spool:
            yield spool
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from None


def needs_scale(options: Options, picture: Picture, geo: GeoReference | None) -> str:
    """Why a picture cannot be held against the rule of the options, or ""."""
    scale = scale_of(options, geo, (picture.height, picture.width), picture.marked)
    if options.rule is None or not options.rule.needs_scale or scale.mm_per_px is not None:
        return ""
    return f"{picture.path}: the rule {options.rule.text!r} needs a scale; {scale.origin}"


def scale_of(
    options: Options, geo: GeoReference | None, size_hw: tuple[int, int], marked: Marked | None = None
) -> Scale:
    """From the picture's markers or the user, else from the file, else none; width classes only where they can be told."""
    mm, origin = options.mm_per_px, options.scale_origin
    if marked is not None:
        mm, origin = marked.scale.mm_per_px, marked.scale.words
    elif mm is None and geo is not None:
        mm, origin = geo.pixel_mm(size_hw[1], size_hw[0])
    elif mm is None:
        origin = "no scale was given and the file has none; next: --mm-per-px NUMBER"
    classes = options.classes
    if classes is not None and mm is None and len(classes.classes) > 1:
        classes = None
    return Scale(mm, origin, classes, marked)


def settings_of(stages: Stages, settings: Settings) -> dict[str, Any]:
    """Everything that a result depends on besides the models and the picture."""
    geometry = stages.geometry
    return {
        "threshold_log_odds": stages.decision.threshold,
        "temperature": stages.decision.temperature,
        "defect": stages.classes[stages.decision.defect],
        "block_px": geometry.block_px,
        "block_stride_px": geometry.stride_px,
        "halo_px": geometry.halo_px,
        "blur_px": settings.blur_px,
        "unfamiliar_beyond": "not looked for: the model file has no statistics of its training pictures"
        if stages.familiar is None
        else {"limit": stages.familiar.limit, "around_px": stages.familiar.around_px},
        "linked": {"cells": LINKS, "log_odds_below_threshold": WEAKER},
        "followed_cells": 0 if stages.segmenter is None else CELLS,
        "gap_px": settings.gap_px,
        "least_area_px": settings.least_area_px,
        "joint_least_px": LEAST_PX,
    }


def score_lookup(scores_HW: np.ndarray, geometry: Geometry) -> Callable[[np.ndarray], np.ndarray]:
    """Points [N, 2] (x, y) -> the largest log-odds of the blocks that cover each."""
    cells, cell = largest(scores_HW, geometry.block_px, geometry.stride_px), cell_px(geometry)

    def scores(points: np.ndarray) -> np.ndarray:
        x, y = (np.floor(np.asarray(points) + 0.5).astype(np.int64) // cell).T
        return cells[np.clip(y, 0, len(cells) - 1), np.clip(x, 0, cells.shape[1] - 1)]

    return scores


def _together(
    stages: Stages, size_hw: tuple[int, int], units: list[Path], mask: SpooledMask
) -> tuple[ScanResult, list[Piece]]:
    """All units of a picture as one; the mask goes to the spool."""
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("scores_HW", "best_HW", "reasons_HW", "thumb")}
    pieces: list[Piece] = []
    for found in _units(units):
        for name, parts in rows.items():
            parts.append(getattr(found, name))
        mask.add(found.places, found.bits)
        pieces += found.pieces
    whole = {name: np.concatenate(parts) for name, parts in rows.items()}
    grid = block_grid(*size_hw, stages.geometry)
    sought = stages.familiar is not None
    result = ScanResult(grid, stages.geometry, stages.decision, factor=shrink_factor(*size_hw), sought=sought, **whole)
    return result, pieces


def _units(paths: list[Path]) -> Iterator[Found]:
    for path in paths:
        try:
            yield Found.from_bytes(path.read_bytes())
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise OutputError(
                f"the work file {path} is missing or broken ({error}); begin anew with --overwrite"
            ) from None


def _warnings(
    stages: Stages, options: Options, settings: Settings, scale: Scale, first: ScanResult, outside: str
) -> list[str]:
    made = []
    gone = outside_share(first)
    if gone >= MOSTLY:
        made.append(
            f"Nothing was photographed in {100 * gone:.0f} % of the picture: so says its {outside}. Nothing was looked for there; if that is "
            "wrong, --nodata none looks at all of it."
        )
    share = unfamiliar_share(first)
    if share is not None and share >= MOSTLY:
        made.append(
            f"{100 * share:.0f} % of the area looks unlike the pictures that the first stage was trained on: its certificate and its "
            "scores do not hold here, and all of this area was passed on. Look at the picture by hand, or train on such surfaces."
        )
    made += _unjudged(first)
    if stages.segmenter is None:
        made.append(ONLY_FIRST)
    if options.classes is not None and scale.classes is None:
        made.append(f"Width classes {options.classes.name} were asked for, but there is no scale: {scale.origin}")
    if scale.classes is not None and scale.mm_per_px is not None and settings.blur_px is None:
        coarse = too_coarse(scale.classes, scale.mm_per_px)
        made += [] if coarse is None else [coarse[:1].upper() + coarse[1:] + "."]
    return made


def _unjudged(first: ScanResult) -> list[str]:
    """What is badly photographed, or no photograph at all."""
    made = []
    badly = area_share(first, first.reasons_HW & int(Reason.OVEREXPOSED | Reason.UNDEREXPOSED) != 0)
    if badly >= NOTABLE:
        made.append(
            f"{100 * badly:.0f} % of the area is over- or under-exposed: cracks cannot be seen there. Where that is the empty border of a "
            "mosaic, lines along it may be taken for cracks: tell its level by --nodata, as --nodata 0 for black."
        )
    blurred = area_share(first, first.reasons_HW & int(Reason.BLURRED) != 0)
    if blurred >= NOTABLE:
        made.append(f"{100 * blurred:.0f} % of the area is too blurred to judge: fine cracks cannot be seen there.")
    return made


def _too_dark(thumb: np.ndarray, white_level: int) -> list[str]:
    """A camera of 10 to 14 bits in samples of 16, whose white level nobody told, uses a few of the 256 levels that are left."""
    brightest = int(thumb.max())
    if white_level <= 255 or brightest > DARK:
        return []
    return [
        f"The brightest place has level {brightest} of 255: samples were reduced to 8 bits by the white level {white_level}, and most of "
        "their levels were lost; cracks are missed so. If the camera has fewer bits, say so: --white-level 4095 for 12 bits."
    ]


def _summary(options: Options, picture: Picture, found: Findings, geo: GeoReference | None) -> dict[str, Any]:
    place = place_of(geo)
    records: list[dict[str, Any]] = [record(crack, found.scale, place) for crack in found.cracks]
    cracks = [r for r in records if r["kind"] == CRACK]
    unit = "px" if found.scale.mm_per_px is None else "mm"
    widest = max((r[f"width_max_{unit}"] for r in cracks if r[f"width_max_{unit}"] is not None), default=None)
    return {
        "width_px": picture.width,
        "height_px": picture.height,
        "megapixels": round(picture.width * picture.height / 1e6, 3),
        "mm_per_px": None if found.scale.mm_per_px is None else float(f"{found.scale.mm_per_px:.9g}"),
        "scale": found.scale.origin,
        "area_dropped_share": round(1 - looked_share(found.first), 6),
        "area_outside_share": round(outside_share(found.first), 6),
        "area_unfamiliar_share": _rounded(unfamiliar_share(found.first)),
        "cracks": len(cracks) if found.measured else None,
        "joints": len(records) - len(cracks) if found.measured else None,
        f"length_{unit}": round(sum(r[f"length_{unit}"] for r in cracks), 3) if found.measured else None,
        f"width_max_{unit}": widest,
        "worst": _worst(found.cracks, records, unit),
        "cracks_by_width_class": _by_class(found, cracks),
        "cracks_certain_by_width_class": _by_class(
            found, [r for r in cracks if r.get("width_class_at_least") == r.get("width_class")]
        ),
        "rule_met": None if options.rule is None else options.rule.holds(records),
        "warnings": list(found.warnings),
    }


def _worst(cracks: Sequence[Crack], records: Sequence[dict[str, Any]], unit: str) -> dict[str, Any] | None:
    """What the report shows first: of the cracks that are longer than compact, the widest."""
    both = [(crack, r) for crack, r in zip(cracks, records, strict=True) if crack.kind == CRACK]
    if not both:
        return None
    crack, r = min(both, key=lambda pair: severity(pair[0]))
    names = ["id", f"width_max_{unit}", f"width_max_u_{unit}", "width_upper_bound", "compact", f"length_{unit}"]
    names += [f"width_class{end}" for end in CLASS_ENDS if f"width_class{end}" in r]
    return {name: r[name] for name in names}


def _by_class(found: Findings, cracks: Sequence[dict[str, Any]]) -> dict[str, int] | None:
    """Cracks of each class of width; None where nobody asked for classes or they cannot be told."""
    if found.scale.classes is None or not found.measured:
        return None
    of = Counter(r["width_class"] for r in cracks)
    return {c.name: of[c.name] for c in found.scale.classes.classes}


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 6)
