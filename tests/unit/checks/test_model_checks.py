"""The checks that read models, with their queries on a real DuckDB file."""

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlglot
from dagster import AssetCheckResult

from amplitude_assets.checks.drift import Property, find_drift, properties_are_as_before
from amplitude_assets.checks.quality import events_are_in_time
from amplitude_assets.checks.sql import script
from amplitude_assets.config import Settings
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse

PROJECT = Settings().project_id
NEWEST = datetime(2026, 9, 30, 9)
DAY = timedelta(days=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute(
            "create schema silver; create schema gold;"
            "create table silver.property_catalog (project_id bigint, scope varchar,"
            " event_type varchar, key varchar, json_type varchar, first_hour timestamp,"
            " last_hour timestamp, fill_rate double, has_type_conflict boolean);"
            "create table gold.rpt_data_quality (project_id bigint, export_hour timestamp,"
            " silver_events bigint, late_events bigint, lag_p95_seconds double)"
        )
    return DuckDBWarehouse(path)


def add(warehouse: DuckDBWarehouse, table: str, *rows: tuple[object, ...]) -> None:
    with duckdb.connect(str(warehouse.path)) as con:
        con.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", list(rows))


def late(warehouse: DuckDBWarehouse) -> AssetCheckResult:
    result = events_are_in_time(settings=Settings(), warehouse=warehouse)
    assert isinstance(result, AssetCheckResult)
    return result


def test_late_events_are_those_of_the_newest_week_of_the_project(
    warehouse: DuckDBWarehouse,
) -> None:
    table = "gold.rpt_data_quality"
    add(
        warehouse,
        table,
        (PROJECT, NEWEST, 900, 40, 60.0),
        (PROJECT, NEWEST - 6 * DAY, 100, 60, 90000.0),
        (PROJECT, NEWEST - 7 * DAY, 100, 100, 0.0),
        (PROJECT + 1, NEWEST, 100, 100, 0.0),
    )
    result = late(warehouse)
    assert result.passed
    assert result.metadata["late_share"].value == pytest.approx(0.1)
    add(warehouse, table, (PROJECT, NEWEST - DAY, 10, 10, None))
    result = late(warehouse)
    assert not result.passed
    assert result.description == (
        "10.9% of 1,010 events of the newest week came more than a day late; the limit is 10%."
    )


def test_without_events_none_is_late(warehouse: DuckDBWarehouse) -> None:
    assert late(warehouse).passed


def test_drift_is_found_in_the_catalogue(warehouse: DuckDBWarehouse) -> None:
    long_ago = NEWEST - 30 * DAY
    add(
        warehouse,
        "silver.property_catalog",
        (PROJECT, "event", "Buy", "price", "number", long_ago, NEWEST, 1.0, False),
        (PROJECT, "event", "Buy", "colour", "string", NEWEST - DAY / 2, NEWEST, 0.2, False),
        (PROJECT, "event", "Buy", "note", "null", NEWEST, NEWEST, 0.2, False),
        (PROJECT + 1, "event", "Buy", "other", "string", NEWEST, NEWEST, 0.2, False),
    )
    result = properties_are_as_before(settings=Settings(), warehouse=warehouse)
    assert isinstance(result, AssetCheckResult)
    assert not result.passed
    assert result.description == "Properties changed. new: `Buy.colour` (string)."
    assert result.metadata["properties"].value == 2


def a_property(key: str, first: timedelta, last: timedelta, **changes: object) -> Property:
    """Return a property first and last seen this long before the newest hour."""
    fields = {"json_type": "string", "fill_rate": 0.5, "has_type_conflict": False} | changes
    return Property("user", None, key, first_hour=NEWEST - first, last_hour=NEWEST - last, **fields)


def test_new_missing_and_retyped_properties_are_reported_once() -> None:
    old, now = 30 * DAY, timedelta()
    steady = a_property("steady", old, now)
    fresh = a_property("fresh", DAY / 2, now)
    conflict = a_property("steady", DAY / 2, now, json_type="number", has_type_conflict=True)
    gone = a_property("gone", old, 7 * DAY + DAY / 2)
    long_gone = a_property("long gone", old, 9 * DAY)
    rare = a_property("rare", old, 7 * DAY + DAY / 2, fill_rate=0.01)
    drift = find_drift([steady, fresh, conflict, gone, long_gone, rare])
    assert drift.new == [fresh]
    assert drift.new_conflicts == [conflict]
    assert drift.gone == [gone]
    assert str(gone) == "`user.gone` (string)"


def test_in_a_projects_first_week_nothing_is_reported() -> None:
    drift = find_drift(
        [a_property("a", 6 * DAY, timedelta()), a_property("b", DAY / 2, timedelta())]
    )
    assert (drift.new, drift.gone, drift.new_conflicts) == ([], [], [])
    assert find_drift([]).new == []


@pytest.mark.parametrize("name", ["late_events", "properties"])
@pytest.mark.parametrize("dialect", ["duckdb", "snowflake"])
def test_both_engines_read_the_queries(name: str, dialect: str) -> None:
    assert sqlglot.parse_one(script(name), dialect=dialect)
