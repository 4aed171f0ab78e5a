"""The hours that `--last`, `--from` and `--to` select."""

from datetime import UTC, datetime

import pytest

from amplitude_assets.cli.hour_options import selected_hours
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, HourError, HourRange, parse_hour

NOW = datetime(2026, 9, 3, 12, 30, tzinfo=UTC)
NEWEST = parse_hour("2026-09-03T09")


@pytest.mark.parametrize(
    ("count", "first", "last", "expected"),
    [
        (2, None, None, (NEWEST - HOUR, NEWEST)),
        (None, None, None, (NEWEST - 71 * HOUR, NEWEST)),
        (None, NEWEST - 5 * HOUR, None, (NEWEST - 5 * HOUR, NEWEST)),
        (None, NEWEST - 5 * HOUR, NEWEST - 3 * HOUR, (NEWEST - 5 * HOUR, NEWEST - 3 * HOUR)),
    ],
)
def test_selected_hours(
    count: int | None,
    first: datetime | None,
    last: datetime | None,
    expected: tuple[datetime, datetime],
) -> None:
    assert selected_hours(Settings(), count, first, last, NOW) == HourRange(*expected)


def test_the_newest_hour_follows_the_delay() -> None:
    settings = Settings(amplitude_export_delay_hours=5)
    assert selected_hours(settings, 1, None, None, NOW).last == NEWEST - 3 * HOUR
    with pytest.raises(HourError, match="2026-09-03T06"):
        selected_hours(settings, None, NEWEST, NEWEST, NOW)
