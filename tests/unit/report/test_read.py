"""Reading the report's figures from gold on both engines, and what is left out."""

from dataclasses import replace
from datetime import UTC, date, datetime

import duckdb
import pytest

from amplitude_assets.hours import HourRange
from tests.support.gold import PROJECT_ID
from tests.unit.report.conftest import FIRST, LAST, read


def test_before_the_first_load_the_overview_is_empty(gold: duckdb.DuckDBPyConnection) -> None:
    overview = read(gold)
    assert overview.coverage is None
    assert overview.main_day is None
    assert overview.gaps == []


def test_every_hour_and_date_of_the_range_is_read(history: duckdb.DuckDBPyConnection) -> None:
    overview = read(history)
    assert overview.coverage is not None
    assert overview.coverage.hours == HourRange(FIRST.replace(tzinfo=UTC), LAST.replace(tzinfo=UTC))
    assert len(overview.hours) == len(overview.coverage.hours)
    assert [day.day for day in overview.active_days][-1] == date(2026, 11, 23)
    assert len(overview.active_days) == overview.coverage.days == 54
    assert overview.main_day is not None
    assert overview.main_day.day == date(2026, 11, 22)
    assert overview.lifecycle_period == "week"
    assert overview.event_types[0].name == "Event 0"
    assert len(overview.event_types) == 10
    assert {row.kind for row in overview.drift} == {"types"}
    assert overview.drift[0].types == ("number", "string")


@pytest.mark.parametrize("wrong", [date(2027, 9, 12), date(1970, 1, 1)])
def test_dates_outside_the_loaded_hours_are_left_out(
    history: duckdb.DuckDBPyConnection, wrong: date
) -> None:
    """Dates of devices with a wrong clock are in gold, but would stretch a chart's axis."""
    history.execute(
        "insert into gold.agg_active_users_daily values (100011, $day, 1, 1, 1, 1, 1)",
        {"day": wrong},
    )
    history.execute(
        "insert into gold.agg_event_daily values (100011, $day, 'Wrong Clock', 10000000, 1, 1)",
        {"day": wrong},
    )
    history.execute(
        "insert into gold.fct_revenue values (100011, 'u', $day, 99, 'XXX')", {"day": wrong}
    )
    history.execute(
        "insert into gold.agg_retention values (100011, $day, '24h', 'on', 0, 5, 5, true)",
        {"day": wrong},
    )
    overview = read(history)
    assert wrong not in {day.day for day in overview.active_days}
    assert "Wrong Clock" not in {event.name for event in overview.event_types}
    assert "XXX" not in {day.currency for day in overview.revenue}
    assert wrong not in {row.cohort_date for row in overview.retention}


def test_hours_that_were_never_loaded_are_gaps(history: duckdb.DuckDBPyConnection) -> None:
    history.execute(
        "delete from gold.rpt_data_quality "
        "where export_hour between '2026-11-10 03:00' and '2026-11-10 05:00'"
    )
    assert read(history).gaps == [
        HourRange(datetime(2026, 11, 10, 3, tzinfo=UTC), datetime(2026, 11, 10, 5, tzinfo=UTC))
    ]


def test_rows_of_other_projects_are_not_read(history: duckdb.DuckDBPyConnection) -> None:
    alone = replace(read(history), made_at=datetime(2026, 1, 1, tzinfo=UTC))
    tables = history.execute(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_schema in ('gold', 'silver')"
    ).fetchall()
    for (table,) in tables:
        history.execute(f"insert into {table} select * replace (7 as project_id) from {table}")
    assert replace(read(history), made_at=datetime(2026, 1, 1, tzinfo=UTC)) == alone


def test_hours_of_other_projects_are_not_read(history: duckdb.DuckDBPyConnection) -> None:
    history.execute(
        "insert into gold.rpt_data_quality values "
        "(7, '2026-12-01 00:00', 'loaded', 1, 1, 0, 1, 0, true, 1, 1)"
    )
    overview = read(history)
    assert overview.coverage is not None
    assert overview.coverage.last_date == date(2026, 11, 23)


def test_retention_days_that_have_not_begun_are_left_out(
    history: duckdb.DuckDBPyConnection,
) -> None:
    rows = [row for row in read(history).retention if row.cohort_date == date(2026, 11, 20)]
    assert {row.day_number for row in rows} == {0, 1, 2, 3}
    assert {row.day_number for row in rows if not row.is_complete} == {2, 3}


def test_properties_are_new_or_gone_only_against_a_longer_history(
    history: duckdb.DuckDBPyConnection,
) -> None:
    history.execute(
        "insert into silver.property_catalog values "
        "($project, 'user', '(any)', 'fresh', 'string', '2026-11-22', '2026-11-22', 5, "
        "false, false), "
        "($project, 'user', '(any)', 'left', 'string', '2026-10-01', '2026-10-02', 5, "
        "false, false)",
        {"project": PROJECT_ID},
    )
    assert {(row.key, row.kind) for row in read(history).drift} == {
        ("price", "types"), ("fresh", "new"), ("left", "gone"),
    }  # fmt: skip
    history.execute("delete from gold.rpt_data_quality where export_hour < '2026-11-20'")
    history.execute("update silver.property_catalog set last_hour = '2026-11-20'")
    assert {row.key for row in read(history).drift} == {"price"}
