"""Format hours and counts in check descriptions."""

from collections.abc import Iterable
from datetime import datetime

from amplitude_assets.hours import contiguous_ranges

_SHOWN_RANGES = 20


def named(hours: Iterable[datetime]) -> str:
    """Return hours as ranges, the first twenty if there are more."""
    ranges = contiguous_ranges(hours)
    shown = ", ".join(str(part) for part in ranges[:_SHOWN_RANGES])
    left = len(ranges) - _SHOWN_RANGES
    return f"{shown} and {left} more ranges" if left > 0 else shown


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in singular or plural."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
