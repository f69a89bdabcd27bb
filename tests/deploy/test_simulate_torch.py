"""Each op of the interpreter against the same layer of PyTorch, which shares no code with it.

Ops that only choose or move numbers must be equal; sums and products may differ by the rounding of float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aoienet import bits
from aoienet.deploy import simulate

torch = pytest.importorskip("torch")
functional = torch.nn.functional

ROUNDING = 1e-5
SIZES = [(1, 1), (2, 5), (7, 4), (9, 8)]


def _map(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _op(name: str, entry: dict[str, Any], tensors: dict[str, np.ndarray], *inputs: np.ndarray) -> np.ndarray:
    return simulate._OPS[name](entry, tensors, *inputs)


def _nchw(map_HWC: np.ndarray) -> Any:
    return torch.from_numpy(map_HWC.astype(np.float64)).permute(2, 0, 1)[None]


def _equal(got_HWC: np.ndarray, want_NCHW: Any) -> None:
    assert got_HWC.dtype == np.float32
    np.testing.assert_array_equal(got_HWC, want_NCHW[0].permute(1, 2, 0).numpy())


def _close(got_HWC: np.ndarray, want_NCHW: Any) -> None:
    assert got_HWC.dtype == np.float32
    np.testing.assert_allclose(got_HWC, want_NCHW[0].permute(1, 2, 0).numpy(), rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("k", range(1, 8))
@pytest.mark.parametrize(("s", "groups"), [(1, 1), (2, 3), (3, 6), (4, 2)])
def test_conv_f32_is_conv2d(k: int, s: int, groups: int, height: int, width: int) -> None:
    x, weight, bias = _map(height, width, 6), _map(12, k, k, 6 // groups, seed=1), _map(12, seed=2)
    for p in (p for p in range(k // 2 + 1) if min(height, width) + 2 * p >= k):
        entry = {"k": k, "s": s, "p": p, "groups": groups, "weight": "w", "bias": "b"}
        weight_OIHW = torch.from_numpy(weight.astype(np.float64)).permute(0, 3, 1, 2)
        want = functional.conv2d(_nchw(x), weight_OIHW, torch.from_numpy(bias.astype(np.float64)), s, p, 1, groups)
        _close(_op("conv_f32", entry, {"w": weight, "b": bias}, x), want)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("s", [1, 2, 3])
def test_maxpool_is_max_pool2d(k: int, s: int, height: int, width: int) -> None:
    x = _map(height, width, 3)
    for p in (p for p in range(k // 2 + 1) if min(height, width) + 2 * p >= k):
        _equal(_op("maxpool", {"k": k, "s": s, "p": p}, {}, x), functional.max_pool2d(_nchw(x), k, s, p))


@pytest.mark.parametrize("s", [1, 2])
@pytest.mark.parametrize(("k", "kw"), [(3, 3), (3, 1), (1, 3), (1, 1)])
def test_conv_bits_is_conv2d_of_two_level_planes(k: int, kw: int, s: int) -> None:
    """Levels lo + D b of the planes, wlo + d B of the weights; `h` is what the low level of the planes gives."""
    rng = np.random.default_rng(k * 3 + kw)
    b_JHWC, w_OHWI = rng.random((2, 5, 6, 70)) < 0.5, rng.random((4, k, kw, 70)) < 0.5
    step, low, d, wlo = np.array([0.5, 0.25]), np.array([-0.3, -0.1]), rng.normal(size=4), rng.normal(size=4)
    w_OIHW = torch.from_numpy((wlo[:, None, None, None] + d[:, None, None, None] * w_OHWI).transpose(0, 3, 1, 2))

    def conv(z_HWC: np.ndarray) -> np.ndarray:
        want: np.ndarray = (
            functional.conv2d(_nchw(z_HWC), w_OIHW, None, s, (k // 2, kw // 2))[0].permute(1, 2, 0).numpy()
        )
        return want

    rows, columns = (simulate._border_states(taps, s, side) for taps, side in ((k, 5), (kw, 6)))
    h = np.zeros((16 if max(k, kw) == 3 else 1, 4), np.float32)
    h[rows[:, None] * 4 + columns] = conv(np.full((5, 6, 70), low.sum()))
    tensors = {"w": bits.pack(w_OHWI), "ps": step.astype(np.float32), "h": h}
    tensors |= {"e": d.astype(np.float32), "f": wlo.astype(np.float32)}
    entry = {"k": k, "kw": kw, "s": s, "channels": 70, "weight": "w", "plane_scale": "ps", "e": "e", "f": "f", "h": "h"}
    got = _op("conv_bits", entry, tensors, bits.pack(b_JHWC))
    np.testing.assert_allclose(got, conv(low.sum() + np.tensordot(step, b_JHWC, 1)), atol=1e-4)


@pytest.mark.parametrize("shape", [(4, 5, 3), (1, 1, 3)])
def test_slopes_with_a_knee_are_a_shifted_prelu(shape: tuple[int, ...]) -> None:
    """RPReLU: prelu(x - knee) + after."""
    x, knee, slope, after = _map(*shape), _map(3, seed=1), _map(3, seed=2), _map(3, seed=3)
    names = {"pos": np.ones(3, np.float32), "pos_shift": after - knee, "neg": slope, "neg_shift": after - slope * knee}
    entry = {key: key for key in (*names, "knee")}
    shifted = _nchw(x) - _nchw(knee.reshape(1, 1, 3))
    want = functional.prelu(shifted, torch.from_numpy(slope.astype(np.float64))) + _nchw(after.reshape(1, 1, 3))
    _close(_op("slopes", entry, names | {"knee": knee}, x), want)


def test_clip_is_hardtanh() -> None:
    x = _map(6, 5, 3)
    _equal(_op("clip", {"low": -0.5, "high": 1}, {}, x), functional.hardtanh(_nchw(x), -0.5, 1.0))


def test_sigmoid_is_torch_sigmoid() -> None:
    x = _map(30, 30, 3) * np.float32(20)
    want = torch.sigmoid(_nchw(x).clamp(-40, 40)).float()[0].permute(1, 2, 0).numpy()
    got = _op("sigmoid", {}, {}, x)
    assert np.all(np.abs(got - want) <= np.spacing(want))


def test_squeeze_and_excitation_is_that_of_torch() -> None:
    x, down, up, bias = _map(5, 7, 8), _map(4, 8, seed=1), _map(8, 4, seed=2), np.zeros(8, np.float32)
    relu = {"pos": np.ones(4, np.float32), "zero": np.zeros(4, np.float32)}
    squeezed = _op(
        "linear", {"weight": "w", "bias": "b"}, {"w": down, "b": bias[:4]}, _op("pool", {"window": 0}, {}, x)
    )
    active = _op("slopes", {"pos": "pos", "pos_shift": "zero", "neg": "zero", "neg_shift": "zero"}, relu, squeezed)
    scale = _op("sigmoid", {}, {}, _op("linear", {"weight": "w", "bias": "b"}, {"w": up, "b": bias}, active))
    mean = functional.adaptive_avg_pool2d(_nchw(x), 1)
    hidden = functional.relu(functional.conv2d(mean, torch.from_numpy(down.astype(np.float64))[:, :, None, None]))
    want = _nchw(x) * torch.sigmoid(
        functional.conv2d(hidden, torch.from_numpy(up.astype(np.float64))[:, :, None, None])
    )
    _close(_op("mul", {}, {}, x, scale), want)


def test_gate_is_where() -> None:
    a, b, threshold, scale, shift = (
        _map(4, 5, 3),
        _map(4, 5, 3, seed=1),
        _map(3, seed=2),
        _map(3, seed=3),
        _map(3, seed=4),
    )
    tensors = {"threshold": threshold, "scale": scale, "shift": shift}
    t, s, o = (_nchw(value.reshape(1, 1, 3)) for value in tensors.values())
    _close(
        _op("gate", {key: key for key in tensors}, tensors, a, b), torch.where(_nchw(a) > t, _nchw(b), s * _nchw(a) + o)
    )


def test_channels_is_a_padded_slice_and_subsample2_a_strided_one() -> None:
    x = _map(5, 6, 7)
    want = functional.pad(_nchw(x)[:, 2:6], (0, 0, 0, 0, 1, 3))
    _equal(_op("channels", {"from": 2, "to": 6, "before": 1, "after": 3}, {}, x), want)
    _equal(_op("subsample2", {}, {}, x), functional.max_pool2d(_nchw(x), 1, 2))


def test_upadd2_is_nearest_interpolation_and_a_sum() -> None:
    a, b = _map(6, 8, 3), _map(3, 4, 3, seed=1)
    _close(_op("upadd2", {}, {}, a, b), _nchw(a) + functional.interpolate(_nchw(b), size=(6, 8), mode="nearest"))


def test_rank1_is_an_outer_product() -> None:
    x, rows, columns = _map(5, 6, 3), _map(5, seed=1), _map(6, seed=2)
    outer = torch.outer(*(torch.from_numpy(axis.astype(np.float64)) for axis in (rows, columns)))
    _close(_op("rank1", {"rows": "r", "columns": "c"}, {"r": rows, "c": columns}, x), _nchw(x) * outer)
