"""report.html: one file without network and without scripts, to read on a screen, to print on A4 and to sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aoienet.measure.crack import CRACK, JOINT
from aoienet.report import template
from aoienet.report.pyramid import shrink
from aoienet.report.records import Place, Scale, Value, compact, record
from aoienet.report.template import jpeg
from aoienet.report.words import Rows, bounded, measured, number, width_class
from aoienet.scan.outside import BESIDE_PX

if TYPE_CHECKING:
    from aoienet.measure.crack import Crack
    from aoienet.scan.sources import Source

TEMPLATE = "page.html.j2"
CROPS, CROP_PX, CROP_MARGIN_PX = 12, 420, 24
TABLE_ROWS = 300  # further cracks stand in defects.csv
DRAWN, MARKED = 3000, CROPS  # cracks drawn on the map, and those of them with a frame and a number
LETTERS, THIN = 55, 1000  # height of a number, and a thin line: these parts of the map's longest side
SIDE_BY_SIDE = 2  # pieces of a tall strip are shown in columns, about this many times smaller than one map
MAP_PX = 1600  # longest side of the picture in the map
LONG_STRIP = 4.0  # a picture longer than this many times its width is shown in pieces
PIECES = 24
SAMPLES = 24  # parts of what was not looked at


@dataclass(frozen=True)
class Page:
    """What the report says, in words and numbers that are ready to print.

    thumb: the picture made smaller by `factor`, uint8 [h, w] or [h, w, 3]. clean_HW: bool, cells of cell_px pixels
    that the first stage dropped; unfamiliar_HW: those that it passed on as they look unlike the training pictures. cracks: joints too, which
    are drawn and counted apart. promise: the certificate in words, or why there is none. warnings: what a reader must know before trusting the numbers.
    measured: a second stage was run; without one there are suspicions only. seed: hexadecimal, of the sample of what was not looked at.
    outside: what tells where nothing was photographed, with the share of the picture; the other shares are of the rest.
    """

    name: str
    width: int
    height: int
    thumb: np.ndarray
    factor: int
    clean_HW: np.ndarray
    unfamiliar_HW: np.ndarray
    cell_px: int
    cracks: Sequence[Crack]
    scale: Scale
    place: Place
    dropped_share: float
    picture: Rows
    model: Rows
    certificate: Rows
    promise: str
    settings: Rows
    reasons: Rows = ()
    warnings: Sequence[str] = ()
    measured: bool = True
    seed: str = "0"
    outside: str = ""
    outside_share: float = 0.0
    versions: Rows = ()


def write_page(path: Path, page: Page, source: Source) -> None:
    """Write report.html; `source` gives the pixels of the crops."""
    template.write(path, TEMPLATE, _context(page, source))


def severity(crack: Crack) -> tuple[bool, float, float, int]:
    """Sorting key: compact ones last, widest first, then longest, then by id."""
    return (compact(crack), -float(crack.widths.max.value_px), -float(crack.length_px), int(crack.id))


def _context(page: Page, source: Source) -> dict[str, Any]:
    ranked = sorted((crack for crack in page.cracks if crack.kind == CRACK), key=severity)
    joints = sorted((crack for crack in page.cracks if crack.kind == JOINT), key=severity)
    widest = min(ranked, key=lambda crack: severity(crack)[1:], default=None)
    listed = ranked[:TABLE_ROWS] + ([] if widest is None else [widest])
    records = {crack.id: record(crack, page.scale, page.place) for crack in listed}
    unit = "px" if page.scale.mm_per_px is None else "mm"
    return {
        "page": page,
        "unit": unit,
        "rows": [_row(records[crack.id], unit) for crack in ranked[:TABLE_ROWS]],
        "count": len(ranked),
        "joints": len(joints),
        "joint_length": number(sum(j.length_px for j in joints) * (page.scale.mm_per_px or 1.0)),
        "worst": None if widest is None else _row(records[widest.id], unit),
        "first": _row(records[ranked[0].id], unit) if ranked else None,
        "compact": sum(compact(crack) for crack in ranked),
        "total_length": number(sum(c.length_px for c in ranked) * (page.scale.mm_per_px or 1.0)),
        "pieces": _pieces(page, ranked, joints),
        "drawn": min(len(ranked), DRAWN),
        "crops": [
            {"row": _row(records[crack.id], unit), "compact": compact(crack), **_crop(crack, page, source)}
            for crack in ranked[:CROPS]
        ],
        "table_rows": TABLE_ROWS,
        "beside_px": BESIDE_PX,
        "sample": _sample(page, source),
    }


def _row(values: dict[str, Value], unit: str) -> dict[str, str]:
    """The record of a crack as text, lengths in the unit of the report, each with its uncertainty."""
    return {
        "id": str(values["id"]),
        "place": f"{values['x_px']}, {values['y_px']}",
        "size": f"{values['w_px']} × {values['h_px']}",
        "width_max": bounded(values, "width_max", unit),
        "width_class": width_class(values),
        "width_mean": bounded(values, "width_mean", unit),
        "width_p95": bounded(values, "width_p95", unit),
        "length": measured(values[f"length_{unit}"], values[f"length_u_{unit}"]),
        "orientation": "unknown" if values["orientation_deg"] is None else f"{values['orientation_deg']:.0f}°",
        "score": "none" if values["score_log_odds"] is None else f"{values['score_log_odds']:.2f}",
        "probability": "none" if values["probability"] is None else f"{values['probability']:.2f}",
    }


def _pieces(page: Page, ranked: Sequence[Crack], joints: Sequence[Crack]) -> list[dict[str, Any]]:
    """The map: the whole picture, or pieces of a long strip one after the other. Coordinates are pixels of the
    picture."""
    boxes = _cut(page.width, page.height)
    made = []
    for x0, y0, x1, y1 in boxes:
        f = page.factor
        small = page.thumb[y0 // f : -(-y1 // f), x0 // f : -(-x1 // f)]
        step = -(-max(small.shape[:2]) // MAP_PX)
        inside, others = ([c for c in some[:DRAWN] if _meets(c.box_px, (x0, y0, x1, y1))] for some in (ranked, joints))
        span = max(x1 - x0, y1 - y0)
        drawn = span * (SIDE_BY_SIDE if len(boxes) > 1 and page.height > page.width else 1)
        made.append(
            {
                "box": (x0, y0, x1 - x0, y1 - y0),
                "image": jpeg(shrink(small, step)),
                "unlooked": _area(page, page.clean_HW, (x0, y0, x1, y1)),
                "unfamiliar": _area(page, page.unfamiliar_HW, (x0, y0, x1, y1)),
                "lines": [(c.id, [_svg(p, span / MAP_PX) for p in c.paths_px]) for c in inside],
                "joints": [[_svg(p, span / MAP_PX) for p in c.paths_px] for c in others],
                "marks": [_mark(c, (x0, y0, x1, y1), drawn) for c in inside[:MARKED]],
                "cracks": len(inside),
                "tall": y1 - y0 > x1 - x0,
                "thin": f"{drawn / THIN:.3g}",
                "letter": f"{drawn / LETTERS:.1f}",
            }
        )
    return made


def _cut(width: int, height: int) -> list[tuple[int, int, int, int]]:
    long, short = max(width, height), min(width, height)
    count = 1 if long <= LONG_STRIP * short else min(PIECES, -(-long // int(LONG_STRIP / 2 * short)))
    edges = [long * i // count for i in range(count + 1)]
    spans = list(zip(edges, edges[1:], strict=False))
    return [(0, a, width, b) for a, b in spans] if height > width else [(a, 0, b, height) for a, b in spans]


def _meets(box: tuple[int, int, int, int], piece: tuple[int, int, int, int]) -> bool:
    return box[0] < piece[2] and box[2] > piece[0] and box[1] < piece[3] and box[3] > piece[1]


def _mark(crack: Crack, piece: tuple[int, int, int, int], span: int) -> dict[str, Any]:
    """A frame around a crack, and where its number stands: above it, or below where there is no room, inside of the piece."""
    pad, letter = max(4, span // 150), span / LETTERS
    x, y, x1, y1 = crack.box_px[0] - pad, crack.box_px[1] - pad, crack.box_px[2] + pad, crack.box_px[3] + pad
    baseline = y - letter / 4 if y - letter > piece[1] else y1 + letter
    wide = 0.7 * letter * len(str(crack.id))  # bold digits
    text_x = max(min(x, piece[2] - wide), piece[0] + letter / 5)
    return {"id": crack.id, "frame": (x, y, x1 - x, y1 - y), "x": f"{text_x:.1f}", "y": f"{baseline:.1f}"}


def _area(page: Page, marked_HW: np.ndarray, box: tuple[int, int, int, int]) -> str:
    """An SVG path of the marked cells, runs of a row joined and equal rows stacked; cells too small to be seen are joined,
    and marked where all of them are."""
    x0, y0, x1, y1 = box
    grain = max(page.cell_px, page.cell_px * (max(x1 - x0, y1 - y0) // (400 * page.cell_px)))
    k = grain // page.cell_px
    first, last, left, right = y0 // page.cell_px, -(-y1 // page.cell_px), x0 // page.cell_px, -(-x1 // page.cell_px)
    cells = marked_HW[first:last, left:right]
    cells = np.pad(cells, ((0, -len(cells) % k), (0, -cells.shape[1] % k)), constant_values=True)
    blank = np.logical_and.reduce(cells.reshape(len(cells) // k, k, -1, k), axis=(1, 3))
    parts, start = [], 0
    for i in range(1, len(blank) + 1):
        if i < len(blank) and (blank[i] == blank[start]).all():
            continue
        edge = np.diff(np.concatenate([[0], blank[start].astype(np.int8), [0]]))
        for a, b in zip(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1), strict=False):
            x, y = left * page.cell_px + a * grain, first * page.cell_px + start * grain
            w, h = min(int(b - a) * grain, x1 - x), min((i - start) * grain, y1 - y)
            parts.append(f"M{x} {y}h{w}v{h}h{-w}z")
        start = i
    return "".join(parts)


def _svg(points: np.ndarray, grain: float) -> str:
    """Points (centres of pixels) as an SVG path in corner coordinates, points closer than `grain` left out."""
    at = np.asarray(points, np.float64) + 0.5
    steps = np.floor(np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(at, axis=0).T))]) / max(grain, 1e-9))
    keep = np.concatenate([[True], np.diff(steps) > 0])
    keep[-1] = True
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at[keep])


def _crop(crack: Crack, page: Page, source: Source) -> dict[str, Any]:
    """The surroundings of a crack as photographed, at most CROP_PX per side, and its outline in the same coordinates."""
    x0, y0, x1, y1 = crack.box_px
    x0, y0 = max(0, x0 - CROP_MARGIN_PX), max(0, y0 - CROP_MARGIN_PX)
    x1, y1 = min(page.width, x1 + CROP_MARGIN_PX), min(page.height, y1 + CROP_MARGIN_PX)
    step = -(-max(x1 - x0, y1 - y0) // CROP_PX)
    if step >= page.factor > 1:
        f = page.factor
        x0, y0, x1, y1 = x0 // f * f, y0 // f * f, min(page.width, -(-x1 // f) * f), min(page.height, -(-y1 // f) * f)
        pixels = shrink(page.thumb[y0 // f : -(-y1 // f), x0 // f : -(-x1 // f)], max(1, step // f))
    else:
        bands = range(y0, y1, 64 * step)
        pixels = np.concatenate([shrink(source.window(y, min(y + 64 * step, y1), x0, x1), step) for y in bands])
    return {
        "box": (x0, y0, x1 - x0, y1 - y0),
        "shown": (pixels.shape[1], pixels.shape[0]),
        "image": jpeg(pixels),
        "outline": [_svg(ring, step / 2) + "z" for rings in crack.polygons_px for ring in rings],
        "step": step,
    }


def _sample(page: Page, source: Source) -> list[dict[str, Any]]:
    """Parts of the area that was not looked at, drawn at random with equal chances, for an eye to check; from top to bottom.

    Each is a cell with its neighbours, none of them looked at and all inside of the picture.
    """
    clean = np.pad(page.clean_HW, 1)
    rows, columns = page.height // page.cell_px, page.width // page.cell_px  # whole cells
    clean[rows + 1 :], clean[:, columns + 1 :] = False, False
    tall = clean[:-2] & clean[1:-1] & clean[2:]
    places = np.argwhere(tall[:, :-2] & tall[:, 1:-1] & tall[:, 2:])
    rng = np.random.default_rng(int(page.seed[:16], 16))
    drawn = places[np.sort(rng.choice(len(places), min(SAMPLES, len(places)), replace=False))]
    made = []
    for row, column in drawn.tolist():
        (y0, y1), (x0, x1) = (((k - 1) * page.cell_px, (k + 2) * page.cell_px) for k in (row, column))
        made.append({"x": x0, "y": y0, "side": x1 - x0, "image": jpeg(source.window(y0, y1, x0, x1))})
    return made
