"""TIFF and BigTIFF: the full picture of a file, read by rows of tiles or by strips, never as a whole."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from aoienet.scan.sources import base
from aoienet.scan.sources.base import (
    ADVICE_SAMPLES,
    AUTO,
    Decoded,
    Source,
    SourceError,
    checked_nodata,
    checked_white_level,
    grey_or_rgb,
    level_table,
    orient,
    refuse,
)
from aoienet.scan.sources.geo import read_geo

REDUCED, MASK = 1, 4  # bits of NewSubfileType (TIFF 6.0, tag 254)
ALPHA = (1, 2)  # kinds of extra samples (tag 338): associated, unassociated; 0 is anything else, as near infrared
NODATA = 42113  # tag of GDAL: the level that stands for no data, as text
LEVELS = 32  # pages looked at for the full picture; a pyramid that halves each time has fewer levels
NOWHERE = logging.NullHandler()  # for what tifffile logs, which Python would print beside our error


class TiffSource(Source):
    """TIFF or BigTIFF: the first full picture, read by rows of tiles or by strips, of which the last one is kept."""

    def __init__(self, path: Path, channels: int, white_level: int | None = None, nodata: str = AUTO) -> None:
        import tifffile

        self.path, self.channels, self.notes, self.warnings, self.white_level = path, channels, [], [], 255
        self._wanted_white, self._wanted_nodata = white_level, nodata
        tifffile.logger().addHandler(NOWHERE)
        with refuse(path):
            self._tiff = tifffile.TiffFile(path)
        try:
            with refuse(path):
                self._describe()
        except BaseException:
            self._tiff.close()
            raise
        self._lane_index = -1
        self._lane: Decoded = np.empty(0, np.uint8), None
        self._seen: tuple[int, int, np.ndarray | None] = 0, 0, None

    def _describe(self) -> None:
        tiff, page = self._tiff, self._full_page()
        self.format = "BigTIFF" if tiff.is_bigtiff else "TIFF"
        self._page, self._file_bytes = page, self.path.stat().st_size
        self._rows, self._cols = int(page.imagelength), int(page.imagewidth)
        self._lane_rows = int(page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength))
        self._across = -(-self._cols // page.tilewidth) if page.is_tiled else 1
        self._down = -(-self._rows // self._lane_rows)
        self._planes = page.samplesperpixel if page.planarconfig == 2 and page.samplesperpixel > 1 else 1
        self.stored = {
            "layout": "tiles" if page.is_tiled else "strips",
            "segment_px": [self._lane_rows, int(page.tilewidth) if page.is_tiled else self._cols],
            "segments": len(page.dataoffsets),
            "bits": page.bitspersample,
            "samples": page.samplesperpixel,
            "compression": _name(page.compression),
            "photometric": _name(page.photometric),
            "pages": len(tiff.pages),
            "levels": self._levels,
            "width_px": self._cols,
            "height_px": self._rows,
        }
        self._plan_pixels()
        self._plan_outside()
        self._plan_rows()
        self._plan_place()

    def _full_page(self) -> Any:
        """The first page that is neither a reduced copy nor a mask; counts the levels of a pyramid."""
        pages = self._tiff.pages
        if not len(pages):
            raise SourceError(
                f"{self.path} holds no picture: a TIFF must have at least one page; received none; next: copy it anew from the camera or the archive"
            )
        kinds = [int(getattr(pages[i], "subfiletype", None) or 0) for i in range(min(len(pages), LEVELS))]
        full = next((i for i, kind in enumerate(kinds) if not kind & (REDUCED | MASK)), 0)
        page: Any = pages[full]
        sub = page.tags.get(330)
        self._levels = 1 + sum(bool(kind & REDUCED) for kind in kinds) + (np.size(sub.value) if sub is not None else 0)
        if any(not kind & (REDUCED | MASK) for kind in kinds[full + 1 :]):
            self.warnings.append(
                f"Only page {full + 1} of {len(pages)} was read: the file holds several full pictures; save each as a file of its own."
            )
        return page

    def _plan_pixels(self) -> None:
        """Decide how a decoded segment becomes 8-bit grey or RGB; refuse what has no agreed meaning."""
        page, photometric = self._page, _name(self._page.photometric)
        if page.imagedepth != 1 or page.sampleformat not in (1, None) or np.dtype(page.dtype or "V1").kind not in "ub":
            raise SourceError(
                f"{self.path}: samples must be unsigned integers of 1 to 16 bits; received {page.dtype}; {ADVICE_SAMPLES}."
            )
        if page.bitspersample > 16:
            raise SourceError(
                f"{self.path}: samples must have 1 to 16 bits; received {page.bitspersample}; {ADVICE_SAMPLES}."
            )
        color = {"MINISBLACK": 1, "MINISWHITE": 1, "PALETTE": 1, "RGB": 3, "YCBCR": 3, "SEPARATED": 4}.get(photometric)
        if color is None or page.samplesperpixel < color or page.compression == 6:
            raise SourceError(
                f"{self.path}: a TIFF must be grey, palette, RGB, YCbCr or CMYK; received {photometric} "
                f"with {page.samplesperpixel} samples, compression {_name(page.compression)}."
            )
        if photometric == "YCBCR" and page.compression != 7:
            raise SourceError(
                f"{self.path}: YCbCr is read in JPEG compression only; "
                f"received {_name(page.compression)}; save it as RGB."
            )
        self._color, self._photometric = color, photometric
        if photometric == "SEPARATED":
            self.notes.append("CMYK converted to RGB without a color profile")
        self._table = self._make_table()

    def _make_table(self) -> np.ndarray | None:
        page, bits = self._page, self._page.bitspersample
        if self._photometric == "PALETTE":
            self.notes.append("palette converted to RGB")
            return np.ascontiguousarray(level_table(65535)[np.asarray(page.colormap)].T)
        tag = page.tags.get(281)
        told = max(1, int(np.max(tag.value))) if bits > 8 and tag is not None else None
        white = self.white_level = checked_white_level(self._wanted_white, bits, told)
        if bits > 8:
            self.notes.append(f"{bits} bit reduced to 8 with white level {white}")
        table = level_table(white, 1 << max(8, 16 if bits > 8 else 8))
        if self._photometric == "MINISWHITE":
            table = 255 - table
        return None if bits == 8 and self._photometric != "MINISWHITE" else table

    def _plan_outside(self) -> None:
        """Decide what tells where nothing was photographed: a mask, alpha or a level, in this order, unless the user has said it."""
        page, wanted = self._page, self._wanted_nodata
        extra = [int(kind) for kind in page.extrasamples][: page.samplesperpixel - self._color]
        self._alpha = next((self._color + i for i, kind in enumerate(extra) if kind in ALPHA and wanted == AUTO), None)
        self._mask_page = self._page_of_mask() if wanted == AUTO else None
        self._nodata: int | None = None
        if self._mask_page is not None:
            self._alpha, told = None, "mask"
        elif self._alpha is not None:
            told = "alpha channel"
        else:
            self._nodata = checked_nodata(wanted, page.bitspersample, _level(page.tags.get(NODATA), page.bitspersample))
            told = "" if self._nodata is None else f"level {self._nodata}"
        dropped = page.samplesperpixel - self._color - (self._alpha is not None)
        if dropped > 0:
            self.notes.append(f"{dropped} extra channel{'s' if dropped > 1 else ''} dropped")
        self._tell_outside(told, exact=self._nodata is None)

    def _page_of_mask(self) -> Any:
        """The mask of the full picture, which GDAL writes in segments of the same size; None: there is none."""
        page = self._page
        for i in range(min(len(self._tiff.pages), LEVELS)):
            mask: Any = self._tiff.pages[i]
            if int(getattr(mask, "subfiletype", None) or 0) != MASK or mask.shape[:2] != page.shape[:2]:
                continue
            same = (mask.is_tiled, mask.chunks[:2]) == (page.is_tiled, page.chunks[:2])
            if same and mask.samplesperpixel == 1 and len(mask.dataoffsets) == self._across * self._down:
                return mask
            self.notes.append("its mask was not read: it is not cut into segments as the picture is")
        return None

    def _plan_rows(self) -> None:
        page = self._page
        tag = page.tags.get(274)
        self._orientation = int(tag.value) if tag is not None and 1 <= int(tag.value) <= 8 else 1
        self._raw_rows = (
            page.compression == 1
            and page.predictor == 1
            and not page.is_tiled
            and self._planes == 1
            and page.bitspersample in (8, 16)
            and page.fillorder == 1
            and self._mask_page is None
        )
        turned = self._orientation >= 5
        piece = self._rows * self._cols if turned else self._lane_rows * self._cols
        if piece > base.MAX_WHOLE_PX and (turned or not self._raw_rows):
            why = f"orientation {self._orientation}" if turned else f"{self.stored['layout']} of {self._lane_rows} rows"
            raise SourceError(
                f"{self.path}: at most {base.MAX_WHOLE_PX // 10**6} megapixels are decoded in one piece; "
                f"received {piece // 10**6} "
                f"because of {why}; {base.ADVICE_TILED}."
            )
        if len(page.dataoffsets) < self._across * self._down * self._planes:
            raise SourceError(
                f"{self.path}: {self._across * self._down * self._planes} tiles or strips expected; "
                f"received {len(page.dataoffsets)}."
            )
        self.height, self.width = (self._cols, self._rows) if turned else (self._rows, self._cols)
        if self._orientation != 1:
            self.notes.append(f"EXIF orientation {self._orientation} applied")
        self._turned: Decoded | None = None
        self.lane_rows = self.height if turned else 1 if self._raw_rows else self._lane_rows
        bytes_px = self.channels + bool(self.outside)  # one of them tells what was photographed
        whole = self._rows * self._cols * bytes_px
        lane = min(self._lane_rows, self._rows) * self._cols * bytes_px
        segment = self._lane_rows * int(page.tilewidth if page.is_tiled else self._cols) * page.samplesperpixel
        lane += segment * self._item_bytes()
        self.held_bytes = (2 * whole if turned else 0) + (0 if self._raw_rows else lane)

    def _item_bytes(self) -> int:
        return np.dtype(self._page.dtype).itemsize

    def _plan_place(self) -> None:
        try:
            self.geo = read_geo(self._page, self.notes)
        except (ValueError, TypeError, IndexError, OverflowError) as error:  # wrong tags do not make pixels unreadable
            self.notes.append(f"place on the earth dropped: its tags are broken ({error})")
        if self.geo is not None and self._orientation != 1:
            self.notes.append("place on the earth dropped: it is not defined together with an orientation")
            self.geo = None

    def read(self, y0: int, y1: int) -> np.ndarray:
        pixels, absent = self._seen_rows(y0, y1)
        self._seen = y0, y1, absent
        return pixels

    def window(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        return self._window(y0, y1, x0, x1)[0]

    def absent(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> np.ndarray | None:
        if not self.outside:
            return None
        first, last, absent = self._seen
        x1 = self.width if x1 is None else x1
        if absent is not None and first <= y0 and y1 <= last:
            return absent[y0 - first : y1 - first, x0:x1]
        return self._window(y0, y1, x0, x1)[1]

    def _seen_rows(self, y0: int, y1: int) -> Decoded:
        """Rows of the picture as seen."""
        code = self._orientation
        if code >= 5:
            turned = self._turned
            if turned is None:
                turned = self._turned = _orient(self._stored_rows(0, self._rows), code)
            return _cut(turned, np.s_[y0:y1])
        if code in (3, 4):
            y0, y1 = self._rows - y1, self._rows - y0
        return _orient(self._stored_rows(y0, y1), code)

    def _window(self, y0: int, y1: int, x0: int, x1: int) -> Decoded:
        if self._orientation != 1 or not self._page.is_tiled:
            return _cut(self._seen_rows(y0, y1), np.s_[:, x0:x1])
        side_y, side_x = self._lane_rows, int(self._page.tilewidth)
        out = self._empty(y1 - y0, x1 - x0)
        with refuse(self.path):
            for lane in range(y0 // side_y, -(-y1 // side_y)):
                for column in range(x0 // side_x, -(-x1 // side_x)):
                    top, left = lane * side_y, column * side_x
                    piece = self._piece(lane, column)
                    a, b = max(y0, top), min(y1, top + piece[0].shape[0])
                    c, d = max(x0, left), min(x1, left + piece[0].shape[1])
                    place = np.s_[a - y0 : b - y0, c - x0 : d - x0]
                    _fill(out, place, _cut(piece, np.s_[a - top : b - top, c - left : d - left]))
        return out

    def close(self) -> None:
        self._tiff.close()

    def _empty(self, rows: int, cols: int) -> Decoded:
        shape = (rows, cols) if self.channels == 1 else (rows, cols, 3)
        return np.empty(shape, np.uint8), np.empty((rows, cols), bool) if self.outside else None

    def _stored_rows(self, r0: int, r1: int) -> Decoded:
        out = self._empty(r1 - r0, self._cols)
        with refuse(self.path):
            for lane in range(r0 // self._lane_rows, -(-r1 // self._lane_rows)):
                top = lane * self._lane_rows
                a, b = max(r0, top), min(r1, top + self._lane_rows)
                inner = np.s_[a - top : b - top]
                rows = self._raw(lane, a - top, b - top) if self._raw_rows else _cut(self._decoded(lane), inner)
                _fill(out, np.s_[a - r0 : b - r0], rows)
        return out

    def _raw(self, lane: int, a: int, b: int) -> Decoded:
        """Rows a ... b - 1 of an uncompressed strip, without the rest of the strip."""
        page = self._page
        dtype = np.dtype(page.dtype).newbyteorder(self._tiff.byteorder)
        row_bytes = self._cols * page.samplesperpixel * dtype.itemsize
        if page.databytecounts[lane] == 0:
            data = bytes((b - a) * row_bytes)
        else:
            data = self._bytes(page.dataoffsets[lane] + a * row_bytes, (b - a) * row_bytes, f"strip {lane}")
        return self._part(np.frombuffer(data, dtype).reshape(b - a, self._cols, page.samplesperpixel))

    def _decoded(self, lane: int) -> Decoded:
        if lane == self._lane_index:
            return self._lane
        rows = min(self._lane_rows, self._rows - lane * self._lane_rows)
        self._lane_index = -1
        out = self._lane if self._lane[0].shape[:2] == (rows, self._cols) else self._empty(rows, self._cols)
        step = self._page.tilewidth if self._page.is_tiled else self._cols
        for column in range(self._across):
            _fill(out, np.s_[:, column * step : (column + 1) * step], self._piece(lane, column))
        self._lane_index, self._lane = lane, out
        return out

    def _piece(self, lane: int, column: int) -> Decoded:
        """One tile or strip as handed out, cut at the picture's edge."""
        step = self._page.tilewidth if self._page.is_tiled else self._cols
        rows = min(self._lane_rows, self._rows - lane * self._lane_rows)
        cols = min((column + 1) * step, self._cols) - column * step
        planes = [
            self._segment((s * self._down + lane) * self._across + column, rows, cols, self._page)
            for s in range(self._planes)
        ]
        mask = (
            None
            if self._mask_page is None
            else self._segment(lane * self._across + column, rows, cols, self._mask_page)
        )
        return self._part(planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2), mask)

    def _segment(self, index: int, rows: int, cols: int, page: Any) -> np.ndarray:
        """Tile or strip `index` of a page as [rows, cols, samples]; an absent one (0 bytes) is all 0."""
        samples = 1 if page is self._page and self._planes > 1 else page.samplesperpixel
        if page.databytecounts[index] == 0:
            return np.zeros((rows, cols, samples), page.dtype)
        data = self._bytes(page.dataoffsets[index], page.databytecounts[index], f"segment {index}")
        try:
            segment: Any = page.decode(data, index, jpegtables=page.jpegtables)[0]
        except Exception as error:
            raise SourceError(f"{self.path}: segment {index} of {len(page.dataoffsets)} is broken: {error}") from None
        segment = segment[0, :rows, :cols]
        if segment.shape != (rows, cols, samples):
            raise SourceError(
                f"{self.path}: segment {index} must hold {(rows, cols, samples)} samples; received {segment.shape}."
            )
        return segment

    def _bytes(self, offset: int, count: int, what: str) -> bytes:
        if offset + count > self._file_bytes:
            raise SourceError(
                f"{self.path} is truncated: {what} ends at byte {offset + count}, the file at {self._file_bytes}."
            )
        handle = self._tiff.filehandle
        handle.seek(offset)
        return handle.read(count)

    def _part(self, segment: np.ndarray, mask: np.ndarray | None = None) -> Decoded:
        """[rows, cols, samples] as stored, and of the mask -> what is handed out."""
        absent = None
        if mask is not None:
            absent = mask[..., 0] == 0
        elif self._alpha is not None:
            absent = segment[..., self._alpha] < 1 << (self._page.bitspersample - 1)  # below half
        elif self._nodata is not None:
            absent = np.logical_and.reduce(segment[..., : self._color] == self._nodata, axis=2)
        return self._to_uint8(segment), absent

    def _to_uint8(self, segment: np.ndarray) -> np.ndarray:
        """[rows, cols, samples] as stored -> 8-bit grey [rows, cols] or RGB [rows, cols, 3]."""
        if self._photometric == "PALETTE":
            table = np.asarray(self._table)
            pixels = table[np.minimum(segment[..., 0], len(table) - 1)]
        else:
            pixels = segment[..., : self._color]
            if self._table is not None:
                pixels = self._table[pixels.astype(np.uint8) if pixels.dtype == bool else pixels]
        if self._color == 4:
            pixels = _rgb_of_cmyk(pixels)
        return grey_or_rgb(pixels, self.channels)


def _rgb_of_cmyk(cmyk: np.ndarray) -> np.ndarray:
    ink = 255 - cmyk[..., :3].astype(np.uint16)
    return ((ink * (255 - cmyk[..., 3:4].astype(np.uint16)) + 127) // 255).astype(np.uint8)


def _level(tag: Any, bits: int) -> int | None:
    """The level of GDAL's tag; None: there is no such tag, or no sample can have it (as -9999)."""
    try:
        level = float(tag.value)
    except (AttributeError, ValueError, TypeError):
        return None
    return int(level) if level in range(1 << bits) else None


def _cut(part: Decoded, place: Any) -> Decoded:
    pixels, absent = part
    return pixels[place], None if absent is None else absent[place]


def _fill(out: Decoded, place: Any, part: Decoded) -> None:
    out[0][place] = part[0]
    if out[1] is not None:
        out[1][place] = part[1]


def _orient(part: Decoded, code: int) -> Decoded:
    pixels, absent = part
    return orient(pixels, code), None if absent is None else orient(absent, code)


def _name(value: Any) -> str:
    return getattr(value, "name", str(value))
