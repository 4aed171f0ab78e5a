"""How checks name hours to people."""

from collections.abc import Iterable
from datetime import datetime

from amplitude_assets.hours import contiguous_ranges

_SHOWN_RANGES = 20


def named(hours: Iterable[datetime]) -> str:
    """Name hours as ranges, the first of them when they are many."""
    ranges = contiguous_ranges(hours)
    shown = ", ".join(str(part) for part in ranges[:_SHOWN_RANGES])
    left = len(ranges) - _SHOWN_RANGES
    return f"{shown} and {left} more ranges" if left > 0 else shown


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, in the plural where it has to be."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
