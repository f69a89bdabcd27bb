"""JPEG, PNG and JPEG 2000: described from the header, decoded as a whole at the first read, up to base.MAX_WHOLE_PX."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator
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

JPEG2000 = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")  # a JP2 file, a bare code stream
SIZ = b"\xff\x4f\xff\x51"  # start of the code stream and its size marker (ISO/IEC 15444-1, A.5.1)
STRIP_ROWS = 256  # rows converted at once, so that what is in between stays small
PILLOW_BYTES = {"1": 1, "L": 1, "P": 1, "LA": 4, "PA": 4, "RGB": 4, "RGBA": 4, "CMYK": 4, "YCbCr": 4}  # per pixel
EXIF_KEYS = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif", "Raw profile type APP1"}
JPEG2000_BYTES = 7  # per sample: OpenJPEG holds 4, its copies the rest; measured on 50 megapixels of RGB


class WholeSource(Source):
    """JPEG, PNG or JPEG 2000, decoded once."""

    def __init__(
        self, path: Path, channels: int, magic: bytes, white_level: int | None = None, nodata: str = AUTO
    ) -> None:
        self.path, self.channels, self.notes, self.warnings, self.white_level = path, channels, [], [], 255
        self._wanted_white, self._wanted_nodata = white_level, nodata
        self._orientation = 1
        self._pixels: np.ndarray | None = None
        self._absent: np.ndarray | None = None
        self._alpha = False
        self._nodata: int | None = None
        self._decode: Callable[[], Decoded]
        with refuse(path):
            if magic.startswith(JPEG2000):
                bytes_px = self._describe_jpeg2000()
            else:
                bytes_px = self._describe(magic)
        width, height = self.stored["width_px"], self.stored["height_px"]
        if width * height > base.MAX_WHOLE_PX:
            raise SourceError(
                f"{path}: a {self.format} is decoded in one piece, at most {base.MAX_WHOLE_PX // 10**6} megapixels; "
                f"received {width}x{height}; {base.ADVICE_TILED}."
            )
        turned = self._orientation != 1
        if turned:
            self.notes.append(f"EXIF orientation {self._orientation} applied")
        self.height, self.width = (width, height) if self._orientation >= 5 else (height, width)
        self.lane_rows = self.height
        self.held_bytes = width * height * (bytes_px + (channels + bool(self.outside)) * (1 + turned))

    def read(self, y0: int, y1: int) -> np.ndarray:
        if self._pixels is None:
            with refuse(self.path):
                pixels, absent = self._decode()
                self._pixels = orient(pixels, self._orientation)
                self._absent = None if absent is None else orient(absent, self._orientation)
        return self._pixels[y0:y1]

    def absent(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> np.ndarray | None:
        self.read(y0, y1)
        return None if self._absent is None else self._absent[y0:y1, x0:x1]

    def _plan_outside(self, alpha: bool, bits: int) -> None:
        """Decide what tells where nothing was photographed: alpha, or the level that the user has told."""
        self._alpha = alpha and self._wanted_nodata == AUTO
        self._nodata = checked_nodata(self._wanted_nodata, bits)
        told = "alpha channel" if self._alpha else "" if self._nodata is None else f"level {self._nodata}"
        self._tell_outside(told, exact=self._alpha)
        if alpha and not self._alpha:
            self.notes.append("alpha channel dropped")

    def _describe(self, magic: bytes) -> int:
        """What the header of a JPEG or PNG says; gives the bytes per pixel while it is decoded."""
        with _pil_open(self.path) as image:
            self.format, mode = "PNG" if image.format == "PNG" else "JPEG", image.mode  # Pillow has more names
            self.stored = {"layout": "whole", "mode": mode, "width_px": image.width, "height_px": image.height}
            # of a PNG without metadata behind the pixels, Pillow would decode all pixels to learn that there is none
            asks = self.format == "JPEG" or bool(set(image.info) & EXIF_KEYS) or _metadata_behind_pixels(self.path)
            code = image.getexif().get(274, 1) if asks else 1
            self._orientation = int(code) if code in range(1, 9) else 1
            if self.format == "PNG" and magic[24] == 16:
                samples = {0: 1, 2: 3, 4: 2, 6: 4}.get(magic[25], 1)
                self.stored |= {"bits": 16, "samples": samples}
                self.white_level = checked_white_level(self._wanted_white, 16)
                self.notes.append(f"16 bit reduced to 8 with white level {self.white_level}")
                self._plan_outside(samples in (2, 4), 16)
                self._decode = self._png16
                return 2 * samples
            if mode in ("I", "F"):
                raise SourceError(
                    f"samples must be unsigned integers of 1 to 16 bits; received Pillow mode {mode}; {ADVICE_SAMPLES}."
                )
            self._plan_outside(mode in ("RGBA", "LA", "PA") or "transparency" in image.info, 8)
            if mode in ("P", "PA"):
                self.notes.append("palette converted to RGB")
            if mode == "CMYK":
                self.notes.append("CMYK converted to RGB without a color profile")
            self._decode = self._pillow
            return PILLOW_BYTES.get(mode, 4)

    def _describe_jpeg2000(self) -> int:
        """What the size marker of a JPEG 2000 says; gives the bytes per pixel while it is decoded."""
        self.format = "JPEG 2000"
        with open(self.path, "rb") as handle:
            head = handle.read(1 << 20)
        width, height, samples, bits = _jpeg2000_size(head)
        self.stored = {"layout": "whole", "bits": bits, "samples": samples, "width_px": width, "height_px": height}
        if samples in (2, 4):  # what the last sample means stands in another box; it is not read
            self.notes.append("alpha channel dropped")
        self._plan_outside(False, bits)
        self.white_level = checked_white_level(self._wanted_white, bits)
        if bits != 8:
            how = "reduced" if bits > 8 else "spread"
            self.notes.append(f"{bits} bit {how} to 8 with white level {self.white_level}")
        self._decode = self._jpeg2000
        return JPEG2000_BYTES * samples

    def _pillow(self) -> Decoded:
        with _no_bomb_limit(), _pil_open(self.path) as image:
            image.load()
            width, height = image.size

            def strip(a: int, b: int) -> Decoded:
                part = image.crop((0, a, width, b))
                absent = None
                if self._alpha:
                    if "transparency" in image.info:
                        part.info["transparency"] = image.info["transparency"]
                    absent = np.asarray(part.convert("RGBA").getchannel("A")) < 128
                elif self._nodata is not None:
                    absent = np.logical_and.reduce(_pil_pixels(part, 3) == self._nodata, axis=2)
                return _pil_pixels(part, self.channels), absent

            return self._strips(height, strip)

    def _png16(self) -> Decoded:
        """Through imagecodecs, because Pillow drops the low byte of RGB."""
        import imagecodecs

        return self._levels(np.atleast_3d(imagecodecs.png_decode(self.path.read_bytes())))

    def _jpeg2000(self) -> Decoded:
        import imagecodecs

        pixels = imagecodecs.jpeg2k_decode(self.path.read_bytes())
        if pixels.dtype.kind != "u" or pixels.ndim not in (2, 3):
            raise SourceError(
                f"samples must be unsigned integers; received {pixels.dtype} of {pixels.shape}; {ADVICE_SAMPLES}."
            )
        return self._levels(np.atleast_3d(pixels))

    def _levels(self, pixels: np.ndarray) -> Decoded:
        """Integers [H, W, 1 to 4] up to the white level -> 8 bit, and what alpha or a level tells."""
        color = 1 if pixels.shape[2] < 3 else 3
        table = level_table(self.white_level)

        def strip(a: int, b: int) -> Decoded:
            part = pixels[a:b, :, :color]
            absent = None
            if self._alpha:
                absent = pixels[a:b, :, -1] < 1 << 15
            elif self._nodata is not None:
                absent = np.logical_and.reduce(part == self._nodata, axis=2)
            return grey_or_rgb(part if self.white_level == 255 else table[part], self.channels), absent

        return self._strips(len(pixels), strip)

    def _strips(self, height: int, strip: Callable[[int, int], Decoded]) -> Decoded:
        pixels, absent = strip(0, min(STRIP_ROWS, height))
        out = np.empty((height, *pixels.shape[1:]), np.uint8)
        gone = None if absent is None else np.empty((height, pixels.shape[1]), bool)
        for y in range(0, height, STRIP_ROWS):
            if y:
                pixels, absent = strip(y, min(y + STRIP_ROWS, height))
            out[y : y + STRIP_ROWS] = pixels
            if gone is not None:
                gone[y : y + STRIP_ROWS] = absent
        return out, gone


def _jpeg2000_size(head: bytes) -> tuple[int, int, int, int]:
    """Width, height, samples and bits of a JPEG 2000, from its size marker."""
    at = head.find(SIZ)
    if at < 0:
        raise ValueError("a JPEG 2000 must hold a size marker in its first megabyte; received none.")
    right, lower, left, upper = struct.unpack_from(">4I", head, at + 8)
    samples, depth = struct.unpack_from(">HB", head, at + 40)
    if depth & 0x80 or depth > 15:
        raise SourceError(
            f"samples must be unsigned integers of 1 to 16 bits; received depth code {depth}; {ADVICE_SAMPLES}."
        )
    return right - left, lower - upper, samples, depth + 1


def _metadata_behind_pixels(path: Path) -> bool:
    """Whether a PNG has a text or EXIF chunk after its first pixels."""
    pixels = False
    with open(path, "rb") as handle:
        handle.seek(8)
        while len(head := handle.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            if pixels and kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            pixels = pixels or kind == b"IDAT"
            handle.seek(size + 4, 1)
    return False


def _pil_pixels(image: Any, channels: int) -> np.ndarray:
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA").convert("RGB")
    if image.mode == "CMYK":
        image = image.convert("RGB")
    grey = image.mode in ("L", "LA", "1")
    image = image.convert("L" if grey else "RGB")
    if channels == 3:
        return np.asarray(image.convert("RGB"))
    # Pillow's L of RGB is the integer formula of docs/format.md; a test compares them
    return np.asarray(image.convert("L"))


def _pil_open(path: Path) -> Any:
    from PIL import Image

    with _no_bomb_limit():
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
