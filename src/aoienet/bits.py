"""The bit law in NumPy (docs/notation.md): bit 1 is high, bit 0 is low, pad bits are 0.

Channel `c` is bit `c % 64` of little-endian 64-bit word `c // 64`; channels are the last axis, words too.
The sign of zero is +1, so a bit is made with `x >= threshold`, never with `x > threshold`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORD_BITS = 64

Words = NDArray[np.uint64]
Bools = NDArray[np.bool_]


def word_count(channels: int) -> int:
    """Return P, the packed words of `channels` bits."""
    if channels < 1:
        raise ValueError(f"channels must be at least 1; received channels={channels}.")
    return -(-channels // WORD_BITS)


def pack(bits: Bools) -> Words:
    """Pack bool [..., C] into uint64 [..., P]; pad bits are 0.

    Raises    TypeError: bits are not bool (make them with `x >= threshold`, so that the sign of zero is +1).
    """
    array = np.asarray(bits)
    if array.dtype != np.bool_:
        raise TypeError(
            f"pack takes bool [..., C]; received dtype={array.dtype}. Compare with a threshold first: x >= t."
        )
    channels = array.shape[-1]
    padded = np.zeros((*array.shape[:-1], word_count(channels) * WORD_BITS), dtype=np.bool_)
    padded[..., :channels] = array
    octets = np.ascontiguousarray(np.packbits(padded, axis=-1, bitorder="little"))
    return octets.view("<u8").astype(np.uint64, copy=False)


def unpack(words: Words, channels: int) -> Bools:
    """Unpack uint64 [..., P] into bool [..., C]; pad bits are dropped."""
    array = np.asarray(words)
    if array.dtype != np.uint64 or array.shape[-1] != word_count(channels):
        raise ValueError(
            f"unpack takes uint64 [..., {word_count(channels)}] for {channels} channels; "
            f"received dtype={array.dtype}, shape={array.shape}."
        )
    octets = np.ascontiguousarray(array.astype("<u8", copy=False)).view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=channels, bitorder="little").view(np.bool_)


def popcount(words: Words) -> NDArray[np.int64]:
    """Count the high bits over the last axis: uint64 [..., P] -> int64 [...]."""
    counts: NDArray[np.int64] = np.bitwise_count(words).sum(axis=-1, dtype=np.int64)
    return counts


def dot(a: Words, b: Words) -> NDArray[np.int64]:
    """Return the AND-popcount over the last axis; leading axes broadcast."""
    return popcount(np.bitwise_and(a, b))


def pad_bits_are_zero(words: Words, channels: int) -> bool:
    """Tell whether every bit beyond `channels` in the last word is 0."""
    used = channels % WORD_BITS
    if used == 0:
        return True
    return not bool(np.any(words[..., -1] >> np.uint64(used)))
