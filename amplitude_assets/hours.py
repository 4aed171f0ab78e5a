"""The export hour: how it is written, ranged over, and when it is ready.

An export hour is the hour in which Amplitude's servers received an upload
(`server_upload_time`), because that is what the Export API selects by. Everywhere in the
project it is a timezone-aware `datetime` in UTC, on the hour. This module knows nothing of
Dagster or of connections; what a partition is stands in `assets/partitions.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)

# Tells the time, timezone-aware in UTC.
Clock = Callable[[], datetime]

_SETTING_FORMAT = "%Y-%m-%dT%H"
_PARTITION_FORMAT = "%Y-%m-%d-%H:%M"
_API_FORMAT = "%Y%m%dT%H"


def utc_now() -> datetime:
    """Tell the time of this machine, in UTC."""
    return datetime.now(UTC)


class HourError(ValueError):
    """An hour that cannot be read, or a range that cannot be asked for."""


@dataclass(frozen=True, order=True)
class HourRange:
    """A run of consecutive hours, both ends included; its length is at least one hour."""

    first: datetime
    last: datetime

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise HourError(
                f"the range ends before it begins: {format_hour(self.first)} "
                f"is after {format_hour(self.last)}"
            )

    def __len__(self) -> int:
        return (self.last - self.first) // HOUR + 1

    def __iter__(self) -> Iterator[datetime]:
        return (self.first + n * HOUR for n in range(len(self)))

    def __contains__(self, hour: object) -> bool:
        return isinstance(hour, datetime) and self.first <= hour <= self.last

    def __str__(self) -> str:
        if self.first == self.last:
            return format_hour(self.first)
        return f"{format_hour(self.first)} to {format_hour(self.last)}"

    def halves(self) -> tuple["HourRange", "HourRange"]:
        """Split into two ranges that together are this one. Raises HourError for one hour."""
        if len(self) == 1:
            raise HourError(f"{self} is one hour and cannot be halved")
        middle = self.first + (len(self) // 2) * HOUR
        return HourRange(self.first, middle - HOUR), HourRange(middle, self.last)


def parse_hour(text: str) -> datetime:
    """Read an hour as people write it, `YYYY-MM-DDTHH`, in UTC. Raises HourError."""
    return _strictly(text, _SETTING_FORMAT, "YYYY-MM-DDTHH, such as 2026-09-01T05")


def format_hour(hour: datetime) -> str:
    """Write an hour as people write it, `2026-09-01T05`."""
    return hour.strftime(_SETTING_FORMAT)


def hour_of_partition(key: str) -> datetime:
    """Turn a Dagster partition key, `2026-09-01-05:00`, into its hour. Raises HourError."""
    return _strictly(key, _PARTITION_FORMAT, "YYYY-MM-DD-HH:00, such as 2026-09-01-05:00")


def partition_of_hour(hour: datetime) -> str:
    """Turn an hour into Dagster's hourly partition key, `2026-09-01-05:00`."""
    return hour.strftime(_PARTITION_FORMAT)


def api_parameter(hour: datetime) -> str:
    """Write an hour as the Export API takes it in `start` and `end`, `20260901T05`."""
    return hour.strftime(_API_FORMAT)


def floor_hour(moment: datetime) -> datetime:
    """Return the hour that holds an aware moment of any zone, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def last_exportable_hour(now: datetime, delay_hours: int) -> datetime:
    """Return the newest hour that has been over for `delay_hours` full hours at `now`.

    Amplitude's own example: data sent from 20:00 to 21:00 can be exported at 23:00
    (https://amplitude.com/docs/apis/analytics/export).
    """
    return floor_hour(now) - (delay_hours + 1) * HOUR


def is_exportable(hour: datetime, now: datetime, delay_hours: int) -> bool:
    """Say whether an hour has been over for `delay_hours` full hours at `now`."""
    return hour <= last_exportable_hour(now, delay_hours)


def contiguous_ranges(hours: Iterable[datetime], longest: int | None = None) -> list[HourRange]:
    """Group hours, in any order and with repeats, into the fewest ranges without gaps.

    `longest` bounds the hours of one range. The ranges come out in time order.
    """
    ranges: list[HourRange] = []
    for hour in sorted(set(hours)):
        if ranges and hour - ranges[-1].last == HOUR and (not longest or len(ranges[-1]) < longest):
            ranges[-1] = HourRange(ranges[-1].first, hour)
        else:
            ranges.append(HourRange(hour, hour))
    return ranges


def _strictly(text: str, form: str, shape: str) -> datetime:
    """Parse `text` only if it is exactly what `form` writes: strptime alone takes `2026-9-1T5`."""
    try:
        hour = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        hour = None
    if hour is None or hour.strftime(form) != text or hour != floor_hour(hour):
        raise HourError(f"{text!r} is not an hour; write {shape} (UTC)")
    return hour
