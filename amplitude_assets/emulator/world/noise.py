"""Reproducible random numbers, as pure functions of a key and a name.

Every random draw of the world uses these functions, so any hour can be generated without the hours
before it, and is the same on every machine and numpy version (numpy guarantees that only within a
version). The mixing function is splitmix64 (Steele, Lea, Flood 2014).
"""

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

_GOLDEN = 0x9E3779B97F4A7C15
_TO_UNIT = 2.0**-53


def mixed(keys: U64) -> U64:
    """Scramble keys over 64 bits: a bijection that maps similar keys to unrelated ones."""
    z = keys + np.uint64(_GOLDEN)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def joined(keys: U64, numbers: I64 | U64 | int) -> U64:
    """Combine keys with numbers into new keys, element by element; the order matters."""
    if isinstance(numbers, int):
        return mixed(keys ^ np.uint64(numbers * _GOLDEN % 2**64))
    return mixed(keys ^ (numbers.astype(np.uint64) * np.uint64(_GOLDEN)))


def bits(keys: U64, name: str) -> U64:
    """Return 64 random bits for each key; draws with different names are independent."""
    return mixed(keys ^ np.uint64(crc32(name.encode()) * _GOLDEN % 2**64))


def uniform(keys: U64, name: str) -> F64:
    """Return a number in [0, 1) for each key; draws with different names are independent."""
    return (bits(keys, name) >> np.uint64(11)).astype(np.float64) * _TO_UNIT


def below(keys: U64, name: str, limit: int) -> I64:
    """Return an integer in [0, limit) for each key."""
    return (uniform(keys, name) * limit).astype(np.int64)


def picked(keys: U64, name: str, shares: list[float]) -> I64:
    """Return a random index into `shares` for each key; `shares` are relative probabilities."""
    total = sum(shares)
    edges, so_far = [], 0.0
    for share in shares[:-1]:
        so_far += share / total
        edges.append(so_far)
    return np.searchsorted(np.array(edges), uniform(keys, name), side="right").astype(np.int64)
