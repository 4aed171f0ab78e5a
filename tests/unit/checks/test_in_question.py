"""Hours with fewer events in a later response: reported, counted and re-checked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dagster import AssetCheckResult, AssetCheckSeverity
from hypothesis import given
from hypothesis import strategies as st

from amplitude_assets.checks.hours_to_reload import to_recheck_in
from amplitude_assets.checks.in_question import is_due, no_hour_is_in_question
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, parse_hour
from amplitude_assets.warehouse.base import LedgerRow
from tests.support.warehouses import FixedWarehouse, ledger_row

NOW = datetime(2026, 9, 30, 12, 10, tzinfo=UTC)
OLD = parse_hour("2026-03-01T05")
DAY = timedelta(days=1)


def run(*rows: LedgerRow) -> AssetCheckResult:
    result = no_hour_is_in_question(
        settings=Settings(amplitude_shrink_confirm_hours=36),
        warehouse=FixedWarehouse({row.export_hour: row for row in rows}),
        clock=lambda: NOW,
    )
    assert isinstance(result, AssetCheckResult)
    return result


def test_hours_in_question_are_a_warning_that_names_them_and_their_events() -> None:
    rows_in_question = [
        replace(ledger_row(hour), events_in_question=fewer, in_question_since=NOW)
        for hour, fewer in ((OLD, 100), (OLD + 5 * HOUR, 40))
    ]
    result = run(*rows_in_question, ledger_row(OLD + HOUR))
    assert (result.passed, result.severity) == (False, AssetCheckSeverity.WARN)
    description = result.description or ""
    for part in (
        "140 events fewer",
        "2 hours: 2026-03-01T05, 2026-03-01T10",
        "36 hours",
        "--from 2026-03-01T05 --to 2026-03-01T10 --accept-fewer",
    ):
        assert part in description
    assert to_recheck_in(result.metadata) == {OLD, OLD + 5 * HOUR}
    assert "| 2026-03-01T10 | 100 | 40 |" in str(result.metadata["in_question"].value)


def test_empty_hours_before_the_look_back_are_rechecked_when_due() -> None:
    def empty(hour: datetime, fetched_at: datetime) -> LedgerRow:
        return replace(ledger_row(hour, lines=0), fetched_at=fetched_at)

    due, not_due = empty(OLD, OLD + 60 * DAY), empty(OLD + HOUR, NOW - 10 * DAY)
    recent = empty(NOW.replace(minute=0) - 2 * DAY, NOW - DAY)
    result = run(due, not_due, recent, ledger_row(OLD + 2 * HOUR))
    assert result.passed
    assert to_recheck_in(result.metadata) == {OLD}


@given(st.integers(0, 40), st.integers(1, 4000))
def test_rechecks_of_an_empty_hour_back_off_and_never_end(
    first_request_days: int, nights: int
) -> None:
    requested = [OLD + HOUR + first_request_days * DAY]
    for night in range(1, nights + 1):
        now = requested[0] + night * DAY
        if is_due(OLD, requested[-1], now):
            requested.append(now)
    age = nights + first_request_days
    # The age doubles from one request to the next, except on the first day.
    assert len(requested) <= 3 + age.bit_length()
    assert is_due(OLD, requested[-1], requested[-1] + (age + 1) * DAY)
