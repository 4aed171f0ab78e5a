"""Level b: credits by asset and day, from what a fake of the account's usage has."""

import json
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from amplitude_assets.cli.main import cli
from amplitude_assets.connections.snowflake import snowflake_connections
from amplitude_assets.hours import utc_now
from amplitude_assets.report.charts.costs import section
from amplitude_assets.report.model import Overview
from amplitude_assets.warehouse.base import Cost
from amplitude_assets.warehouse.snowflake.query_tag import query_tag
from tests.support.snowflake import SnowflakeUnderTest

TODAY = utc_now().date()
_LOAD = query_tag({"run_id": "run-1", "asset": "bronze/raw_events", "hours": "2026-09-01T05"})
_MODEL = query_tag({"run_id": "run-1", "asset": "dbt_models", "model": "silver/events"})
# Hour, warehouse, tag, milliseconds, and whether the statement needed the warehouse.
_STATEMENTS = [
    (1, "LOAD_WH", _LOAD, 30_000, True),
    (1, "LOAD_WH", _MODEL, 60_000, True),
    (1, "LOAD_WH", _MODEL, 30_000, True),
    (1, "LOAD_WH", _MODEL, 900_000, False),
    (2, "LOAD_WH", "a colleague's tag", 10_000, True),
    (1, "AMPLITUDE_READER_WH", "", 5_000, True),
    (1, "SOMEBODYS_WH", "", 5_000, True),
    (3, "REBUILD_WH", _MODEL, 5_000, True),
]
_METERED = [(1, "LOAD_WH", 0.4), (2, "LOAD_WH", 0.1), (3, "LOAD_WH", 0.05)]
_METERED += [(1, "AMPLITUDE_READER_WH", 0.02), (1, "SOMEBODYS_WH", 7.0), (3, "REBUILD_WH", 0.43)]


@pytest.fixture
def metered(fake_account: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_account.empty()
    for name, value in fake_account.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SNOWFLAKE_REBUILD_WAREHOUSE", "rebuild_wh")
    with snowflake_connections(fake_account.settings)() as connection:
        cursor = connection.cursor()
        cursor.execute("create database if not exists snowflake")
        cursor.execute("create schema if not exists snowflake.account_usage")
        cursor.execute(
            "create or replace table snowflake.account_usage.query_history (start_time timestamp, "
            "warehouse_name varchar, warehouse_size varchar, query_tag varchar, execution_time int)"
        )
        cursor.execute(
            "create or replace table snowflake.account_usage.warehouse_metering_history "
            "(start_time timestamp, warehouse_name varchar, credits_used double)"
        )
        cursor.executemany(
            "insert into snowflake.account_usage.query_history values (%s, %s, %s, %s, %s)",
            [
                (f"{TODAY} 0{hour}:10:00", name, "X-Small" if runs else None, tag, milliseconds)
                for hour, name, tag, milliseconds, runs in _STATEMENTS
            ],
        )
        cursor.executemany(
            "insert into snowflake.account_usage.warehouse_metering_history values (%s, %s, %s)",
            [(f"{TODAY} 0{hour}:00:00", name, used) for hour, name, used in _METERED],
        )


@pytest.mark.usefixtures("metered")
def test_the_credits_of_an_hour_are_divided_by_the_time_of_its_statements() -> None:
    result = CliRunner().invoke(cli, ["costs", "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)["costs"]
    found = {(row["warehouse"], row["asset"]): row for row in rows}
    assert {key: round(row["credits"], 6) for key, row in found.items()} == {
        ("LOAD_WH", "bronze/raw_events"): 0.1,
        ("LOAD_WH", "silver/events"): 0.3,
        ("LOAD_WH", "without a tag"): 0.1,
        ("LOAD_WH", "idle"): 0.05,
        ("AMPLITUDE_READER_WH", "without a tag"): 0.02,
        ("REBUILD_WH", "silver/events"): 0.43,
    }
    assert {row["day"] for row in rows} == {TODAY.isoformat()}
    assert found["LOAD_WH", "silver/events"]["seconds"] == 90
    # Nothing is lost or counted twice: each warehouse has what is metered.
    totals: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        totals[row["warehouse"]] += row["credits"]
    assert {name: round(used, 6) for name, used in totals.items()} == {
        "LOAD_WH": 0.55,
        "AMPLITUDE_READER_WH": 0.02,
        "REBUILD_WH": 0.43,
    }


@pytest.mark.usefixtures("metered")
def test_a_person_sees_days_and_assets() -> None:
    result = CliRunner().invoke(cli, ["costs"])
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert lines[0] == ["1.00", "credits", "in", "30", "days"]
    assert [TODAY.isoformat(), "1.000", "100%"] in lines
    assert ["silver/events", "0.730", "73%"] in lines


def test_without_access_to_the_usage_the_command_names_the_grant(
    fake_account: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in fake_account.environment.items():
        monkeypatch.setenv(name, value)
    with snowflake_connections(fake_account.settings)() as connection:
        connection.cursor().execute("drop schema if exists snowflake.account_usage")
    result = CliRunner().invoke(cli, ["costs"])
    assert (result.exit_code, "--usage-access" in result.output) == (1, True), result.output


def test_a_local_file_costs_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["costs"])
    assert (result.exit_code, result.output) == (
        0,
        "WAREHOUSE=duckdb is a local file: no warehouse is metered, so no cost.\n",
    )
    assert json.loads(CliRunner().invoke(cli, ["costs", "--json"]).output) == {
        "metered": False,
        "costs": [],
    }


def test_the_report_shows_credits_only_where_they_are_metered() -> None:
    assert section(Overview(1, utc_now())) is None
    day = date(2026, 9, 1)
    shown = section(
        Overview(
            1,
            utc_now(),
            costs=[
                Cost(day, "WH", "silver/events", 3, 9.0, 0.3),
                Cost(day, "WH", "idle", 0, 0.0, 0.1),
            ],
        )
    )
    assert shown is not None
    by_day, by_asset = shown.charts
    assert by_day.title == "0.40 credits in 1 day"
    assert by_asset.title == "silver/events uses the most: 75%"
    refused = section(Overview(1, utc_now(), costs=[], costs_note="no access"))
    assert refused is not None
    assert [chart.note for chart in refused.charts] == ["no access", "no access"]
