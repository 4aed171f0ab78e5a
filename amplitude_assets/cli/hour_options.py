"""The options `--last`, `--from` and `--to`, and the range of hours that they select."""

from datetime import datetime

import click

from amplitude_assets.config import Settings
from amplitude_assets.hours import (
    HOUR,
    HourError,
    HourRange,
    format_hour,
    last_exportable_hour,
    parse_hour,
    utc_now,
)

_DEFAULT_LAST = 72


def hour_options(command: "click.decorators.FC") -> "click.decorators.FC":
    """Add the options to a command, as the parameters `count`, `first` and `last`."""
    for option in (
        click.option("--to", "last", callback=_hour, help="Last hour, YYYY-MM-DDTHH, UTC."),
        click.option("--from", "first", callback=_hour, help="First hour, YYYY-MM-DDTHH, UTC."),
        click.option("--last", "count", type=click.IntRange(min=1), help="The last N hours."),
    ):
        command = option(command)
    return command


def _hour(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> datetime | None:
    return None if text is None else parse_hour(text)


def selected_hours(
    settings: Settings,
    count: int | None,
    first: datetime | None,
    last: datetime | None,
    now: datetime | None = None,
) -> HourRange:
    """Return the selected hours; without options, the last 72 exportable hours.

    Raises HourError when an hour of the range is not exportable yet at `now` (UTC; by default the
    current time), or is before AMPLITUDE_START_HOUR.
    """
    newest = last_exportable_hour(now or utc_now(), settings.amplitude_export_delay_hours)
    start = settings.amplitude_start_hour
    if count is not None and (first or last):
        raise HourError("give --last, or --from and --to, not both")
    if last is not None and first is None:
        raise HourError("--to needs --from; or use --last N")
    if first is None:
        hours = HourRange(newest - ((count or _DEFAULT_LAST) - 1) * HOUR, newest)
    elif last is not None and last < first:
        raise HourError(f"--from {format_hour(first)} is after --to {format_hour(last)}; swap them")
    else:
        hours = HourRange(first, max(first, newest) if last is None else last)
    if hours.last > newest:
        raise HourError(
            f"{format_hour(hours.last)} is not exportable yet; the newest exportable hour is "
            f"{format_hour(newest)} (UTC)"
        )
    if hours.first < start:
        raise HourError(
            f"{format_hour(hours.first)} is before AMPLITUDE_START_HOUR {format_hour(start)}; "
            "select later hours, or set an earlier AMPLITUDE_START_HOUR"
        )
    return hours


def selected_hours_or_all(
    settings: Settings, count: int | None, first: datetime | None, last: datetime | None
) -> HourRange | None:
    """Return the selected hours, or None for all hours when no option is given."""
    if count is None and first is None and last is None:
        return None
    return selected_hours(settings, count, first, last)
