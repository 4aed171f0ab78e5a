"""How bronze.events and silver represent single exported lines, valid and malformed.

The module has one warehouse: all lines are loaded and built once, with all data tests.
"""

import json
import os
from datetime import datetime
from typing import Any
from unittest.mock import patch

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

# Each value is written into every column of the export.
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

KEYS = {f"key {n:06d}": n for n in range(200_000)}
# Numbers at the ends of what a column or JSON itself can hold.
EXTREMES = [2**63 - 1, -(2**63), 2**64, 1e308, -1e308, 5e-324, 1e-320, 10**300]
NUMBERS = ["amplitude_id", "session_id", "event_id", "location_lat", "location_lng", "sample_rate"]
MONEY = ["$revenue", "revenue", "$price", "price", "$quantity", "quantity"]

# Each of these alone exceeds the memory of a model that unnests an event without a limit.
OVERSIZED: list[dict[str, Any]] = [
    {"uuid": "keys-200k", "event_properties": KEYS},
    {"uuid": "keys-30k", "user_properties": dict(list(KEYS.items())[:30_000])},
    {"uuid": "keys-1001", "event_type": "k" * 100_000,
     "event_properties": dict(reversed(list(KEYS.items())[:1001]))},
    {"uuid": "groups-5000", "groups": {"org": list(KEYS)[:5000]},
     "group_properties": {"org": {key: {"size": "x" * 100} for key in list(KEYS)[:5000]}}},
    {"uuid": "groups-1000", "groups": {"org": list(KEYS)[:1000]},
     "group_properties": {"org": {key: {"size": "x" * 400} for key in list(KEYS)[:1000]}}},
    {"uuid": "types-2000", "groups": dict(list(KEYS.items())[:2000])},
    {"uuid": "group-keys", "groups": {"org": "a"}, "group_properties": {"org": {
        "a": dict(list(KEYS.items())[:30_000])}}},
    {"uuid": "long-key", "event_properties": {"k" * 1_000_000: 1}, "user_id": "u" * 1_000_000},
    *({"uuid": f"number-{n}-{name}", name: value}
      for n, value in enumerate(EXTREMES) for name in NUMBERS),
    *({"uuid": f"money-{n}-{name}", "event_type": "purchase", "event_properties": {name: value}}
      for n, value in enumerate(EXTREMES) for name in MONEY),
]  # fmt: skip


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """Build all models from `_lines()` within 1 GB of memory, and open the warehouse."""
    path = tmp_path_factory.mktemp("rows") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as con:
        load_hours(con, {HOUR: _lines()})
    with patch.dict(os.environ, {"DUCKDB_MEMORY_LIMIT": "1GB"}):
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
    oversized = [json.dumps(SAMPLE | {"$insert_id": None} | line) for line in OVERSIZED]
    return garbage + everything + ODD_OBJECTS + plain + oversized


def one(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    """Return the only value of the only row."""
    ((value,),) = con.execute(query).fetchall()
    return value


def test_every_line_is_loaded_and_accounted_for_in_silver(con: duckdb.DuckDBPyConnection) -> None:
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
def test_a_value_of_another_type_becomes_null_or_text(
    con: duckdb.DuckDBPyConnection, column: str, sent: Any, found: Any
) -> None:
    uuid = f"garbage-{GARBAGE.index(sent)}-{column}"
    value = one(con, f"select {column} from bronze.events where uuid = '{uuid}'")
    if isinstance(sent, dict):
        value, found = json.loads(value), json.loads(found)
    assert value == found


def test_missing_required_values_get_defaults(con: duckdb.DuckDBPyConnection) -> None:
    row = con.execute(
        "select event_type, event_time, client_event_time, server_upload_time, user_key,"
        " session_key from silver.events where uuid = 'odd-5'"
    ).fetchall()
    assert row == [("(none)", HOUR, HOUR, HOUR, "100011-unknown", None)]
    garbage = f"garbage-{GARBAGE.index('infinity')}-event_time"
    assert one(con, f"select event_time from silver.events where uuid = '{garbage}'") == datetime(
        2026, 9, 1, 5, 9
    )


def test_a_line_without_uuid_gets_a_deterministic_one(con: duckdb.DuckDBPyConnection) -> None:
    assert one(
        con,
        f"select uuid from silver.events where source_line = {1 + _lines().index('{}')}",
    ) == one(con, "select md5(concat_ws('|', '100011', '\\N', '\\N', '\\N', '\\N', '\\N', '\\N'))")


def test_group_names_of_any_type_are_unnested(con: duckdb.DuckDBPyConnection) -> None:
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


def test_keys_and_groups_beyond_the_limits_are_dropped_and_recorded(
    con: duckdb.DuckDBPyConnection,
) -> None:
    faults = con.execute(
        "select uuid, column_name, reason, entries, left_out from silver.event_faults order by 1, 2"
    ).fetchall()
    assert faults == [
        ("group-keys", "group_properties", "too many keys", 30_000, 29_000),
        ("groups-5000", "groups", "too many groups", 5000, 5000),
        ("keys-1001", "event_properties", "too many keys", 1001, 1),
        ("keys-200k", "event_properties", "too many keys", 200_000, 199_000),
        ("keys-30k", "user_properties", "too many keys", 30_000, 29_000),
        ("types-2000", "groups", "too many groups", 2000, 2000),
    ]
    lines = _lines()
    located = con.execute("select uuid, source_line from silver.event_faults").fetchall()
    assert all(json.loads(lines[line - 1])["uuid"] == uuid for uuid, line in located)


def test_the_first_keys_of_a_large_object_are_catalogued(con: duckdb.DuckDBPyConnection) -> None:
    keys = con.execute(
        "select scope, event_type, count(*), max(key) from silver.property_catalog"
        " where key like 'key %' group by all order by all"
    ).fetchall()
    assert keys == [
        ("event", "(any)", 1000, "key 000999"),
        ("event", "Purchase", 1000, "key 000999"),
        ("group", "(any)", 1000, "key 000999"),
        ("user", "(any)", 1000, "key 000999"),
    ]


def test_many_groups_keep_their_properties(con: duckdb.DuckDBPyConnection) -> None:
    groups = con.execute(
        "select uuid, count(*), count(group_properties ->> 'size') from silver.event_groups"
        " where uuid like 'group%' or uuid like 'types%' group by uuid order by uuid"
    ).fetchall()
    assert groups == [("group-keys", 1, 0), ("groups-1000", 1000, 1000)]
