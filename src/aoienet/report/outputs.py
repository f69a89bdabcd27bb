"""The output folder of one picture: every file that docs/guide/outputs.md names, each whole or not there at all.

The same findings give the same bytes: no times, cracks in order of id, numbers rounded to fixed decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aoienet import __version__
from aoienet.measure.crack import KINDS
from aoienet.report import words
from aoienet.report.defects import write_coco, write_csv, write_geojson
from aoienet.report.kinds import kind_rows
from aoienet.report.manifest import picture_facts, write_manifest
from aoienet.report.mask import write_mask
from aoienet.report.page import Page, write_page
from aoienet.report.pyramid import Rows
from aoienet.report.records import Place, Scale, place_of
from aoienet.report.slide import write_slide
from aoienet.report.tables import (
    counts,
    looked_share,
    outside_share,
    reasons,
    unfamiliar,
    unfamiliar_share,
    write_blocks,
)
from aoienet.report.thumbnail import write_preview, write_thumbnail
from aoienet.scan.keep import cell_px, passed_on
from aoienet.scan.runner import ScanResult
from aoienet.scan.sources import AUTO, Source, open_source

if TYPE_CHECKING:
    from aoienet.measure.crack import Crack


PREVIEW, MANIFEST = "preview.jpg", "manifest.json"
NOT_SOUGHT = "not looked for: the model file has no statistics of its training pictures"


@dataclass(frozen=True)
class Findings:
    """What a scan hands over for one picture.

    first: scores of all blocks and the cells that were passed on. cracks: joints too. mask_rows: (y0, y1) -> [y1-y0, W], not 0 where a crack
    is, asked from top to bottom, more than once. model, second_stage, settings, certificate: names and values for the manifest and the
    report; settings must hold nothing that differs between runs with the same result (jobs, times). set_aside: as of Stages.
    """

    path: Path
    sha256: str
    classes: Sequence[str]
    first: ScanResult
    cracks: Sequence[Crack]
    mask_rows: Rows
    scale: Scale
    model: dict[str, Any]
    second_stage: dict[str, Any]
    settings: dict[str, Any]
    certificate: dict[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    white_level: int | None = None
    nodata: str = AUTO
    set_aside: float | None = None

    @property
    def measured(self) -> bool:
        """A second stage was run; without one nobody knows how many cracks there are."""
        return bool(self.second_stage)


def write_outputs(out: Path, found: Findings) -> dict[str, Any]:
    """Write all files of one picture into a folder that exists; gives the manifest, which is written last.

    Raises   SourceError: the picture can no longer be read. OutputError: the folder cannot be written.
    """
    with open_source(found.path, 3, found.white_level, found.nodata) as source:
        place = place_of(source.geo)
        size_hw = (source.height, source.width)
        write_blocks(out / "blocks.csv", found.first, found.classes)
        write_csv(out / "defects.csv", found.cracks, found.scale, place)
        write_coco(out / "defects.coco.json", found.cracks, found.scale, place, found.path.name, size_hw)
        write_geojson(out / "defects.geojson", found.cracks, found.scale, place)
        rows = kind_rows(found.mask_rows, found.cracks)
        write_mask(out / "mask.tif", rows, source.height, source.width, source.geo, found.scale)
        factor = write_slide(
            out / "overlay.tif", source, rows, passed_on(found.first.reasons_HW), cell_px(found.first.geometry)
        )
        write_thumbnail(out / "thumbnail.jpg", found.first, found.cracks)
        write_preview(out / PREVIEW, found.first, found.cracks, found.measured)
        write_page(out / "report.html", _page(found, source, place), source)
        share = unfamiliar_share(found.first)
        document = {
            "picture": picture_facts(source, found.sha256),
            "model": found.model,
            "second_stage": found.second_stage,
            "certificate": found.certificate,
            "settings": found.settings,
            "scale": {
                "mm_per_px": found.scale.mm_per_px,
                "origin": found.scale.origin,
                "marker": None if found.scale.marked is None else asdict(found.scale.marked),
            },
            "width_classes": None if found.scale.classes is None else asdict(found.scale.classes),
            "place": place.reason,
            "overlay_factor": factor,
            "result": {
                **counts(found.first, found.classes),
                "outside_share": round(outside_share(found.first), 6),
                "looked_at_share": round(looked_share(found.first), 6),
                "unfamiliar_share": None if share is None else round(share, 6),
                **{f"{kind}s": sum(c.kind == kind for c in found.cracks) if found.measured else None for kind in KINDS},
            },
            "warnings": list(found.warnings),
        }
    return write_manifest(out / MANIFEST, document, [out / name for name in FILES])


FILES = (
    "blocks.csv",
    "defects.csv",
    "defects.coco.json",
    "defects.geojson",
    "mask.tif",
    "overlay.tif",
    "thumbnail.jpg",
    PREVIEW,
    "report.html",
)


def _page(found: Findings, source: Source, place: Place) -> Page:
    stored = {key: value for key, value in source.stored.items() if key not in ("width_px", "height_px")}
    picture = {"File": source.path.name, "SHA-256": found.sha256, "Format": source.format, "Stored": stored}
    if source.geo is not None:
        picture["Place"] = place.reason
    return Page(
        name=source.path.name,
        width=source.width,
        height=source.height,
        thumb=found.first.thumb,
        factor=found.first.factor,
        clean_HW=found.first.reasons_HW == 0,
        outside_share=outside_share(found.first),
        outside=source.outside,
        unfamiliar_HW=unfamiliar(found.first),
        cell_px=cell_px(found.first.geometry),
        cracks=found.cracks,
        scale=found.scale,
        place=place,
        dropped_share=1 - looked_share(found.first),
        measured=found.measured,
        seed=found.sha256,
        picture=words.rows({**picture, **{f"Note {i}": note for i, note in enumerate(source.notes, 1)}}),
        model=words.models(found.model, found.second_stage),
        certificate=words.rows(found.certificate),
        promise=words.promise(found.certificate, found.first.decision.threshold, found.set_aside),
        settings=words.rows(found.settings),
        reasons=[
            (reason, NOT_SOUGHT if n is None else f"{n} cells of {cell_px(found.first.geometry)} px")
            for reason, n in reasons(found.first).items()
        ],
        warnings=found.warnings,
        versions=[("aoienet", __version__)],
    )
