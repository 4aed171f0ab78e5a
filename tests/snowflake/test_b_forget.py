"""Rung b: a person is found, removed and proved gone over Snowflake's wire."""

import json
from pathlib import Path

import pytest

from amplitude_assets.export.landing import Landing
from amplitude_assets.forgetting.person import find_person
from amplitude_assets.forgetting.proof import prove
from amplitude_assets.forgetting.removal import Places, find_hours, put_on_list, remove
from amplitude_assets.hours import HOUR, parse_hour
from amplitude_assets.lake.layout import merge_prefix
from tests.support.lake import PROJECT, manifest_of, publish
from tests.support.snowflake import SnowflakeUnderTest

FIRST = parse_hour("2026-09-01T05")


def line(amplitude_id: int, user_id: str | None, number: int) -> bytes:
    return json.dumps(
        {"uuid": f"u-{number}", "amplitude_id": amplitude_id, "user_id": user_id}
    ).encode()


@pytest.fixture
def places(empty_account: SnowflakeUnderTest, tmp_path: Path) -> Places:
    lake, warehouse = empty_account.lake, empty_account.warehouse()
    hours = [
        publish(lake, FIRST, [[line(11, "anna", 1), line(12, "bob", 2)]], tmp_path / "files"),
        publish(lake, FIRST + HOUR, [[line(10, None, 3)]], tmp_path / "files"),
    ]
    warehouse.load(lake, hours, "load-1")
    merges = [
        json.dumps({"amplitude_id": one, "merged_amplitude_id": other}).encode()
        for one, other in ((10, 11), (13, 12))
    ]
    _, [(item, path)] = manifest_of(FIRST, [merges], tmp_path / "files")
    lake.put_object(item.model_copy(update={"key": f"{merge_prefix(PROJECT)}m.json.gz"}), path)
    warehouse.load_merges(lake, PROJECT)
    return Places(PROJECT, Landing(tmp_path / "landing", PROJECT), lake, warehouse)


def test_a_person_is_forgotten_on_snowflake(
    places: Places, empty_account: SnowflakeUnderTest
) -> None:
    _make_silver(empty_account)
    if empty_account.double is not None:
        empty_account.double.forget()
    person = find_person(places.warehouse, PROJECT, ["anna"], [])
    assert person.ids == ["10", "11", "user:anna"]
    assert person.lines_by_hour == {FIRST: 1, FIRST + HOUR: 1}
    if empty_account.double is not None:  # warehouses keep the text of queries
        assert "anna" not in " ".join(empty_account.double.snowflake.statements)
    contents = find_hours(places, person)
    assert {one.place for one in prove(places, person) if one.rows} >= {
        "bronze.raw_events", "bronze.merge_ids", "silver.user_identities", "silver.merged_ids",
    }  # fmt: skip
    put_on_list(places, person)
    assert remove(places, person, contents, lambda _hours, _lines: None) == 2
    _drop_silver(empty_account)  # dbt builds it anew; test_b_graph has dbt on Snowflake
    assert [one for one in prove(places, person) if one.rows] == []
    query = places.warehouse.query
    assert [json.loads(row[0])["uuid"] for row in query("select event from bronze.raw_events")] == [
        "u-2"
    ]
    assert query("select amplitude_id, merged_amplitude_id from bronze.merge_ids") == [(13, 12)]
    assert sorted(query("select status, lines from bronze.export_hours")) == [
        ("empty", 0),
        ("loaded", 1),
    ]


def _make_silver(account: SnowflakeUnderTest) -> None:
    query = account.warehouse().query
    query("create schema if not exists silver")
    for name, columns, rows in (
        (
            "user_identities",
            "project_id integer, user_key varchar, amplitude_id integer, user_id varchar",
            [f"({PROJECT}, '{PROJECT}-11', 11, 'anna')", f"({PROJECT}, '{PROJECT}-11', 10, null)"],
        ),
        (
            "merged_ids",
            "project_id integer, amplitude_id integer, surviving_amplitude_id integer",
            [f"({PROJECT}, 10, 11)", f"({PROJECT}, 13, 12)"],
        ),
        ("users", "project_id integer, user_key varchar", [f"({PROJECT}, '{PROJECT}-12')"]),
    ):
        query(f"create or replace table silver.{name} ({columns})")
        query(f"insert into silver.{name} values {', '.join(rows)}")


def _drop_silver(account: SnowflakeUnderTest) -> None:
    for name in ("user_identities", "merged_ids", "users"):
        account.warehouse().query(f"drop table silver.{name}")
