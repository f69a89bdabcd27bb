"""Pictures as sources of row bands: JPEG, PNG, TIFF and BigTIFF, always 8-bit grey HW or RGB HWC.

A TIFF is read tile row by tile row or strip by strip and never as a whole; a JPEG or a PNG is decoded once, up to
MAX_WHOLE_PX.
What was changed on the way (alpha dropped, palette converted, 16 bit reduced, orientation applied) stands in
`Source.notes`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

MAX_WHOLE_PX = 400_000_000  # pixels decoded in one piece; RGB of this size is 1.2 GB
ADVICE_TILED = (
    "convert it to a tiled TIFF, which is read in bands "
    "(for example: vips tiffsave IN OUT.tif --tile --compression deflate)"
)


class SourceError(ValueError):
    """A picture that cannot be read; the message says which rule failed and what to do."""


def grey_of_rgb(rgb_HWC: np.ndarray) -> np.ndarray:
    """Grey of RGB by the integer formula of docs/format.md: (19595 R + 38470 G + 7471 B + 32768) >> 16.

    Shapes   rgb_HWC uint8 [H, W, 3] -> uint8 [H, W]
    Example: grey_of_rgb(np.full((1, 1, 3), 255, np.uint8))[0, 0] == 255
    """
    acc = rgb_HWC[..., 0].astype(np.uint32)
    acc *= 19595
    acc += rgb_HWC[..., 1] * np.uint32(38470)
    acc += rgb_HWC[..., 2] * np.uint32(7471)
    acc += 32768
    acc >>= 16
    return acc.astype(np.uint8)


def level_table(white_level: int, size: int = 65536) -> np.ndarray:
    """8-bit value of each integer level: (v * 255 + white_level // 2) // white_level, at most 255."""
    levels = np.arange(size, dtype=np.int64)
    return np.minimum((levels * 255 + white_level // 2) // white_level, 255).astype(np.uint8)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as handle:
        made = hashlib.sha256()
        while piece := handle.read(1 << 20):
            made.update(piece)
        return made.hexdigest()


class Source:
    """A picture of height x width that hands out bands of rows with `channels` channels (1 or 3)."""

    path: Path
    format: str
    height: int
    width: int
    channels: int
    notes: list[str]
    white_level: int
    stored: dict[str, Any]

    def read(self, y0: int, y1: int) -> np.ndarray:
        """Rows y0 ... y1 - 1 as uint8 [y1-y0, W] (channels = 1) or [y1-y0, W, 3]."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the file back."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_source(path: str | Path, channels: int = 1) -> Source:
    """Open a picture by its content, not by its name.

    Args     channels: 1 (grey) or 3 (RGB), what the model takes.
    Raises   SourceError: missing, not a picture of a known format, broken, too large to decode in one piece.
    """
    path = Path(path)
    if channels not in (1, 3):
        raise SourceError(f"a picture is handed out with 1 or 3 channels; received channels={channels}.")
    try:
        with open(path, "rb") as handle:
            magic = handle.read(32)
    except FileNotFoundError:
        raise SourceError(f"no such file: {path}") from None
    except OSError as error:
        raise SourceError(f"cannot open {path}: {error.strerror}") from None
    if magic[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return TiffSource(path, channels)
    if magic[:3] == b"\xff\xd8\xff" or magic[:8] == b"\x89PNG\r\n\x1a\n":
        return WholeSource(path, channels, magic)
    what = "an empty file" if not magic else f"a file that begins with {magic[:4]!r}"
    raise SourceError(f"{path} is neither JPEG, PNG nor TIFF; received {what}.")


class WholeSource(Source):
    """JPEG or PNG, decoded once."""

    def __init__(self, path: Path, channels: int, magic: bytes) -> None:
        from PIL import ImageOps

        self.path, self.channels, self.notes, self.white_level = path, channels, [], 255
        with _refuse(path), _no_bomb_limit(), _pil_open(path) as image:
            self.format = str(image.format)
            width, height = image.size
            if width * height > MAX_WHOLE_PX:
                raise SourceError(
                    f"{path}: a {self.format} is decoded in one piece, at most {MAX_WHOLE_PX // 10**6} megapixels; "
                    f"received {width}x{height}; {ADVICE_TILED}."
                )
            self.stored = {"layout": "whole", "mode": image.mode, "width_px": width, "height_px": height}
            orientation = image.getexif().get(274, 1)
            if self.format == "PNG" and magic[24] == 16:
                pixels = _png16(path, channels, self)
                pixels = orient(pixels, orientation)
            else:
                image.load()
                image = ImageOps.exif_transpose(image)
                pixels = _pil_pixels(image, channels, self.notes)
        if orientation not in (0, 1):
            self.notes.append(f"EXIF orientation {orientation} applied")
        self._pixels = pixels
        self.height, self.width = pixels.shape[:2]

    def read(self, y0: int, y1: int) -> np.ndarray:
        return self._pixels[y0:y1]


class TiffSource(Source):
    """TIFF or BigTIFF: the first page, read by rows of tiles or by strips, of which the last one is kept."""

    def __init__(self, path: Path, channels: int) -> None:
        import tifffile

        self.path, self.channels, self.notes, self.white_level = path, channels, [], 255
        with _refuse(path):
            self._tiff = tifffile.TiffFile(path)
        try:
            with _refuse(path):
                self._describe()
        except BaseException:
            self._tiff.close()
            raise
        self._lane_index = -1
        self._lane: np.ndarray = np.empty(0, np.uint8)

    def _describe(self) -> None:
        tiff, page = self._tiff, self._tiff.pages.first
        if len(tiff.pages) > 1:
            self.notes.append(f"first of {len(tiff.pages)} pages read")
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
            "width_px": self._cols,
            "height_px": self._rows,
        }
        self._plan_pixels()
        self._plan_rows()

    def _plan_pixels(self) -> None:
        """Decide how a decoded segment becomes 8-bit grey or RGB; refuse what has no agreed meaning."""
        page, photometric = self._page, _name(self._page.photometric)
        if page.imagedepth != 1 or page.sampleformat not in (1, None) or np.dtype(page.dtype or "V1").kind not in "ub":
            raise SourceError(f"{self.path}: samples must be unsigned integers of 1 to 16 bits; received {page.dtype}.")
        if page.bitspersample > 16:
            raise SourceError(f"{self.path}: samples must have 1 to 16 bits; received {page.bitspersample}.")
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
        if page.samplesperpixel > color:
            self.notes.append(f"{page.samplesperpixel - color} extra channel (alpha) dropped")
        if photometric == "SEPARATED":
            self.notes.append("CMYK converted to RGB without a color profile")
        self._table = self._make_table()

    def _make_table(self) -> np.ndarray | None:
        page, bits = self._page, self._page.bitspersample
        if self._photometric == "PALETTE":
            self.notes.append("palette converted to RGB")
            return np.ascontiguousarray(level_table(65535)[np.asarray(page.colormap)].T)
        tag = page.tags.get(281)
        white = (1 << bits) - 1
        if bits > 8 and tag is not None:
            white = max(1, int(np.max(tag.value)))
        self.white_level = white
        if bits > 8:
            self.notes.append(f"{bits} bit reduced to 8 with white level {white}")
        table = level_table(white, 1 << max(8, 16 if bits > 8 else 8))
        if self._photometric == "MINISWHITE":
            table = 255 - table
        return None if bits == 8 and self._photometric != "MINISWHITE" else table

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
        )
        turned = self._orientation >= 5
        piece = self._rows * self._cols if turned else self._lane_rows * self._cols
        if piece > MAX_WHOLE_PX and (turned or not self._raw_rows):
            why = f"orientation {self._orientation}" if turned else f"{self.stored['layout']} of {self._lane_rows} rows"
            raise SourceError(
                f"{self.path}: at most {MAX_WHOLE_PX // 10**6} megapixels are decoded in one piece; "
                f"received {piece // 10**6} "
                f"because of {why}; {ADVICE_TILED}."
            )
        if len(page.dataoffsets) < self._across * self._down * self._planes:
            raise SourceError(
                f"{self.path}: {self._across * self._down * self._planes} tiles or strips expected; "
                f"received {len(page.dataoffsets)}."
            )
        self.height, self.width = (self._cols, self._rows) if turned else (self._rows, self._cols)
        if self._orientation != 1:
            self.notes.append(f"EXIF orientation {self._orientation} applied")
        self._turned: np.ndarray | None = None

    def read(self, y0: int, y1: int) -> np.ndarray:
        code = self._orientation
        if code >= 5:
            if self._turned is None:
                self._turned = orient(self._stored_rows(0, self._rows), code)
            return self._turned[y0:y1]
        if code in (3, 4):
            y0, y1 = self._rows - y1, self._rows - y0
        return orient(self._stored_rows(y0, y1), code)

    def close(self) -> None:
        self._tiff.close()

    def _stored_rows(self, r0: int, r1: int) -> np.ndarray:
        shape = (r1 - r0, self._cols) if self.channels == 1 else (r1 - r0, self._cols, 3)
        out = np.empty(shape, np.uint8)
        with _refuse(self.path):
            for lane in range(r0 // self._lane_rows, -(-r1 // self._lane_rows)):
                top = lane * self._lane_rows
                a, b = max(r0, top), min(r1, top + self._lane_rows)
                out[a - r0 : b - r0] = (
                    self._raw(lane, a - top, b - top) if self._raw_rows else self._decoded(lane)[a - top : b - top]
                )
        return out

    def _raw(self, lane: int, a: int, b: int) -> np.ndarray:
        """Rows a ... b - 1 of an uncompressed strip, without the rest of the strip."""
        page = self._page
        dtype = np.dtype(page.dtype).newbyteorder(self._tiff.byteorder)
        row_bytes = self._cols * page.samplesperpixel * dtype.itemsize
        if page.databytecounts[lane] == 0:
            data = bytes((b - a) * row_bytes)
        else:
            data = self._bytes(page.dataoffsets[lane] + a * row_bytes, (b - a) * row_bytes, f"strip {lane}")
        return self._to_uint8(np.frombuffer(data, dtype).reshape(b - a, self._cols, page.samplesperpixel))

    def _decoded(self, lane: int) -> np.ndarray:
        if lane == self._lane_index:
            return self._lane
        rows = min(self._lane_rows, self._rows - lane * self._lane_rows)
        out = np.empty((rows, self._cols) if self.channels == 1 else (rows, self._cols, 3), np.uint8)
        step = self._page.tilewidth if self._page.is_tiled else self._cols
        for column in range(self._across):
            c0, c1 = column * step, min((column + 1) * step, self._cols)
            planes = [
                self._segment((s * self._down + lane) * self._across + column, rows, c1 - c0)
                for s in range(self._planes)
            ]
            out[:, c0:c1] = self._to_uint8(planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2))
        self._lane_index, self._lane = lane, out
        return out

    def _segment(self, index: int, rows: int, cols: int) -> np.ndarray:
        """Tile or strip `index` as [rows, cols, samples]; an absent one (0 bytes) is all 0."""
        page = self._page
        samples = 1 if self._planes > 1 else page.samplesperpixel
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
        if pixels.shape[2] == 1:
            return pixels[..., 0] if self.channels == 1 else np.repeat(pixels, 3, axis=2)
        return grey_of_rgb(pixels) if self.channels == 1 else pixels


def orient(pixels: np.ndarray, code: int) -> np.ndarray:
    """Pixels as stored -> pixels as seen, for EXIF orientation 1 to 8."""
    if code >= 5:
        pixels = pixels.swapaxes(0, 1)
        code = {5: 1, 6: 2, 7: 3, 8: 4}.get(code, 1)
    if code in (2, 3):
        pixels = pixels[:, ::-1]
    if code in (3, 4):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _rgb_of_cmyk(cmyk: np.ndarray) -> np.ndarray:
    ink = 255 - cmyk[..., :3].astype(np.uint16)
    return ((ink * (255 - cmyk[..., 3:4].astype(np.uint16)) + 127) // 255).astype(np.uint8)


def _pil_pixels(image: Any, channels: int, notes: list[str]) -> np.ndarray:
    if image.mode in ("I", "F"):
        raise SourceError(f"samples must be unsigned integers of 1 to 16 bits; received Pillow mode {image.mode}.")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        notes.append("alpha channel dropped")
    if image.mode in ("P", "PA"):
        notes.append("palette converted to RGB")
        image = image.convert("RGBA").convert("RGB")
    if image.mode == "CMYK":
        notes.append("CMYK converted to RGB without a color profile")
        image = image.convert("RGB")
    grey = image.mode in ("L", "LA", "1")
    image = image.convert("L" if grey else "RGB")
    if channels == 3:
        return np.asarray(image.convert("RGB"))
    return np.asarray(
        image.convert("L")
    )  # Pillow's L of RGB is the integer formula of docs/format.md; a test compares them


def _png16(path: Path, channels: int, source: Source) -> np.ndarray:
    """16-bit PNG through imagecodecs, because Pillow drops the low byte of RGB."""
    import imagecodecs

    pixels = np.atleast_3d(imagecodecs.png_decode(path.read_bytes()))
    source.white_level = 65535
    source.notes.append("16 bit reduced to 8 with white level 65535")
    if pixels.shape[2] in (2, 4):
        source.notes.append("alpha channel dropped")
        pixels = pixels[..., :-1]
    pixels = level_table(65535)[pixels]
    if pixels.shape[2] == 1:
        return pixels[..., 0] if channels == 1 else np.repeat(pixels, 3, axis=2)
    return grey_of_rgb(pixels) if channels == 1 else pixels


def _pil_open(path: Path) -> Any:
    from PIL import Image

    return Image.open(path, formats=("JPEG", "PNG"))


@contextlib.contextmanager
def _no_bomb_limit() -> Iterator[None]:
    """Lift Pillow's own limit; MAX_WHOLE_PX replaces it."""
    from PIL import Image

    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextlib.contextmanager
def _refuse(path: Path) -> Iterator[None]:
    """Turn whatever a reader raises on a broken file into one SourceError."""
    try:
        yield
    except (SourceError, MemoryError):
        raise
    except Exception as error:
        raise SourceError(f"{path} is broken or truncated: {type(error).__name__}: {error}") from None


def _name(value: Any) -> str:
    return getattr(value, "name", str(value))
