"""Level b: the loader and the whole graph through the real connector, over HTTP.

`[fakesnow]` is DuckDB behind Snowflake's protocol: it tests statements, transactions and client
code. `[live]` is a live account, if one is configured.
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector.errors import ProgrammingError

from amplitude_assets.config import Settings
from amplitude_assets.connections.snowflake import snowflake_connections
from amplitude_assets.hours import HOUR, HourRange, parse_hour
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.store import Lake
from amplitude_assets.resources import resource_connections
from amplitude_assets.warehouse.base import WarehouseError
from amplitude_assets.warehouse.snowflake import warehouse as snowflake_loader
from amplitude_assets.warehouse.snowflake.session import Connect
from amplitude_assets.warehouse.snowflake.warehouse import SnowflakeWarehouse
from tests.support.fakesnow_server import Fault
from tests.support.lake import FETCHED_AT, PROJECT, manifest_of, publish
from tests.support.snowflake import SnowflakeUnderTest

FIRST = parse_hour("2026-09-01T05")
DAY = HourRange(FIRST, FIRST + 23 * HOUR)
AWKWARD = [
    b'{"i": 6396, "$insert_id": "a$b", "a.b": 1, "City": "b", "city": "a"}',
    '{"u": "\u2028 and \U0001f600", "q": "\\"\\\\\\n"}'.encode(),
    b'{"nested": {"list": [1, [2], {}], "none": null}}',
    b"{}",
]


@pytest.fixture
def lake(empty_account: SnowflakeUnderTest) -> Lake:
    return empty_account.lake


@pytest.fixture
def warehouse(empty_account: SnowflakeUnderTest) -> SnowflakeWarehouse:
    return empty_account.warehouse(run_id="run-0123")


def rows(warehouse: SnowflakeWarehouse) -> list[tuple[str, int, object]]:
    found = warehouse.query(
        "select source_object, source_line, event from bronze.raw_events order by 1, 2"
    )
    return [(key, line, json.loads(event)) for key, line, event in found]


def bronze_tables(warehouse: SnowflakeWarehouse) -> list[list[tuple[object, ...]]]:
    tables = ("raw_events", "export_hours", "rejected_lines")
    return [sorted(warehouse.query(f"select * from bronze.{table}")) for table in tables]


def test_each_line_is_one_row_with_its_object_and_number(
    lake: Lake, warehouse: SnowflakeWarehouse, tmp_path: Path
) -> None:
    manifest = publish(lake, FIRST, [AWKWARD, AWKWARD[:1]], tmp_path / "files")
    assert warehouse.load(lake, [manifest], "load-1").replaced == [FIRST]
    expected = [
        (item.key, number, json.loads(line))
        for item, lines in zip(manifest.objects, [AWKWARD, AWKWARD[:1]], strict=True)
        for number, line in enumerate(lines, start=1)
    ]
    assert rows(warehouse) == sorted(expected)


def test_the_ledger_records_loaded_hours(
    lake: Lake, warehouse: SnowflakeWarehouse, tmp_path: Path
) -> None:
    assert warehouse.ledger(PROJECT, DAY) == {}
    full = publish(lake, FIRST, [[b"{}", b"{}"]], tmp_path / "files")
    empty = publish(lake, FIRST + HOUR, [], tmp_path / "files")
    warehouse.load(lake, [full, empty], "load-1")
    assert {
        hour: (row.status, row.objects, row.lines, row.load_id, row.fetched_at)
        for hour, row in warehouse.ledger(PROJECT, DAY).items()
    } == {
        FIRST: ("loaded", 1, 2, "load-1", FETCHED_AT),
        FIRST + HOUR: ("empty", 0, 0, "load-1", FETCHED_AT),
    }
    counts = warehouse.counts(PROJECT, DAY)
    assert [(hour.lines, hour.bronze_rows, hour.silver_events) for hour in counts] == [
        (2, 2, None),
        (0, 0, None),
    ]


def test_reloading_the_same_hours_changes_no_table(
    lake: Lake, warehouse: SnowflakeWarehouse, tmp_path: Path
) -> None:
    hours = [publish(lake, FIRST, [[b"{}"]], tmp_path), publish(lake, FIRST + HOUR, [], tmp_path)]
    warehouse.load(lake, hours, "load-1")
    before = bronze_tables(warehouse)
    report = warehouse.load(lake, hours, "load-2")
    assert (report.replaced, len(report.unchanged)) == ([], 2)
    assert bronze_tables(warehouse) == before


@pytest.mark.parametrize("redelivered", [[], [[b'{"a": 1}']], [[b"{}", b'{"b": 2}', b"{}"]]])
def test_a_redelivered_hour_is_replaced_and_can_be_restored(
    lake: Lake, warehouse: SnowflakeWarehouse, tmp_path: Path, redelivered: list[list[bytes]]
) -> None:
    neighbour = publish(lake, FIRST + HOUR, [[b'{"n": 1}']], tmp_path)
    original = publish(lake, FIRST, [[b"{}", b"{}"]], tmp_path)
    warehouse.load(lake, [original, neighbour], "load-1")
    before = rows(warehouse)

    warehouse.load(lake, [publish(lake, FIRST, redelivered, tmp_path)], "load-2")
    lines = [json.loads(line) for file in redelivered for line in file]
    found = [event for _, _, event in rows(warehouse)]
    assert sorted(found, key=str) == sorted([*lines, {"n": 1}], key=str)

    # Snowflake's load history skips files that a table has loaded before.
    warehouse.load(lake, [original], "load-3")
    assert rows(warehouse) == before


def test_one_bad_hour_does_not_affect_the_others(
    lake: Lake, warehouse: SnowflakeWarehouse, tmp_path: Path
) -> None:
    good = publish(lake, FIRST, [[b"{}"]], tmp_path)
    short = publish(lake, FIRST + HOUR, [[b'{"a": 1}']], tmp_path)
    (item,) = short.objects
    short = short.model_copy(
        update={"lines": 2, "objects": (item.model_copy(update={"lines": 2}),)}
    )
    without_object = publish(lake, FIRST + 2 * HOUR, [[b'{"b": 1}']], tmp_path)
    lake.delete(without_object.objects[0].key)
    broken = publish(lake, FIRST + 3 * HOUR, [[b'{"c": ']], tmp_path)

    report = warehouse.load(lake, [good, short, without_object, broken], "load-1")

    assert report.replaced == [FIRST]
    assert list(report.query_ids) == [FIRST]
    assert report.query_ids[FIRST]
    assert [error.hour for error in report.errors] == [FIRST + n * HOUR for n in (1, 2, 3)]
    assert "has 2 lines, Snowflake read 1" in report.errors[0].message
    assert without_object.objects[0].key in report.errors[1].message
    assert "JSON" in report.errors[2].message
    assert list(warehouse.ledger(PROJECT, DAY)) == [FIRST]
    assert len(rows(warehouse)) == 1


def test_a_load_that_fails_at_any_statement_is_atomic(
    fake_account: SnowflakeUnderTest, tmp_path: Path
) -> None:
    """Replace two hours back and forth; fail the first statement, then the second, and so on.

    Statements of the transaction fail once more after they ran, as if the response was lost.
    """
    fake_account.empty()
    fakes, lake, warehouse = fake_account.fakes, fake_account.lake, fake_account.warehouse()
    assert fakes is not None
    versions = [_two_hours(lake, tmp_path, line) for line in (b'{"v": 1}', b'{"v": 2}')]

    def load(version: int, fault: Fault | None = None) -> list[datetime]:
        fakes.snowflake.fault = fault
        try:
            return warehouse.load(lake, versions[version], "load").replaced
        finally:
            fakes.snowflake.fault = None

    with snowflake_connections(fake_account.settings)() as connection:

        def read_bronze() -> list[tuple[object, ...]]:
            lines = "select export_hour, source_object, to_json(event) from bronze.raw_events"
            hours = "select export_hour, digest, status from bronze.export_hours"
            cursor = connection.cursor()
            return sorted(cursor.execute(f"{lines} union all {hours}").fetchall())

        states = []
        for version in (0, 1):
            assert len(load(version)) == 2
            states.append(read_bronze())
        failed: list[str] = []
        now = 1

        def fail(after: int, *, runs: bool) -> bool:
            """Load the other version with, then without a fault; return whether it occurred."""
            nonlocal now
            before, now, fault = states[now], 1 - now, Fault(after, runs)
            with suppress(WarehouseError):
                load(now, fault)
            if fault.statement is None:
                return False
            failed.append(fault.statement.lower())
            found = read_bronze()
            response_lost = runs and failed[-1] == "commit"
            assert found == (states[now] if response_lost else before), failed[-1]
            assert len(load(now)) == (0 if response_lost else 2)
            assert read_bronze() == states[now]
            return True

        while fail(len(failed), runs=False):
            pass
        first, last = failed.index("begin"), failed.index("commit")
        assert last - first > 6
        assert any(statement.startswith("copy into") for statement in failed[:first])
        for after in range(first, last + 1):
            assert fail(after, runs=True)


def test_merge_files_are_loaded_once(
    lake: Lake, warehouse: SnowflakeWarehouse, tmp_path: Path
) -> None:
    assert warehouse.load_merges(lake, PROJECT) == 0
    merge = {
        "scope": 1,
        "merge_time": 1_767_225_600_123,
        "merge_server_time": None,
        "amplitude_id": 7,
        "merged_amplitude_id": 3,
    }
    lines = [json.dumps(merge).encode(), b'{"scope": 1}']
    _, [(item, path)] = manifest_of(FIRST, [lines], tmp_path)
    lake.put_object(item.model_copy(update={"key": f"merges/{PROJECT}/m.json.gz"}), path)
    assert [warehouse.load_merges(lake, PROJECT) for _ in range(2)] == [1, 0]
    found = warehouse.query(
        "select amplitude_id, merged_amplitude_id, cast(merge_event_time as varchar), "
        "merge_server_time from bronze.merge_ids"
    )
    assert found == [(7, 3, "2026-01-01 00:00:00.123", None)]


def test_hundreds_of_hours_share_one_copy_and_one_query_tag(
    fake_account: SnowflakeUnderTest, tmp_path: Path
) -> None:
    fake_account.empty()
    fakes, lake = fake_account.fakes, fake_account.lake
    assert fakes is not None
    hours = [
        manifest_of(FIRST + n * HOUR, [[b'{"n": %d}' % n]], tmp_path / "files") for n in range(300)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda file: lake.put_object(*file), [file for _, [file] in hours]))
    manifests = [manifest for manifest, _ in hours]
    warehouse = fake_account.warehouse(run_id="run-0123")
    assert len(warehouse.load(lake, manifests, "load-1").replaced) == 300

    (copy,) = [text for text in fakes.snowflake.statements if text.lower().startswith("copy")]
    assert all(item.key in copy for manifest in manifests for item in manifest.objects)
    assert warehouse.query("select count(*) from bronze.raw_events") == [(300,)]
    (tag,) = {json.dumps(one.tag) for one in fakes.snowflake.recorder.statements if one.sql == copy}
    assert json.loads(tag) == {
        "application": "amplitude-assets",
        "run_id": "run-0123",
        "hours": "2026-09-01T05 to 2026-09-13T16",
    }


def _two_hours(lake: Lake, folder: Path, line: bytes) -> Sequence[Manifest]:
    return [publish(lake, FIRST + n * HOUR, [[line] * (n + 1)], folder) for n in range(2)]


@pytest.mark.parametrize("connections", [snowflake_connections, resource_connections])
@pytest.mark.parametrize(
    ("key", "expected_class"), [(True, "AuthByKeyPair"), (False, "AuthByWorkloadIdentity")]
)
def test_the_pipeline_signs_in_with_its_key_or_its_machines_identity(
    fake_account: SnowflakeUnderTest,
    monkeypatch: pytest.MonkeyPatch,
    connections: Callable[[Settings], Connect],
    key: bool,
    expected_class: str,
) -> None:
    settings = fake_account.settings
    if not key:
        settings = settings.model_copy(update={"snowflake_private_key_path": None})
        for name, value in fake_account.identity.items():
            monkeypatch.setenv(name, value)
    with connections(settings)() as connection:
        assert connection.cursor().execute("select 1").fetchall() == [(1,)]
        assert type(connection.auth_class).__name__ == expected_class


@pytest.mark.parametrize("connections", [snowflake_connections, resource_connections])
def test_a_connection_is_rolled_back_and_closed_when_its_block_fails(
    empty_account: SnowflakeUnderTest,
    warehouse: SnowflakeWarehouse,
    lake: Lake,
    tmp_path: Path,
    connections: Callable[[Settings], Connect],
) -> None:
    warehouse.load(lake, [publish(lake, FIRST, [[b"{}"]], tmp_path)], "load-1")
    connect = connections(empty_account.settings)
    opened = []

    def delete_and_interrupt() -> None:
        with connect() as connection:
            opened.append(connection)
            connection.cursor().execute("begin")
            connection.cursor().execute("delete from bronze.raw_events")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delete_and_interrupt()
    assert len(rows(warehouse)) == 1
    with connect() as connection:
        opened.append(connection)
    assert [connection.is_closed() for connection in opened] == [True, True]


def test_an_error_of_a_statement_names_the_fix(warehouse: SnowflakeWarehouse) -> None:
    with pytest.raises(WarehouseError, match=r"Snowflake: .*bootstrap snowflake"):
        warehouse.query("select * from bronze.no_such_table")


def test_the_shim_matches_this_version_of_fakesnow(fake_account: SnowflakeUnderTest) -> None:
    """If this fails after an update of fakesnow, review `fakesnow_server.py`."""
    with snowflake_connections(fake_account.settings)() as connection:
        cursor = connection.cursor()
        cursor.execute("create or replace table bronze.t (a varchar)")
        with pytest.raises(ProgrammingError, match="was not found") as refused:
            cursor.execute(
                "copy into bronze.t (a) from (select $1 from @bronze.lake) files = ('no/such')"
            )
        cursor.execute("select '$insert_id', cast(null as timestamp_ntz)")
        assert (refused.value.errno, cursor.fetchone()) == (91016, ("$insert_id", None))


def test_fewer_events_and_older_deliveries_change_no_row(
    lake: Lake, warehouse: SnowflakeWarehouse, tmp_path: Path
) -> None:
    whole = publish(lake, FIRST, [[b'{"a": 1}', b'{"a": 2}']], tmp_path)
    warehouse.load(lake, [whole.model_copy(update={"fetched_at": FETCHED_AT + HOUR})], "load-1")
    before = rows(warehouse)
    changes = {"is_confirmed": False, "fetched_at": FETCHED_AT + 2 * HOUR, "first_seen_at": None}
    empty = publish(lake, FIRST, [], tmp_path).model_copy(update=changes)
    assert warehouse.load(lake, [empty], "load-2").unchanged == [FIRST]
    read_bronze = warehouse.ledger(PROJECT, DAY)[FIRST]
    assert (read_bronze.events_in_question, read_bronze.in_question_since) == (
        2,
        FETCHED_AT + 2 * HOUR,
    )

    stale = publish(lake, FIRST, [[b'{"b": 1}', b'{"b": 2}', b'{"b": 3}']], tmp_path)
    report = warehouse.load(lake, [stale], "load-3")
    assert (report.superseded, report.replaced) == ([FIRST], [])
    assert rows(warehouse) == before

    accepted = empty.model_copy(update={"is_confirmed": True})
    assert warehouse.load(lake, [accepted], "load-4").replaced == [FIRST]
    assert rows(warehouse) == []
    assert warehouse.ledger(PROJECT, DAY)[FIRST].events_in_question == 0


def test_a_superseded_load_keeps_the_newer_delivery(
    lake: Lake,
    empty_account: SnowflakeUnderTest,
    warehouse: SnowflakeWarehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another load commits between this load's read of the ledger and its transaction."""
    older = publish(lake, FIRST, [[b'{"old": 1}', b'{"old": 2}']], tmp_path)
    other_hour = publish(lake, FIRST + HOUR, [[b'{"n": 1}']], tmp_path)
    newer = publish(lake, FIRST, [[b'{"new": 1}']], tmp_path)
    newer = newer.model_copy(update={"fetched_at": FETCHED_AT + HOUR})
    copy = snowflake_loader.copy_lines

    def copy_after_other_load(*arguments: Any) -> None:
        monkeypatch.setattr(snowflake_loader, "copy_lines", copy)
        assert empty_account.warehouse(run_id="other").load(lake, [newer], "other").replaced
        copy(*arguments)

    monkeypatch.setattr(snowflake_loader, "copy_lines", copy_after_other_load)
    report = warehouse.load(lake, [older, other_hour], "load-1")
    assert (report.superseded, report.replaced) == ([FIRST], [FIRST + HOUR])
    assert [event for _, _, event in rows(warehouse)] == [{"new": 1}, {"n": 1}]


def test_tables_of_an_older_version_get_the_columns(
    lake: Lake, warehouse: SnowflakeWarehouse, tmp_path: Path
) -> None:
    warehouse.load(lake, [publish(lake, FIRST, [[b"{}"]], tmp_path)], "load-1")
    for column in ("events_in_question", "in_question_since"):
        warehouse.query(f"alter table bronze.export_hours drop column {column}")
    assert warehouse.ledger(PROJECT, DAY)[FIRST].events_in_question == 0
    assert warehouse.load(lake, [publish(lake, FIRST, [], tmp_path)], "load-2").replaced == [FIRST]
