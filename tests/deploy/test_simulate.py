"""The interpreter against plain Python loops that follow docs/format.md word by word, and against the runtime.

`test_simulate_torch.py` compares it with PyTorch.
"""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from tiny_models import mixed_model, picture_model, scan_model  # noqa: E402

from aoienet import bits  # noqa: E402
from aoienet.deploy import format as model_file  # noqa: E402
from aoienet.deploy import simulate  # noqa: E402

F = np.float32


def _op(name: str, entry: dict[str, Any], tensors: dict[str, np.ndarray], *inputs: np.ndarray) -> np.ndarray:
    return simulate._OPS[name](entry, tensors, *inputs)


def _image(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _map(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(F)


def _same_bits(a: np.ndarray, b: np.ndarray) -> None:
    assert a.dtype == b.dtype == F
    assert a.shape == b.shape
    np.testing.assert_array_equal(np.ascontiguousarray(a).view(np.uint32), np.ascontiguousarray(b).view(np.uint32))


def test_every_float_value_is_float32_and_values_have_the_shapes_of_the_format() -> None:
    header, tensors = model_file.parse(model_file.serialize(*scan_model()))
    values = simulate.run(header, tensors, _image(96, 128))
    assert values[0].dtype == np.int8
    assert values[3].dtype == np.uint64 and values[3].shape == (2, 24, 32, 1)
    assert all(values[i].dtype == F for i in (1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13))
    assert values[13].shape == (2, 3, 2)
    np.testing.assert_array_equal(values[13], simulate.logits(header, tensors, _image(96, 128)))


def test_grey_of_rgb_is_the_integer_law() -> None:
    rgb = _image(5, 4, 3)
    for r, g, b, got in zip(*(rgb[..., c].ravel() for c in range(3)), simulate.grey(rgb).ravel(), strict=True):
        assert int(got) == (19595 * int(r) + 38470 * int(g) + 7471 * int(b) + 32768) >> 16
    assert simulate.grey(np.full((1, 1, 3), 255, np.uint8))[0, 0, 0] == 255


@pytest.mark.parametrize("window_px", [0, 3, 9, 31])
def test_standardize_equals_the_plain_loop(window_px: int) -> None:
    header, _ = scan_model()
    header["input"]["transform"]["window_px"] = window_px
    image = _image(11, 14)
    image[:4] = 128  # a flat corner: nQ = S^2
    got = simulate.transform(header, image)[..., 0]
    half = window_px // 2 if window_px else 100
    for y in range(11):
        for x in range(14):
            window = image[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1].astype(int)
            n, s, q = window.size, int(window.sum()), int((window * window).sum())
            level = 32.0 * (n * int(image[y, x]) - s) / math.sqrt(max(n * q - s * s, 0) + (2.0 * n) ** 2)
            assert int(got[y, x]) == max(-127, min(127, round(level)))


def test_center_subtracts_128() -> None:
    header, _ = scan_model()
    header["input"]["transform"] = {"kind": "center"}
    assert simulate.transform(header, np.array([[0, 127, 128, 255]], np.uint8)).ravel().tolist() == [-128, -1, 0, 127]


def test_thermometer_sets_as_many_bits_as_the_rounded_eighth() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    high = bits.unpack(_op("thermometer", {}, {}, image)[0], 32)
    np.testing.assert_array_equal(high.sum(axis=-1).ravel(), [(u + 4) // 8 for u in range(256)])
    assert np.all(high[..., :-1] >= high[..., 1:])  # bits fill from channel 0


@pytest.mark.parametrize(("k", "s", "p"), [(1, 1, 0), (3, 2, 1), (5, 3, 0), (7, 4, 3)])
def test_conv_int_equals_the_plain_loop(k: int, s: int, p: int) -> None:
    rng = np.random.default_rng(k)
    image = rng.integers(-128, 128, (9, 12, 2)).astype(np.int8)
    weight = rng.integers(-32768, 32768, (3, k, k, 2)).astype(np.int16)
    tensors = {"w": weight, "s": _map(3), "b": _map(3, seed=1)}
    got = _op("conv_int", {"k": k, "s": s, "p": p, "weight": "w", "scale": "s", "bias": "b"}, tensors, image)
    height, width = (9 + 2 * p - k) // s + 1, (12 + 2 * p - k) // s + 1
    expected = np.zeros((height, width, 3), F)
    for y, x, o in np.ndindex(height, width, 3):
        total = 0
        for ty, tx, i in np.ndindex(k, k, 2):
            yy, xx = y * s + ty - p, x * s + tx - p
            if 0 <= yy < 9 and 0 <= xx < 12:
                total += int(weight[o, ty, tx, i]) * int(image[yy, xx, i])
        expected[y, x, o] = F(F(total) * tensors["s"][o]) + tensors["b"][o]
    _same_bits(got, expected)


def test_binarize_keeps_the_threshold_itself_high_both_ways() -> None:
    x = np.array([-1.0, -0.0, 0.0, 1.0], F).reshape(1, 4, 1)
    up = {"t": np.zeros((1, 1), F), "f": np.zeros((1, 1), np.uint8)}
    down = {"t": np.zeros((1, 1), F), "f": np.ones((1, 1), np.uint8)}
    entry = {"threshold": "t", "flip": "f"}
    assert _op("binarize", entry, up, x).ravel().tolist() == [0, 1, 1, 1]
    assert _op("binarize", entry, down, x).ravel().tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (2, 1), (2, 3), (5, 4), (4, 7)])
@pytest.mark.parametrize("s", [1, 2])
@pytest.mark.parametrize(("k", "kw"), [(3, 3), (1, 1), (3, 1), (1, 3)])
def test_conv_bits_equals_the_plain_loop(k: int, kw: int, s: int, height: int, width: int, planes: int) -> None:
    channels, outputs = 70, 3
    rng = np.random.default_rng(height * 10 + width)
    b_JHWC = rng.random((planes, height, width, channels)) < 0.5
    w_OkkI = rng.random((outputs, k, kw, channels)) < 0.5
    tensors = {"w": bits.pack(w_OkkI), "ps": _map(planes), "e": _map(3), "f": _map(3, seed=1)}
    tensors["h"] = _map(16 if max(k, kw) == 3 else 1, outputs, seed=2)
    entry = {"k": k, "s": s, "channels": channels, "weight": "w", "plane_scale": "ps", "e": "e", "f": "f", "h": "h"}
    entry |= {"kw": kw} if kw != k else {}  # absent: the kernel is square
    got = _op("conv_bits", entry, tensors, bits.pack(b_JHWC))
    expected = np.zeros(((height - 1) // s + 1, (width - 1) // s + 1, outputs), F)
    for y, x, o in np.ndindex(*expected.shape):
        pc, rho = [0] * planes, [0] * planes
        for j, ty, tx in np.ndindex(planes, k, kw):
            yy, xx = y * s + ty - k // 2, x * s + tx - kw // 2
            if 0 <= yy < height and 0 <= xx < width:
                pc[j] += int((b_JHWC[j, yy, xx] & w_OkkI[o, ty, tx]).sum())
                rho[j] += int(b_JHWC[j, yy, xx].sum())
        c, r = (_scaled(tensors["ps"], counts) for counts in (pc, rho))
        class_row = _state(y * s, height, k) * 4 + _state(x * s, width, kw)
        expected[y, x, o] = F(F(tensors["e"][o] * c) + F(tensors["f"][o] * r)) + tensors["h"][class_row, o]
    _same_bits(got, expected)


def _scaled(scale: np.ndarray, counts: list[int]) -> Any:
    terms = [F(scale[j] * F(count)) for j, count in enumerate(counts)]
    return terms[0] if len(terms) == 1 else F(terms[0] + terms[1])


def _state(center: int, side: int, k: int) -> int:
    if k == 1:
        return 0
    mask = sum(1 << t for t in range(3) if 0 <= center + t - 1 < side)
    return {0b111: 0, 0b110: 1, 0b011: 2, 0b010: 3}[mask]


def test_linear_sums_in_the_written_order() -> None:
    x, weight, bias = _map(2, 2, 33), _map(4, 33, seed=1), _map(4, seed=2)
    expected = np.zeros((2, 2, 4), F)
    for y, xx, o in np.ndindex(2, 2, 4):
        accumulator = bias[o]
        for i in range(33):
            accumulator = F(accumulator + F(weight[o, i] * x[y, xx, i]))
        expected[y, xx, o] = accumulator
    _same_bits(_op("linear", {"weight": "w", "bias": "b"}, {"w": weight, "b": bias}, x), expected)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 6), (4, 3), (7, 5)])
@pytest.mark.parametrize(
    ("k", "s", "p", "groups"), [(1, 1, 0, 1), (1, 2, 0, 2), (2, 1, 1, 4), (3, 2, 1, 2), (5, 3, 2, 1), (7, 4, 3, 4)]
)
def test_conv_f32_sums_in_the_written_order(k: int, s: int, p: int, groups: int, height: int, width: int) -> None:
    inputs, outputs = 4 // groups, 8 // groups  # of a group
    x, weight, bias = _map(height, width, 4), _map(8, k, k, inputs, seed=1), _map(8, seed=2)
    expected = np.zeros(((height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1, 8), F)
    for y, xx, o in np.ndindex(*expected.shape):
        accumulator = bias[o]
        for ty, tx, i in np.ndindex(k, k, inputs):
            row, column = y * s + ty - p, xx * s + tx - p
            if 0 <= row < height and 0 <= column < width:
                accumulator = F(accumulator + F(weight[o, ty, tx, i] * x[row, column, o // outputs * inputs + i]))
        expected[y, xx, o] = accumulator
    entry = {"k": k, "s": s, "p": p, "groups": groups, "weight": "w", "bias": "b"}
    _same_bits(_op("conv_f32", entry, {"w": weight, "b": bias}, x), expected)


def test_slopes_send_zero_and_negative_numbers_to_the_negative_side() -> None:
    tensors = {"p": np.array([2], F), "ps": np.array([1], F), "n": np.array([3], F), "ns": np.array([-1], F)}
    entry = {"pos": "p", "pos_shift": "ps", "neg": "n", "neg_shift": "ns"}
    got = _op("slopes", entry, tensors, np.array([-1, 0, 1], F).reshape(1, 3, 1))
    assert got.ravel().tolist() == [-4.0, -1.0, 3.0]


def test_slopes_send_the_knee_itself_to_the_negative_side() -> None:
    tensors = {"p": np.array([2], F), "o": np.array([0], F), "n": np.array([3], F), "k": np.array([0.5], F)}
    entry = {"pos": "p", "pos_shift": "o", "neg": "n", "neg_shift": "o", "knee": "k"}
    assert _op("slopes", entry, tensors, np.array([[[0.25], [0.5], [0.75]]], F)).ravel().tolist() == [0.75, 1.5, 1.5]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 4), (3, 2), (4, 4), (5, 3)])
def test_avgpool2_equals_the_plain_loop(height: int, width: int) -> None:
    x = _map(height, width, 2, seed=height)
    average = np.zeros(((height + 1) // 2, (width + 1) // 2, 2), F)
    for y, xx, c in np.ndindex(*average.shape):
        rows = [x[r, 2 * xx : 2 * xx + 2, c] for r in (2 * y, 2 * y + 1) if r < height]
        sums = [row[0] if len(row) == 1 else F(row[0] + row[1]) for row in rows]
        total = sums[0] if len(sums) == 1 else F(sums[0] + sums[1])
        average[y, xx, c] = F(total * F(1 / sum(len(row) for row in rows)))
    _same_bits(_op("avgpool2", {}, {}, x), average)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 5), (4, 3), (5, 7)])
@pytest.mark.parametrize(("k", "s", "p"), [(2, 2, 0), (2, 1, 1), (2, 3, 1), (3, 2, 1), (3, 1, 1), (3, 3, 1)])
def test_maxpool_equals_the_plain_loop(k: int, s: int, p: int, height: int, width: int) -> None:
    x = _map(height, width, 2, seed=height)
    largest = np.zeros(((height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1, 2), F)
    for y, xx, c in np.ndindex(*largest.shape):
        top, left = y * s - p, xx * s - p
        largest[y, xx, c] = x[max(top, 0) : top + k, max(left, 0) : left + k, c].max()
    _same_bits(_op("maxpool", {"k": k, "s": s, "p": p}, {}, x), largest)


def test_maxpool_keeps_the_first_of_equal_zeros() -> None:
    for first, second in ((0.0, -0.0), (-0.0, 0.0)):
        got = _op("maxpool", {"k": 2, "s": 2, "p": 0}, {}, np.array([first, second, -1, -1], F).reshape(2, 2, 1))
        assert np.signbit(got.item()) == np.signbit(first)


def test_clip_keeps_its_limits_and_what_lies_between() -> None:
    x = np.array([-np.inf, -2, -1.0000001, -1, 0.5, 1.5, 1.6, np.inf], F).reshape(1, -1, 1)
    assert _op("clip", {"low": -1, "high": 1.5}, {}, x).ravel().tolist() == [-1, -1, -1, -1, 0.5, 1.5, 1.5, 1.5]


def test_gate_takes_b_only_above_the_threshold() -> None:
    tensors = {"t": np.array([1], F), "s": np.array([2], F), "o": np.array([-1], F)}
    a, b = np.array([[[0.5], [1.0], [1.5]]], F), np.full((1, 3, 1), 7, F)
    got = _op("gate", {"threshold": "t", "scale": "s", "shift": "o"}, tensors, a, b)
    assert got.ravel().tolist() == [0.0, 1.0, 7.0]


def test_sigmoid_equals_the_plain_formula_and_is_right_to_one_unit() -> None:
    x = np.concatenate([_map(500) * F(12), np.array([-0.0, 0, -1000, 1000, -40, 40, -np.inf, np.inf], F)])
    got = _op("sigmoid", {}, {}, x.reshape(1, -1, 1)).ravel()
    for v, y in zip(x, got, strict=True):
        t = min(max(float(v), -40.0), 40.0)
        n = round(t * 1.4426950408889634)
        r = (t - n * 0.6931471803691238) - n * 1.9082149292705877e-10
        p = 0.0
        for k in range(13, -1, -1):
            p = 1.0 / math.factorial(k) if k == 13 else p * r + 1.0 / math.factorial(k)
        e = p * 2.0**n
        assert y == F(e / (1 + e))
        assert abs(float(y) - 1 / (1 + math.exp(-t))) <= np.spacing(y)
    nan = _op("sigmoid", {}, {}, np.full((1, 1, 1), np.nan, F)).item()
    assert nan == _op("sigmoid", {}, {}, np.full((1, 1, 1), -40, F)).item() > 0


def test_rank1_rounds_the_product_of_its_factors_first() -> None:
    x, rows, columns = _map(3, 4, 2), _map(3, seed=1), _map(4, seed=2)
    got = _op("rank1", {"rows": "r", "columns": "c"}, {"r": rows, "c": columns}, x)
    for y, xx, c in np.ndindex(3, 4, 2):
        assert got[y, xx, c] == F(x[y, xx, c] * F(rows[y] * columns[xx]))


def test_channels_puts_zeros_around_the_part_it_takes() -> None:
    x = _map(2, 3, 5)
    got = _op("channels", {"from": 1, "to": 4, "before": 2, "after": 1}, {}, x)
    np.testing.assert_array_equal(got[..., 2:5], x[..., 1:4])
    assert got.shape == (2, 3, 6) and not got[..., [0, 1, 5]].any()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (5, 4)])
def test_subsample2_takes_even_rows_and_columns(height: int, width: int) -> None:
    x = _map(height, width, 2)
    got = _op("subsample2", {}, {}, x)
    assert got.shape == ((height + 1) // 2, (width + 1) // 2, 2)
    for y, xx in np.ndindex(*got.shape[:2]):
        np.testing.assert_array_equal(got[y, xx], x[2 * y, 2 * xx])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (5, 4)])
def test_upadd2_adds_each_position_of_the_half_twice(height: int, width: int) -> None:
    a, b = _map(height, width, 2), _map((height + 1) // 2, (width + 1) // 2, 2, seed=1)
    got = _op("upadd2", {}, {}, a, b)
    assert got.shape == a.shape
    for y, x in np.ndindex(height, width):
        np.testing.assert_array_equal(got[y, x], a[y, x] + b[y // 2, x // 2])
    with pytest.raises(ValueError, match="half its size"):
        _op("upadd2", {}, {}, a, _map(height // 2 + 2, width, 2))


def test_two_convolutions_of_one_weight_tensor_add_their_planes() -> None:
    header, tensors = model_file.parse(model_file.serialize(*mixed_model()))
    first, second = header["graph"][6], header["graph"][7]
    assert first["weight"] == second["weight"] and first["in"] != second["in"]
    values = simulate.run(header, tensors, _image(10, 9, 3))
    copied = {**tensors, "copy": tensors[first["weight"]].copy()}
    again = simulate.run(
        {**header, "graph": [*header["graph"][:7], second | {"weight": "copy"}]}, copied, _image(10, 9, 3)
    )
    _same_bits(values[8], again[8])
    _same_bits(values[9], values[7] + values[8])


@pytest.mark.parametrize("op", ["add", "mul", "gate"])
def test_two_values_of_other_shapes_are_refused(op: str) -> None:
    with pytest.raises(ValueError, match="one shape"):
        _op(op, {}, {}, _map(2, 2, 3), _map(1, 2, 3))


@pytest.mark.parametrize(("window", "stride"), [(0, 1), (2, 1), (3, 2), (5, 5)])
def test_pool_sums_row_by_row(window: int, stride: int) -> None:
    x = _map(5, 7, 3)
    h, w = (window, window) if window else (5, 7)
    expected = np.zeros(((5 - h) // stride + 1, (7 - w) // stride + 1, 3), F)
    for i, j, c in np.ndindex(*expected.shape):
        total = None
        for y, xx in np.ndindex(h, w):
            term = x[i * stride + y, j * stride + xx, c]
            total = term if total is None else F(total + term)
        expected[i, j, c] = F(total * F(1.0 / (h * w)))
    _same_bits(_op("pool", {"window": window, "stride": stride}, {}, x), expected)


def test_concat_puts_the_channels_of_a_first() -> None:
    a, b = _map(2, 2, 1), _map(2, 2, 3, seed=1)
    got = _op("concat", {}, {}, a, b)
    np.testing.assert_array_equal(got[..., :1], a)
    np.testing.assert_array_equal(got[..., 1:], b)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((9, 8, 3), "exactly"),
        ((9, 7), "takes 3 channels"),
        ((9, 7, 4), "an image is uint8"),
        ((9,), "an image is uint8"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(shape: tuple[int, ...], words: str) -> None:
    header, tensors = picture_model()
    with pytest.raises(ValueError, match=words):
        simulate.run(header, tensors, _image(*shape))


def test_a_picture_smaller_than_one_block_is_refused() -> None:
    header, tensors = scan_model()
    with pytest.raises(ValueError, match="at least one block"):
        simulate.run(header, tensors, _image(32, 96))


@pytest.mark.parametrize(
    ("model", "shape"),
    [(scan_model, (96, 128)), (scan_model, (77, 101)), (picture_model, (9, 7, 3)), (mixed_model, (10, 9, 3))],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_runtime_gives_the_same_bits(model: Any, shape: tuple[int, ...], seed: int, tmp_path: Path) -> None:
    try:
        engine = importlib.import_module("aoienet.engine")
        opener = engine.Model.open
    except (ImportError, AttributeError) as error:
        pytest.skip(f"the C++ runtime is not built ({error}); run: make dev")
    model_file.write(tmp_path / "m.aoie", *model(seed))
    header, tensors = model_file.read(tmp_path / "m.aoie")
    image = _image(*shape, seed=seed)
    got = np.asarray(opener(str(tmp_path / "m.aoie")).run(image))
    expected = simulate.logits(header, tensors, image)
    _same_bits(got.reshape(expected.shape), expected)
