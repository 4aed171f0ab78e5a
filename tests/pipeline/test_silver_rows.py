"""What becomes of single exported lines in bronze.events and silver, awkward ones above all.

One warehouse for the module: everything here is loaded at once and built once, with all data tests.
"""

import json
from datetime import datetime
from typing import Any

import duckdb
import pytest

from tests.support.bronze import load_hours
from tests.support.dbt import build

HOUR = datetime(2026, 9, 1, 5)
COLUMNS = 55 + 6

SAMPLE: dict[str, Any] = {
    "$insert_id": "Property Drop Purchased:2", "$insert_key": "ab#422", "$schema": 13,
    "app": 100011, "amplitude_id": 1263130950579, "user_id": "ann@example.com", "device_id": "d1R",
    "session_id": 1752748588583, "event_id": 135, "event_type": "Purchase",
    "event_time": "2026-09-01 05:10:00.123456", "client_event_time": "2026-09-01 05:09:00.000000",
    "server_upload_time": "2026-09-01 05:11:00.000000", "event_properties": {"Total Price": 6396.0},
    "user_properties": {"plan": "pro"}, "groups": {}, "group_properties": {}, "data": {},
    "location_lat": 51.5, "paying": True, "country": "France",
}  # fmt: skip

# Every one of the export's columns as something that it should never be.
GARBAGE: list[Any] = [
    {"nested": {"object": [1]}}, [1, 2, [3]], "text", "", 1.5, -1, 10**30, True, "true", "infinity",
    "nan", "2026-13-45 99:99:99", "  12 ", "12abc", "\u0000\u2028'\"\\", "x" * 300_000,
]  # fmt: skip
ODD_OBJECTS = [
    '{"uuid": "odd-1", "uuid": "twice", "event_type": "a", "event_properties": {"k": 1, "k": "x"}}',
    '{"uuid": "odd-2", "event_type": "a", "event_properties": {"City": "x", "city": 1, "a.b": {}}}',
    '{"uuid": "odd-3", "event_type": "a", "user_properties": ' + '{"deep":' * 400 + "1" + "}" * 401,
    '{"uuid": "odd-4", "event_type": "a", "event_properties": ' + "[" * 900 + "]" * 900 + "}",
    '{"uuid": "odd-5", "groups": {"org": [["nested"], {"a": 1}, null, 7, true, "acme"]}}',
    '{"uuid": "odd-6", "user_properties": {"deep": ' + "[" * 700 + "]" * 700 + "}}",
    "{}",
]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """Build everything from the awkward lines, and open the result."""
    path = tmp_path_factory.mktemp("rows") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as con:
        load_hours(con, {HOUR: _lines()})
    build(path)
    return duckdb.connect(str(path), read_only=True)


def _lines() -> list[str]:
    keys = [*SAMPLE, "$schema", "client_upload_time", "location_lng", "plan", "sample_rate"]
    garbage = [
        json.dumps(SAMPLE | {"uuid": f"garbage-{n}-{key}", "$insert_id": None, key: value})
        for n, value in enumerate(GARBAGE)
        for key in keys
    ]
    everything = [
        json.dumps(dict.fromkeys(keys, value) | {"uuid": f"all-{n}"})
        for n, value in enumerate(GARBAGE)
    ]
    plain = [json.dumps(SAMPLE | {"uuid": "plain"}), json.dumps({"uuid": "upper", "User_ID": "x"})]
    return garbage + everything + ODD_OBJECTS + plain


def one(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    """Return the only value of the only row."""
    ((value,),) = con.execute(query).fetchall()
    return value


def test_no_line_fails_and_none_is_lost(con: duckdb.DuckDBPyConnection) -> None:
    lines = one(con, "select count(*) from bronze.raw_events")
    assert lines == len(_lines())
    assert one(con, "select count(*) from bronze.events") == lines
    assert lines == one(
        con,
        "select (select count(*) from silver.events)"
        " + (select count(*) from silver.event_duplicates)",
    )


def test_bronze_has_every_column(con: duckdb.DuckDBPyConnection) -> None:
    assert len(con.execute("describe bronze.events").fetchall()) == COLUMNS


def test_a_plain_line_is_typed(con: duckdb.DuckDBPyConnection) -> None:
    row = con.execute(
        "select insert_id, insert_key, schema_version, amplitude_id, session_id, event_time,"
        " paying, location_lat, event_properties, city from bronze.events where uuid = 'plain'"
    ).fetchall()
    assert row == [
        (
            "Property Drop Purchased:2", "ab#422", 13, 1263130950579, 1752748588583,
            datetime(2026, 9, 1, 5, 10, 0, 123456), True, 51.5, '{"Total Price":6396.0}', None,
        )
    ]  # fmt: skip


def test_keys_are_case_sensitive(con: duckdb.DuckDBPyConnection) -> None:
    assert one(con, "select user_id from bronze.events where uuid = 'upper'") is None


@pytest.mark.parametrize(
    ("column", "sent", "found"),
    [
        ("amplitude_id", "text", None),
        ("amplitude_id", 10**30, None),
        ("amplitude_id", "  12 ", 12),
        ("event_time", "infinity", None),
        ("event_time", "2026-13-45 99:99:99", None),
        ("event_time", 1.5, None),
        ("location_lat", "text", None),
        ("paying", "true", True),
        ("paying", "text", None),
        ("user_id", {"nested": {"object": [1]}}, '{"nested": {"object": [1]}}'),
        ("user_id", 1.5, "1.5"),
        ("user_id", "\u0000\u2028'\"\\", "\u0000\u2028'\"\\"),
        ("groups", "text", '"text"'),
    ],
)
def test_what_is_not_of_the_type_is_null_or_text(
    con: duckdb.DuckDBPyConnection, column: str, sent: Any, found: Any
) -> None:
    uuid = f"garbage-{GARBAGE.index(sent)}-{column}"
    value = one(con, f"select {column} from bronze.events where uuid = '{uuid}'")
    if isinstance(sent, dict):
        value, found = json.loads(value), json.loads(found)
    assert value == found


def test_what_must_not_be_empty_falls_back(con: duckdb.DuckDBPyConnection) -> None:
    row = con.execute(
        "select event_type, event_time, client_event_time, server_upload_time, user_key,"
        " session_key from silver.events where uuid = 'odd-5'"
    ).fetchall()
    assert row == [("(none)", HOUR, HOUR, HOUR, "100011-unknown", None)]
    garbage = f"garbage-{GARBAGE.index('infinity')}-event_time"
    assert one(con, f"select event_time from silver.events where uuid = '{garbage}'") == datetime(
        2026, 9, 1, 5, 9
    )


def test_a_line_without_uuid_gets_a_steady_one(con: duckdb.DuckDBPyConnection) -> None:
    assert one(
        con,
        f"select uuid from silver.events where source_line = {1 + _lines().index('{}')}",
    ) == one(con, "select md5(concat_ws('|', '100011', '\\N', '\\N', '\\N', '\\N', '\\N', '\\N'))")


def test_groups_are_taken_apart_whatever_they_hold(con: duckdb.DuckDBPyConnection) -> None:
    names = con.execute(
        "select group_name from silver.event_groups where uuid = 'odd-5' order by 1"
    ).fetchall()
    assert names == [("7",), ('["nested"]',), ("acme",), ("true",), ('{"a":1}',)]


def test_the_catalogue_lists_odd_keys(con: duckdb.DuckDBPyConnection) -> None:
    keys = con.execute(
        "select key, json_type, has_case_collision from silver.property_catalog"
        " where scope = 'event' and event_type = 'a' and key in ('City', 'city', 'a.b') order by 1"
    ).fetchall()
    assert keys == [("City", "string", True), ("a.b", "object", False), ("city", "number", True)]
    assert one(
        con,
        "select json_type from silver.property_catalog"
        " where scope = 'user' and event_type = '(any)' and key = 'deep' and json_type = 'object'",
    )
