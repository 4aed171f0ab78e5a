"""The checks that read the ledger: findings, severity and description."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import pytest
from dagster import AssetCheckResult, AssetChecksDefinition, AssetCheckSeverity

from amplitude_assets.checks.completeness import newest_hour_is_recent, no_hour_is_missing
from amplitude_assets.checks.quality import lines_are_events
from amplitude_assets.checks.volume import judge, volume_is_as_usual
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, HourRange, parse_hour
from amplitude_assets.warehouse.base import LedgerRow
from tests.support.warehouses import FixedWarehouse, ledger_row

NOW = datetime(2026, 9, 30, 12, 10, tzinfo=UTC)
NEWEST = parse_hour("2026-09-30T09")
MONTH = HourRange(parse_hour("2026-08-01T00"), NEWEST)


def run(check: AssetChecksDefinition, ledger: Mapping[datetime, LedgerRow]) -> AssetCheckResult:
    result = check(
        settings=Settings(amplitude_start_hour=MONTH.first),
        warehouse=FixedWarehouse(ledger),
        clock=lambda: NOW,
    )
    assert isinstance(result, AssetCheckResult)
    return result


def full(without: Iterable[datetime] = ()) -> dict[datetime, LedgerRow]:
    excluded = set(without)
    return {hour: ledger_row(hour) for hour in MONTH if hour not in excluded}


def number(result: AssetCheckResult, name: str) -> object:
    return result.metadata[name].value


def test_a_ledger_without_gaps_passes() -> None:
    result = run(no_hour_is_missing, full())
    assert result.passed
    assert number(result, "missing_hours") == 0
    assert result.description == (
        "None of 1,450 hours from 2026-08-01T00 to 2026-09-30T09 is missing."
    )


def test_a_gap_in_the_look_back_is_a_warning_and_an_older_one_an_error() -> None:
    recent = [NEWEST - 5 * HOUR, NEWEST - 6 * HOUR]
    result = run(no_hour_is_missing, full(recent))
    assert (result.passed, result.severity) == (False, AssetCheckSeverity.WARN)
    assert result.description is not None
    assert "2 hours missing: 2026-09-30T03 to 2026-09-30T04" in result.description
    old = parse_hour("2026-09-01T05")
    result = run(no_hour_is_missing, full([*recent, old]))
    assert (result.passed, result.severity) == (False, AssetCheckSeverity.ERROR)
    assert result.description is not None
    assert "2026-09-01T05, 2026-09-30T03 to 2026-09-30T04" in result.description
    assert "Backfill" in result.description
    assert number(result, "missing_before_the_look_back") == 1


def test_hours_that_are_not_exportable_yet_are_not_a_gap() -> None:
    assert run(no_hour_is_missing, full([NEWEST, NEWEST - HOUR])).passed
    assert run(no_hour_is_missing, {}).passed


@pytest.mark.parametrize(
    ("behind", "passed", "severity"),
    [
        (0, True, AssetCheckSeverity.WARN),
        (3, True, AssetCheckSeverity.WARN),
        (4, False, AssetCheckSeverity.WARN),
        (24, False, AssetCheckSeverity.WARN),
        (25, False, AssetCheckSeverity.ERROR),
    ],
)
def test_the_age_is_that_of_the_newest_hour(
    behind: int, passed: bool, severity: AssetCheckSeverity
) -> None:
    result = run(newest_hour_is_recent, full(HourRange(NEWEST - 30 * HOUR, NEWEST)) | {
        NEWEST - behind * HOUR: ledger_row(NEWEST - behind * HOUR)
    })  # fmt: skip
    assert (result.passed, result.severity) == (passed, severity)
    assert number(result, "hours_behind") == behind


def test_an_empty_ledger_has_no_newest_hour() -> None:
    assert not run(newest_hour_is_recent, {}).passed


def test_rejected_lines_are_a_warning_and_many_an_error() -> None:
    assert run(lines_are_events, full()).passed
    bad = NEWEST - 2 * HOUR
    result = run(lines_are_events, full() | {bad: ledger_row(bad, rejected=2)})
    assert (result.passed, result.severity) == (False, AssetCheckSeverity.WARN)
    assert result.description == (
        "2 lines of 16,800 rejected, in 2026-09-30T07; bronze.rejected_lines has each with its "
        "reason."
    )
    rows = {hour: ledger_row(hour, rejected=2) for hour in HourRange(NEWEST - 167 * HOUR, NEWEST)}
    result = run(lines_are_events, full() | rows)
    assert result.severity is AssetCheckSeverity.ERROR


def test_rejected_lines_before_the_look_back_are_ignored() -> None:
    old = parse_hour("2026-09-01T05")
    assert run(lines_are_events, full() | {old: ledger_row(old, rejected=50)}).passed


def daily_rhythm(hour: datetime) -> int:
    return 200 + 150 * (8 <= hour.hour <= 20) - 100 * (hour.weekday() >= 5)


def test_a_daily_and_weekly_rhythm_passes() -> None:
    ledger = {hour: ledger_row(hour, daily_rhythm(hour)) for hour in MONTH}
    result = run(volume_is_as_usual, ledger)
    assert result.passed
    assert number(result, "hours_judged") == 24


@pytest.mark.parametrize("lines", [0, 60, 2000])
def test_an_hour_unlike_the_same_hour_of_other_weeks_is_odd(lines: int) -> None:
    ledger = {hour: ledger_row(hour, daily_rhythm(hour)) for hour in MONTH}
    result = run(volume_is_as_usual, ledger | {NEWEST: ledger_row(NEWEST, lines)})
    assert (result.passed, result.severity) == (False, AssetCheckSeverity.WARN)
    assert number(result, "odd_hours") == 1
    assert result.description is not None
    assert f"2026-09-30T09 has {lines:,} lines, expected about 350" in result.description


def test_one_odd_week_before_does_not_hide_the_next() -> None:
    lines = {hour: daily_rhythm(hour) for hour in MONTH}
    lines[NEWEST - 168 * HOUR] = 20_000
    lines[NEWEST] = 0
    (judged,) = judge(lines, [NEWEST])
    assert judged.score < -6


def test_random_variation_of_small_counts_is_not_odd() -> None:
    lines = {NEWEST - week * 168 * HOUR: count for week, count in enumerate((9, 4, 4, 4, 4))}
    (judged,) = judge(lines, [NEWEST])
    assert abs(judged.score) < 6


def test_without_history_no_hour_is_compared() -> None:
    ledger = {hour: ledger_row(hour) for hour in HourRange(NEWEST - 100 * HOUR, NEWEST)}
    result = run(volume_is_as_usual, ledger)
    assert result.passed
    assert number(result, "hours_without_history") == 24
    assert run(volume_is_as_usual, {}).passed
