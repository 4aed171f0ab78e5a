"""Format many rows at once: times, UUIDs, and rows of fixed width.

Fields are matrices of characters, with one row of `uint8` for each event. That is about twenty
times faster than formatting the values one by one.
"""

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amplitude_assets.emulator.world.noise import I64, U64

Chars = NDArray[np.uint8]

TIME_WIDTH = 26
UUID_WIDTH = 36


def json_text(value: object) -> bytes:
    """Return a value as compact JSON in UTF-8, with only the required escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _table(texts: Sequence[str]) -> Chars:
    return np.frombuffer("".join(texts).encode(), dtype=np.uint8).reshape(len(texts), -1)


_HEX = _table([f"{byte:02x}" for byte in range(256)])
_THOUSAND = _table([f"{number:03d}" for number in range(1000)])
_CLOCK = _table([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)])
_DAY_MS = 86_400_000


def times(milliseconds: I64, microseconds: I64 | None = None) -> Chars:
    """Format ms since 1970 UTC like the export: `2026-01-31 23:59:59.123000`.

    `microseconds` (0 to 999) are the last three digits.
    """
    day, ms = np.divmod(milliseconds, _DAY_MS)
    days, at = np.unique(day, return_inverse=True)
    out = np.empty((len(day), TIME_WIDTH), dtype=np.uint8)
    out[:, :10] = _table(days.astype("datetime64[D]").astype(str).tolist() or ["0000-00-00"])[at]
    out[:, 10] = ord(" ")
    out[:, 11:19] = _CLOCK[ms // 1000]
    out[:, 19] = ord(".")
    out[:, 20:23] = _THOUSAND[ms % 1000]
    out[:, 23:] = ord("0") if microseconds is None else _THOUSAND[microseconds]
    return out


def hexadecimal(numbers: U64) -> Chars:
    """Return the 16 hexadecimal digits of each number."""
    octets = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)
    return _HEX[octets].reshape(-1, 16)


def uuids(high: U64, low: U64) -> Chars:
    """Return UUIDs (version 4) of 128 random bits each."""
    digits = np.concatenate([hexadecimal(high), hexadecimal(low)], axis=1)
    out = np.empty((len(digits), UUID_WIDTH), dtype=np.uint8)
    taken = 0
    for start, width in ((0, 8), (9, 4), (14, 4), (19, 4), (24, 12)):
        out[:, start : start + width] = digits[:, taken : taken + width]
        taken += width
    out[:, [8, 13, 18, 23]] = ord("-")
    out[:, 14] = ord("4")
    out[:, 19] = np.frombuffer(b"89ab", dtype=np.uint8)[(high & np.uint64(3)).astype(np.int64)]
    return out


def rows(parts: Sequence[bytes | Chars]) -> list[bytes]:
    """Concatenate constant texts and fields (at least one) to one text for each row."""
    length = next(len(part) for part in parts if not isinstance(part, bytes))
    widths = [len(part) if isinstance(part, bytes) else part.shape[1] for part in parts]
    out = np.empty((length, sum(widths)), dtype=np.uint8)
    start = 0
    for part, width in zip(parts, widths, strict=True):
        out[:, start : start + width] = (
            np.frombuffer(part, dtype=np.uint8) if isinstance(part, bytes) else part
        )
        start += width
    texts: list[bytes] = out.view(f"S{start}").reshape(-1).tolist()
    return texts
