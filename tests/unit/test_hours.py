"""Parsing, formatting and grouping of export hours."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amplitude_assets.hours import (
    HOUR,
    HourError,
    HourRange,
    api_parameter,
    contiguous_ranges,
    floor_hour,
    format_hour,
    hour_of_partition,
    is_exportable,
    last_exportable_hour,
    parse_hour,
    partition_of_hour,
)

hours = st.datetimes(
    min_value=datetime(2014, 1, 1),
    max_value=datetime(2100, 1, 1),
    timezones=st.just(UTC),
).map(floor_hour)


@given(hours)
def test_an_hour_is_parsed_as_it_is_formatted(hour: datetime) -> None:
    assert parse_hour(format_hour(hour)) == hour
    assert hour_of_partition(partition_of_hour(hour)) == hour


def test_the_formats_of_an_hour() -> None:
    hour = datetime(2026, 9, 1, 5, tzinfo=UTC)
    assert format_hour(hour) == "2026-09-01T05"
    assert partition_of_hour(hour) == "2026-09-01-05:00"
    assert api_parameter(hour) == "20260901T05"


@pytest.mark.parametrize(
    "text",
    ["", "2026-09-01", "2026-9-1T5", "2026-09-01T24", "2026-09-01T05:00", "2026-09-01 05",
     "2026-02-30T01", " 2026-09-01T05", "2026-09-01T05Z", "yesterday", "\u0662026-09-01T05"],
)  # fmt: skip
def test_an_invalid_hour_is_rejected_with_the_format(text: str) -> None:
    with pytest.raises(HourError, match="YYYY-MM-DDTHH"):
        parse_hour(text)


def test_a_partition_off_the_hour_is_rejected() -> None:
    with pytest.raises(HourError):
        hour_of_partition("2026-09-01-05:30")


def test_a_range_includes_both_ends() -> None:
    first = parse_hour("2026-09-01T22")
    day = HourRange(first, first + 3 * HOUR)
    assert len(day) == 4
    assert [format_hour(hour) for hour in day] == [
        "2026-09-01T22",
        "2026-09-01T23",
        "2026-09-02T00",
        "2026-09-02T01",
    ]
    assert first in day
    assert day.last + HOUR not in day


def test_a_range_that_ends_before_it_begins_is_rejected() -> None:
    hour = parse_hour("2026-09-01T22")
    with pytest.raises(HourError, match="is after the last hour"):
        HourRange(hour, hour - HOUR)


@given(hours, st.integers(min_value=2, max_value=500))
def test_the_halves_of_a_range_have_all_its_hours(first: datetime, count: int) -> None:
    whole = HourRange(first, first + (count - 1) * HOUR)
    left, right = whole.halves()
    assert [*left, *right] == [*whole]
    assert abs(len(left) - len(right)) <= 1


def test_one_hour_has_no_halves() -> None:
    hour = parse_hour("2026-09-01T22")
    with pytest.raises(HourError):
        HourRange(hour, hour).halves()


@given(st.lists(hours, max_size=60), st.one_of(st.none(), st.integers(1, 10)))
def test_ranges_contain_each_hour_once_and_no_other(
    requested: list[datetime], longest: int | None
) -> None:
    ranges = contiguous_ranges(requested, longest)
    assert [hour for part in ranges for hour in part] == sorted(set(requested))
    assert all(len(part) <= (longest or len(part)) for part in ranges)


def test_an_hour_is_exportable_two_full_hours_after_its_end() -> None:
    """Amplitude's own example: data sent from 20:00 to 21:00 can be exported at 23:00."""
    hour = datetime(2026, 9, 1, 20, tzinfo=UTC)
    before = datetime(2026, 9, 1, 22, 59, 59, 999999, tzinfo=UTC)
    assert not is_exportable(hour, before, delay_hours=2)
    assert is_exportable(hour, datetime(2026, 9, 1, 23, tzinfo=UTC), delay_hours=2)


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2015, 1, 1)), st.integers(0, 48))
def test_the_newest_exportable_hour_is_the_last_one(now: datetime, delay: int) -> None:
    newest = last_exportable_hour(now, delay)
    assert is_exportable(newest, now, delay)
    assert not is_exportable(newest + HOUR, now, delay)


def test_a_time_of_any_zone_is_floored_in_utc() -> None:
    half_past = timezone(timedelta(hours=5, minutes=30))
    assert floor_hour(datetime(2026, 9, 1, 5, 15, tzinfo=half_past)) == parse_hour("2026-08-31T23")
