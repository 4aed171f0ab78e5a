"""The dates that a range of export hours covers."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from amplitude_assets.hours import HourRange
from amplitude_assets.report.model import Coverage


def coverage(first: datetime, last: datetime, zone: str = "UTC") -> Coverage:
    hours = HourRange(first.replace(tzinfo=UTC), last.replace(tzinfo=UTC))
    return Coverage(hours, ZoneInfo(zone))


def test_the_dates_are_those_of_the_hours() -> None:
    shown = coverage(datetime(2026, 11, 21, 5), datetime(2026, 11, 24, 4))
    assert (shown.first_date, shown.last_date) == (date(2026, 11, 21), date(2026, 11, 24))
    assert shown.days == 4
    assert shown.last_complete_date == date(2026, 11, 23)
    assert not shown.is_complete(date(2026, 11, 21))


def test_a_day_whose_last_hour_is_loaded_is_complete() -> None:
    shown = coverage(datetime(2026, 11, 21), datetime(2026, 11, 22, 23))
    assert shown.last_date == date(2026, 11, 22)
    assert shown.last_complete_date == date(2026, 11, 22)


def test_dates_are_in_the_projects_time_zone() -> None:
    """05:00 UTC is still the evening before in Los Angeles, and nearly noon in India."""
    first, last = datetime(2026, 11, 21, 5), datetime(2026, 11, 24, 4)
    assert coverage(first, last, "America/Los_Angeles").last_date == date(2026, 11, 23)
    assert coverage(first, last, "America/Los_Angeles").first_date == date(2026, 11, 20)
    assert coverage(first, last, "Asia/Kolkata").last_date == date(2026, 11, 24)


@pytest.mark.parametrize(
    ("last_hour", "is_complete"), [(22, False), (23, True)], ids=["an hour short", "all 25 hours"]
)
def test_a_day_of_25_hours_is_complete_after_all(last_hour: int, is_complete: bool) -> None:
    """25 October 2026 in Berlin runs from 22:00 UTC the day before to 23:00 UTC."""
    newest = datetime(2026, 10, 25, last_hour - 1)
    shown = coverage(datetime(2026, 10, 24, 22), newest, "Europe/Berlin")
    assert shown.is_complete(date(2026, 10, 25)) is is_complete


def test_a_long_history_is_shown_for_its_last_365_days() -> None:
    shown = coverage(datetime(2020, 1, 1), datetime(2026, 11, 24, 4))
    assert shown.days == 365
    assert shown.first_date == date(2025, 11, 25)
    assert shown.first_shown_hour == datetime(2025, 11, 25, tzinfo=UTC)


def test_without_a_complete_day_there_is_none() -> None:
    assert coverage(datetime(2026, 11, 24, 1), datetime(2026, 11, 24, 4)).last_complete_date is None
