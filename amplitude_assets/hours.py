"""Export hours: parse, format and group them, and compute when they are exportable.

An export hour is the hour in which Amplitude's servers received an upload
(`server_upload_time`), because the Export API selects by it. Everywhere in the project it is a
timezone-aware `datetime` in UTC, on the hour.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)

# Returns the current time, timezone-aware in UTC.
Clock = Callable[[], datetime]

_SETTING_FORMAT = "%Y-%m-%dT%H"
_PARTITION_FORMAT = "%Y-%m-%d-%H:%M"
_API_FORMAT = "%Y%m%dT%H"


def utc_now() -> datetime:
    """Return the time of this machine, in UTC."""
    return datetime.now(UTC)


class HourError(ValueError):
    """An invalid hour, or an invalid range of hours."""


@dataclass(frozen=True, order=True)
class HourRange:
    """One or more consecutive hours, both ends included."""

    first: datetime
    last: datetime

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise HourError(
                f"the first hour {format_hour(self.first)} is after the last hour "
                f"{format_hour(self.last)}"
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
    """Parse an hour of the command line or a setting, `YYYY-MM-DDTHH`, UTC. Raises HourError."""
    return _strictly(text, _SETTING_FORMAT, "YYYY-MM-DDTHH, such as 2026-09-01T05")


def format_hour(hour: datetime) -> str:
    """Format an hour as `2026-09-01T05`."""
    return hour.strftime(_SETTING_FORMAT)


def run_command(hours: HourRange) -> str:
    """Return the command that fetches and loads these hours."""
    return f"amplitude-assets run --from {format_hour(hours.first)} --to {format_hour(hours.last)}"


def hour_of_partition(key: str) -> datetime:
    """Parse a Dagster partition key, `2026-09-01-05:00`. Raises HourError."""
    return _strictly(key, _PARTITION_FORMAT, "YYYY-MM-DD-HH:00, such as 2026-09-01-05:00")


def partition_of_hour(hour: datetime) -> str:
    """Format an hour as Dagster's hourly partition key, `2026-09-01-05:00`."""
    return hour.strftime(_PARTITION_FORMAT)


def api_parameter(hour: datetime) -> str:
    """Format an hour as the Export API's parameters `start` and `end`, `20260901T05`."""
    return hour.strftime(_API_FORMAT)


def floor_hour(moment: datetime) -> datetime:
    """Return the hour in UTC that contains an aware time of any zone."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def last_exportable_hour(now: datetime, delay_hours: int) -> datetime:
    """Return the newest hour that has been over for `delay_hours` full hours at `now`.

    Amplitude's own example: data sent from 20:00 to 21:00 can be exported at 23:00
    (https://amplitude.com/docs/apis/analytics/export).
    """
    return floor_hour(now) - (delay_hours + 1) * HOUR


def exportable_at(hour: datetime, delay_hours: int) -> datetime:
    """Return the time from which an hour is exportable."""
    return hour + (delay_hours + 1) * HOUR


def is_exportable(hour: datetime, now: datetime, delay_hours: int) -> bool:
    """Return whether an hour has been over for `delay_hours` full hours at `now`."""
    return hour <= last_exportable_hour(now, delay_hours)


def contiguous_ranges(hours: Iterable[datetime], longest: int | None = None) -> list[HourRange]:
    """Group hours, in any order and with repeats, into the fewest ranges without gaps.

    A range has at most `longest` hours. The ranges are in time order.
    """
    ranges: list[HourRange] = []
    for hour in sorted(set(hours)):
        if ranges and hour - ranges[-1].last == HOUR and (not longest or len(ranges[-1]) < longest):
            ranges[-1] = HourRange(ranges[-1].first, hour)
        else:
            ranges.append(HourRange(hour, hour))
    return ranges


def _strictly(text: str, form: str, shape: str) -> datetime:
    """Parse `text` only in exactly the format `form`: strptime alone accepts `2026-9-1T5`."""
    try:
        hour = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        hour = None
    if hour is None or hour.strftime(form) != text or hour != floor_hour(hour):
        raise HourError(f"{text!r} is not an hour; write {shape} (UTC)")
    return hour
