"""JPEG, PNG and JPEG 2000: described from the header, decoded as a whole at the first read, up to base.MAX_WHOLE_PX."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aoienet.scan.sources import base
from aoienet.scan.sources.base import Source, SourceError, checked_white_level, grey_or_rgb, level_table, orient, refuse

JPEG2000 = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")  # a JP2 file, a bare code stream
SIZ = b"\xff\x4f\xff\x51"  # start of the code stream and its size marker (ISO/IEC 15444-1, A.5.1)
STRIP_ROWS = 256  # rows converted at once, so that what is in between stays small
PILLOW_BYTES = {"1": 1, "L": 1, "P": 1, "LA": 4, "PA": 4, "RGB": 4, "RGBA": 4, "CMYK": 4, "YCbCr": 4}  # per pixel
EXIF_KEYS = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif", "Raw profile type APP1"}
JPEG2000_BYTES = 7  # per sample: OpenJPEG holds 4, its copies the rest; measured on 50 megapixels of RGB


class WholeSource(Source):
    """JPEG, PNG or JPEG 2000, decoded once."""

    def __init__(self, path: Path, channels: int, magic: bytes, white_level: int | None = None) -> None:
        self.path, self.channels, self.notes, self.warnings, self.white_level = path, channels, [], [], 255
        self._wanted_white = white_level
        self._orientation = 1
        self._pixels: np.ndarray | None = None
        self._decode: Callable[[], np.ndarray]
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
        self.held_bytes = width * height * (bytes_px + channels * (1 + turned))

    def read(self, y0: int, y1: int) -> np.ndarray:
        if self._pixels is None:
            with refuse(self.path):
                self._pixels = orient(self._decode(), self._orientation)
        return self._pixels[y0:y1]

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
                if samples in (2, 4):
                    self.notes.append("alpha channel dropped")
                self._decode = self._png16
                return 2 * samples
            if mode in ("I", "F"):
                raise SourceError(f"samples must be unsigned integers of 1 to 16 bits; received Pillow mode {mode}.")
            if mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                self.notes.append("alpha channel dropped")
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
        if samples in (2, 4):
            self.notes.append("alpha channel dropped")
        self.white_level = checked_white_level(self._wanted_white, bits)
        if bits != 8:
            how = "reduced" if bits > 8 else "spread"
            self.notes.append(f"{bits} bit {how} to 8 with white level {self.white_level}")
        self._decode = self._jpeg2000
        return JPEG2000_BYTES * samples

    def _pillow(self) -> np.ndarray:
        with _no_bomb_limit(), _pil_open(self.path) as image:
            image.load()
            width, height = image.size
            return self._strips(height, lambda a, b: _pil_pixels(image.crop((0, a, width, b)), self.channels))

    def _png16(self) -> np.ndarray:
        """Through imagecodecs, because Pillow drops the low byte of RGB."""
        import imagecodecs

        return self._levels(np.atleast_3d(imagecodecs.png_decode(self.path.read_bytes())))

    def _jpeg2000(self) -> np.ndarray:
        import imagecodecs

        pixels = imagecodecs.jpeg2k_decode(self.path.read_bytes())
        if pixels.dtype.kind != "u" or pixels.ndim not in (2, 3):
            raise SourceError(f"samples must be unsigned integers; received {pixels.dtype} of {pixels.shape}.")
        return self._levels(np.atleast_3d(pixels))

    def _levels(self, pixels: np.ndarray) -> np.ndarray:
        """Integers [H, W, 1 to 4] up to the white level -> 8 bit, alpha dropped."""
        color = 1 if pixels.shape[2] < 3 else 3
        table = level_table(self.white_level)

        def strip(a: int, b: int) -> np.ndarray:
            part = pixels[a:b, :, :color]
            return grey_or_rgb(part if self.white_level == 255 else table[part], self.channels)

        return self._strips(len(pixels), strip)

    def _strips(self, height: int, strip: Callable[[int, int], np.ndarray]) -> np.ndarray:
        first = strip(0, min(STRIP_ROWS, height))
        out = np.empty((height, *first.shape[1:]), np.uint8)
        out[: len(first)] = first
        for y in range(STRIP_ROWS, height, STRIP_ROWS):
            out[y : y + STRIP_ROWS] = strip(y, min(y + STRIP_ROWS, height))
        return out


def _jpeg2000_size(head: bytes) -> tuple[int, int, int, int]:
    """Width, height, samples and bits of a JPEG 2000, from its size marker."""
    at = head.find(SIZ)
    if at < 0:
        raise ValueError("a JPEG 2000 must hold a size marker in its first megabyte; received none.")
    right, lower, left, upper = struct.unpack_from(">4I", head, at + 8)
    samples, depth = struct.unpack_from(">HB", head, at + 40)
    if depth & 0x80 or depth > 15:
        raise ValueError(f"samples must be unsigned integers of 1 to 16 bits; received depth code {depth}.")
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
