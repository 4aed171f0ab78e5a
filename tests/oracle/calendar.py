"""Days, weeks and months by the project's settings."""

from collections.abc import Iterator
from datetime import date, timedelta

DAY = timedelta(days=1)


def period_start(day: date, period: str, week_start: str) -> date:
    """Return the first day of the day, week or month that contains a day."""
    if period == "week":
        days_in = day.weekday() if week_start == "monday" else (day.weekday() + 1) % 7
        return day - days_in * DAY
    if period == "month":
        return day.replace(day=1)
    return day


def next_period(start: date, period: str) -> date:
    """Return the first day of the following period."""
    if period == "week":
        return start + 7 * DAY
    if period == "month":
        return (start.replace(day=28) + 4 * DAY).replace(day=1)
    return start + DAY


def days(first: date, last: date) -> Iterator[date]:
    """Yield every day from the first to the last, both inclusive."""
    return (first + n * DAY for n in range((last - first).days + 1))


def periods(first: date, last: date, period: str) -> Iterator[date]:
    """Yield the first day of every period from one to another, both inclusive."""
    start = first
    while start <= last:
        yield start
        start = next_period(start, period)
