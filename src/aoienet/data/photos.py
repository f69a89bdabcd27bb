"""Color photographs as ImageNet trainings see them: read from bytes, cropped, mirrored, lit. Source: the public trainings of
ResNet (fb.resnet.torch, torchvision); every choice comes from the generator handed in.

Pictures are seen as they are stored, without the EXIF turn, as those trainings see them.
"""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, UnidentifiedImageError

from aoienet.data.transform import centre_of

MOST_PX = 64 * 2**20  # of one picture; the largest of ImageNet has 30 million
AREA = (0.08, 1.0)  # share of the picture that a random crop covers: Szegedy 2015, arXiv 1409.4842, section 6
ASPECT = (3 / 4, 4 / 3)
CROP_TRIES = 10  # then the largest centred crop within ASPECT, as in torchvision
RESIZE_TO_SIDE = 256 / 224  # shorter side after the resize, per side of the centre crop

# Principal components of the colors of ImageNet (one per column) and the size of each, for pixels in 0..1. Krizhevsky 2012,
# section 4.1; the numbers are fb.resnet.torch's. Added to pixels of 0..255, as some trainings do, they change nothing.
COLOR_AXES = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
COLOR_SIZES = np.array([0.2175, 0.0188, 0.0045])
LEVELS = 255.0

Box = tuple[int, int, int, int]  # left, top, right, bottom


def open_picture(content: bytes) -> Image.Image:
    """A JPEG or PNG whose header is read and whose pixels are not yet.

    Raises    ValueError: another format, samples of more than 8 bits, more than MOST_PX pixels; Pillow's errors.
    """
    try:
        picture = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
    except UnidentifiedImageError:  # its text names the address of the buffer
        raise ValueError(
            f"a picture is a JPEG or PNG; received {len(content):,} bytes that begin with {content[:8]!r}"
        ) from None
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"samples have 8 bits; received Pillow mode {picture.mode}; save it so.")
    if picture.width * picture.height > MOST_PX:
        raise ValueError(
            f"a picture has at most {MOST_PX:,} pixels; received {picture.width}x{picture.height}; make it smaller."
        )
    return picture


def to_rgb(picture: Image.Image) -> Image.Image:
    """Grey, palette, CMYK and transparent pictures as RGB; decodes the pixels."""
    if picture.mode in ("P", "PA"):  # by way of RGBA, as a palette may hold transparency
        picture = picture.convert("RGBA")
    picture.load()  # an RGB picture is converted by nothing, and would stay undecoded
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def reduce(picture: Image.Image, part_wh: tuple[int, int], side_px: int) -> float:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8 where a part of part_wh still has side_px or more on both sides; the factor."""
    width, height = picture.size
    least = (math.ceil(width * side_px / part_wh[0]), math.ceil(height * side_px / part_wh[1]))
    if least[0] > width or least[1] > height:
        return 1.0
    drawn = picture.draft(None, least)  # type: ignore[arg-type]
    return 1.0 if drawn is None else width / drawn[1][2]


def crop_box(rng: np.random.Generator, width: int, height: int, area: tuple[float, float] = AREA) -> Box:
    """A random part: its share of the area uniform in `area`, the logarithm of its aspect uniform in ASPECT."""
    for _ in range(CROP_TRIES):
        pixels = rng.uniform(*area) * width * height
        aspect = math.exp(rng.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
        w, h = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return left, top, left + w, top + h
    w = min(width, max(1, round(height * ASPECT[1])))
    h = min(height, max(1, round(width / ASPECT[0])))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def random_view(
    rng: np.random.Generator, content: bytes, side_px: int, area: tuple[float, float] = AREA, flips: bool = True,
    light: float = 0.1,
) -> np.ndarray:  # fmt: skip
    """A random-resized crop, mirrored with probability one half, lit: u8 [side_px, side_px, 3]. Raises as open_picture."""
    picture = open_picture(content)
    box = crop_box(rng, *picture.size, area)
    factor = reduce(picture, (box[2] - box[0], box[3] - box[1]), side_px)
    picture = to_rgb(picture)
    scaled = tuple(min(edge / factor, limit) for edge, limit in zip(box, picture.size * 2, strict=True))
    image = np.asarray(picture.resize((side_px, side_px), Image.Resampling.BILINEAR, box=scaled))  # type: ignore[arg-type]
    if flips and rng.integers(2):
        image = image[:, ::-1]
    return lighting(rng, image, light) if light else image


def lighting(rng: np.random.Generator, image_HWC: np.ndarray, spread: float = 0.1) -> np.ndarray:
    """Add COLOR_AXES (COLOR_SIZES * a) * 255 to every pixel, a ~ N(0, spread) per axis; rounded and clipped to 0..255."""
    shift = COLOR_AXES @ (COLOR_SIZES * rng.normal(0.0, spread, 3)) * LEVELS
    table = np.arange(256)[:, None] + shift  # 256 values per color instead of one sum per pixel
    table = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    return np.stack([table[:, c][image_HWC[:, :, c]] for c in range(3)], axis=-1)


def resize_px(side_px: int) -> int:
    """The shorter side that a picture is resized to before its centre of side_px is cut."""
    return round(side_px * RESIZE_TO_SIDE)


def centre_view(content: bytes, size_wh: tuple[int, int], short_px: int) -> np.ndarray:
    """Shorter side to short_px, then the centre: u8 [h, w, 3]. Raises as open_picture."""
    picture = open_picture(content)
    stored = picture.size
    reduce(picture, (min(stored), min(stored)), short_px)
    return np.asarray(centre_of(to_rgb(picture), stored, size_wh, short_px))
