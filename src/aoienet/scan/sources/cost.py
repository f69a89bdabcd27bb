"""What reading a picture in bands costs, told before the work; docs/guide/outputs.md states the law of memory."""

from __future__ import annotations

from dataclasses import dataclass

from aoienet.scan.sources.base import Source

BAND_BYTES = 64 << 20  # wanted size of a band of pixels; one storage lane may need more
WIDE_LANE_BYTES = 256 << 20  # a lane beyond this is worth converting the file


@dataclass(frozen=True)
class ReadingCost:
    """Bands of `band_rows` rows that begin at storage borders, so that nothing is decoded twice.

    reader_bytes: what the reader holds; memory_bytes: reader and one band together. advice: what to do about a file
    that is stored badly for its size, or "".
    """

    band_rows: int
    bands: int
    band_bytes: int
    reader_bytes: int
    advice: str

    @property
    def memory_bytes(self) -> int:
        """Reader and one band."""
        return self.reader_bytes + self.band_bytes


def reading_cost(source: Source, band_bytes: int = BAND_BYTES) -> ReadingCost:
    """Bands and memory of one pass over the picture."""
    row = source.width * source.channels
    rows = min(source.height, aligned_rows(source, band_bytes))
    row += source.width if source.outside else 0  # a byte per pixel tells what was photographed
    band = 0 if source.stored["layout"] == "whole" else rows * row  # a band of a decoded picture is a view of it
    return ReadingCost(rows, -(-source.height // rows), band, source.held_bytes, _advice(source))


def aligned_rows(source: Source, band_bytes: int) -> int:
    """Rows of a band: the largest multiple of the storage lane within band_bytes, at least one lane."""
    lane = source.lane_rows
    return max(1, band_bytes // (source.width * source.channels * lane)) * lane


def _advice(source: Source) -> str:
    if source.held_bytes <= WIDE_LANE_BYTES:
        return ""
    mib = source.held_bytes >> 20
    if source.stored["layout"] == "whole":
        return f"a {source.format} is decoded in one piece and takes {mib} MiB; a tiled TIFF is read in bands"
    rows, columns = source.stored["segment_px"]
    return (
        f"{source.stored['layout']} of {columns}x{rows} px make the reader hold {mib} MiB; "
        f"tiles of 256 to 1024 px need less"
    )
