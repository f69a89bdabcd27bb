"""The bit law: order of bits, pad bits, sign of zero, AND-popcounts against plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from aoienet import bits

CHANNELS = [1, 3, 31, 32, 33, 63, 64, 65, 97, 127, 128, 577]


def _random(channels: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(channels).random((*shape, channels)) < 0.5


@pytest.mark.parametrize("channels", CHANNELS)
def test_unpack_gives_back_what_was_packed(channels: int) -> None:
    high = _random(channels, 3, 2)
    words = bits.pack(high)
    assert words.dtype == np.uint64
    assert words.shape == (3, 2, -(-channels // 64))
    np.testing.assert_array_equal(bits.unpack(words, channels), high)


@pytest.mark.parametrize("channels", [1, 64, 65, 130])
def test_channel_c_is_bit_c_mod_64_of_word_c_div_64(channels: int) -> None:
    for c in range(channels):
        one = np.zeros(channels, dtype=bool)
        one[c] = True
        expected = [0] * bits.word_count(channels)
        expected[c // 64] = 1 << (c % 64)
        assert [int(word) for word in bits.pack(one)] == expected


def test_pad_bits_are_zero_when_all_channels_are_high() -> None:
    words = bits.pack(np.ones(70, dtype=bool))
    assert [int(word) for word in words] == [(1 << 64) - 1, (1 << 6) - 1]
    assert bits.pad_bits_are_zero(words, 70)
    assert not bits.pad_bits_are_zero(words | np.uint64(1 << 6), 70)
    assert bits.pad_bits_are_zero(np.full(1, (1 << 64) - 1, dtype=np.uint64), 64)


def test_sign_of_zero_is_plus_one_for_both_zeros() -> None:
    x = np.array([0.0, -0.0, -1e-45, 1e-45], dtype=np.float32)
    np.testing.assert_array_equal(bits.unpack(bits.pack(x >= np.float32(0)), 4), [True, True, False, True])


def test_pack_refuses_numbers_that_were_not_compared_with_a_threshold() -> None:
    with pytest.raises(TypeError, match="x >= t"):
        bits.pack(np.array([0.0, 1.0]))  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", CHANNELS)
def test_dot_is_the_and_popcount(channels: int) -> None:
    a, b = _random(channels, 4), np.roll(_random(channels, 4), 1, axis=0)
    expected = [sum(x and y for x, y in zip(row_a, row_b, strict=True)) for row_a, row_b in zip(a, b, strict=True)]
    np.testing.assert_array_equal(bits.dot(bits.pack(a), bits.pack(b)), expected)


def test_dot_broadcasts_the_leading_axes() -> None:
    a, b = bits.pack(_random(65, 4, 1)), bits.pack(_random(65, 3))
    assert bits.dot(a, b).shape == (4, 3)


def test_unpack_refuses_words_of_another_channel_count() -> None:
    with pytest.raises(ValueError, match="for 65 channels"):
        bits.unpack(np.zeros((2, 1), dtype=np.uint64), 65)


def test_word_count_refuses_zero_channels() -> None:
    with pytest.raises(ValueError, match="channels=0"):
        bits.word_count(0)
