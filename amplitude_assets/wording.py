"""Format numbers, dates and durations for people, and escape text from data."""

import html
from datetime import date, datetime


def count(number: float) -> str:
    """Format a whole number with separators: `12,345`."""
    return f"{number:,.0f}"


def short_count(number: float) -> str:
    """Format a whole number in full up to ten million, then in millions: `21.8 M`."""
    return count(number) if number < 10_000_000 else f"{number / 1_000_000:,.1f} M"


def share(part: float) -> str:
    """Format a fraction as a percentage: `12%`, or with a decimal below ten percent: `3.4%`."""
    percent = part * 100
    return f"{percent:.0f}%" if percent >= 9.95 or percent == 0 else f"{percent:.1f}%"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Format a number with its noun: `1 hour`, `12 hours`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def short_day(day: date) -> str:
    """Format a date without its year: `23 Nov`."""
    return f"{day.day} {day:%b}"


def long_day(day: date) -> str:
    """Format a date in full: `23 November 2026`."""
    return f"{day.day} {day:%B %Y}"


def moment(time: datetime) -> str:
    """Format a time with its zone: `24 November 2026, 05:00 UTC`."""
    return f"{long_day(time.date())}, {time:%H:%M %Z}"


def duration(seconds: float) -> str:
    """Format a duration in its two largest units: `3 min 12 s`, `2 h 5 min`, `4 days 3 h`.

    From ten minutes on, seconds are omitted. The spaces are non-breaking.
    """
    if seconds < 60:
        return f"{round(seconds, 1 if seconds < 10 else 0):g}\u00a0s"
    if seconds >= 600:
        seconds = round(seconds / 60) * 60
    days, rest = divmod(round(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [plural(days, "day"), f"{hours} h", f"{minutes} min", f"{rest} s"]
    amounts = (days, hours, minutes, rest)
    first = next(place for place, amount in enumerate(amounts) if amount)
    shown = [parts[place] for place in (first, first + 1) if place < 4 and amounts[place]]
    return " ".join(shown).replace(" ", "\u00a0")


def label(text: str, longest: int = 40) -> str:
    """Escape text from data for a label of a chart, which renders some HTML, and truncate it."""
    shown = " ".join(text.split())
    if len(shown) > longest:
        shown = shown[: longest - 1] + "…"
    return html.escape(shown)
