"""Color photographs: what is read, cropped, lit; what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from aoienet.data import photos


def encoded(image: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    content = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(content, kind, **options)
    return content.getvalue()


def gradient(width: int, height: int) -> np.ndarray:
    """Red is x, green is y, both as a share of 255."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 / (width - 1), y * 255 / (height - 1), 0 * x], -1).astype(np.uint8)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_every_mode_of_8_bits_or_less_becomes_rgb(mode):
    picture = Image.fromarray(gradient(40, 30)).convert(mode)
    content = encoded(picture, "JPEG" if mode == "CMYK" else "PNG")
    view = photos.centre_view(content, (16, 16), 18)
    assert view.shape == (16, 16, 3) and view.dtype == np.uint8
    if mode in ("L", "LA", "1"):
        assert np.array_equal(view[..., 0], view[..., 1])
    if mode == "CMYK":
        direct = photos.centre_view(encoded(picture.convert("RGB"), "JPEG"), (16, 16), 18)
        assert np.abs(view.astype(int) - direct).mean() < 12


def test_16_bit_and_other_formats_and_too_many_pixels_are_refused(monkeypatch):
    deep = Image.fromarray(np.full((8, 8), 40000, np.uint16))
    with pytest.raises(ValueError, match="samples have 8 bits; received Pillow mode I"):
        photos.open_picture(encoded(deep))
    with pytest.raises(ValueError, match="a picture is a JPEG or PNG; received 246 bytes that begin with b'BM"):
        photos.open_picture(encoded(gradient(8, 8), "BMP"))
    monkeypatch.setattr(photos, "MOST_PX", 63)
    with pytest.raises(ValueError, match="at most 63 pixels; received 8x8"):
        photos.open_picture(encoded(gradient(8, 8)))


def test_a_cut_file_raises_and_gives_no_grey_rest():
    content = encoded(gradient(200, 200), "JPEG", quality=95)
    with pytest.raises(OSError, match="truncated"):
        photos.centre_view(content[: len(content) // 2], (64, 64), 73)


@pytest.mark.parametrize(("width", "height"), [(300, 200), (200, 300), (256, 256), (100, 7), (1, 1)])
def test_crops_lie_inside_and_have_the_stated_area_and_aspect(width, height):
    rng = np.random.default_rng(0)
    for _ in range(200):
        left, top, right, bottom = photos.crop_box(rng, width, height)
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        if min(width, height) >= 200:
            w, h = right - left, bottom - top
            assert 0.07 < w * h / (width * height) <= 1
            assert 0.72 < w / h < 1.4


def test_the_areas_of_crops_are_spread_evenly():
    rng = np.random.default_rng(1)
    boxes = np.array([photos.crop_box(rng, 1000, 1000) for _ in range(2000)])
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / 1e6
    assert abs(np.median(area[area < 0.7]) - 0.39) < 0.03  # of those small enough to fit at any aspect


def test_a_random_view_shows_the_box_that_was_drawn():
    content = encoded(gradient(400, 300))
    left, top, right, bottom = photos.crop_box(np.random.default_rng(3), 400, 300)
    view = photos.random_view(np.random.default_rng(3), content, 64, flips=False, light=0.0).astype(float)
    across, down = view[..., 0].mean(0), view[..., 1].mean(1)
    assert abs(across[0] - left * 255 / 400) < 3 and abs(across[-1] - right * 255 / 400) < 3
    assert abs(down[0] - top * 255 / 300) < 3 and abs(down[-1] - bottom * 255 / 300) < 3


def test_half_of_the_views_are_mirrored():
    content = encoded(gradient(80, 80))
    views = [photos.random_view(np.random.default_rng(i), content, 16, (0.9, 1.0), light=0.0) for i in range(60)]
    mirrored = [view[0, 0, 0] > view[0, -1, 0] for view in views]
    assert 18 < sum(mirrored) < 42
    plain = [photos.random_view(np.random.default_rng(i), content, 16, (0.9, 1.0), False, 0.0) for i in range(20)]
    assert all(view[0, 0, 0] < view[0, -1, 0] for view in plain)


def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same():
    smooth = Image.fromarray(gradient(1600, 1200))
    picture = photos.open_picture(encoded(smooth, "JPEG", quality=95))
    assert photos.reduce(picture, (800, 800), 100) == 8.0 and picture.size == (200, 150)
    for part, side, factor in (((800, 800), 399, 2.0), ((800, 800), 401, 1.0), ((50, 50), 100, 1.0)):
        assert photos.reduce(photos.open_picture(encoded(smooth, "JPEG")), part, side) == factor
    views = [photos.random_view(np.random.default_rng(5), encoded(smooth, kind), 48) for kind in ("JPEG", "PNG")]
    assert np.abs(views[0].astype(int) - views[1]).max() <= 4  # only the JPEG can be decoded at a smaller size


def test_lighting_has_the_size_that_its_axes_were_made_for():
    """On 0..255: the spread of the three colors follows from the axes; without the factor 255 nothing would change."""
    image = np.full((1, 1, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    shifts = np.array([photos.lighting(rng, image)[0, 0].astype(float) - 128 for _ in range(4000)])
    expected = 0.1 * 255 * np.sqrt(((photos.COLOR_AXES * photos.COLOR_SIZES) ** 2).sum(1))
    assert shifts.std(0) == pytest.approx(expected, rel=0.06) and (expected > 3).all()
    assert np.corrcoef(shifts.T).min() > 0.95  # mostly brighter and darker
    assert photos.lighting(rng, np.full((2, 2, 3), 255, np.uint8), 10.0).dtype == np.uint8


def test_the_axes_are_orthonormal_and_the_first_is_that_of_real_pictures(data_dir):
    assert pytest.approx(np.eye(3), abs=1e-3) == photos.COLOR_AXES.T @ photos.COLOR_AXES
    files = sorted((data_dir / "imagenette224" / "val").glob("*/*.JPEG"))[::4]
    pixels = np.concatenate([photos.centre_view(f.read_bytes(), (32, 32), 37).reshape(-1, 3) for f in files]) / 255
    values, axes = np.linalg.eigh(np.cov(pixels.T))
    assert abs(axes[:, -1] @ photos.COLOR_AXES[:, 0]) > 0.999
    assert values[-1] < 1.0  # of pixels in 0..1, as COLOR_SIZES are


def test_the_centre_view_is_that_of_resize_then_crop():
    image = gradient(300, 200)
    view = photos.centre_view(encoded(image), (112, 112), 128)
    resized = np.asarray(Image.fromarray(image).resize((192, 128), Image.Resampling.BILINEAR))
    assert np.array_equal(view, resized[8:120, 40:152])
