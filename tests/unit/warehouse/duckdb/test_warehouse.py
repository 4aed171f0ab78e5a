"""Bronze on DuckDB: exact lines, replacement of whole hours, and atomic loads."""

import json
from multiprocessing import get_context
from pathlib import Path

import duckdb
import pytest
from dagster import AssetCheckResult
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amplitude_assets.checks.reconciliation import every_row_is_in_silver
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, HourRange, format_hour, parse_hour
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.support.lake import FETCHED_AT, PROJECT, manifest_of, publish

pytestmark = pytest.mark.integration

FIRST = parse_hour("2026-09-01T05")
DAY = HourRange(FIRST, FIRST + 23 * HOUR)
AWKWARD = [
    b'{"big": 9007199254740993123, "f": 6396.0, "i": 6396}',
    '{"u": "\u2028 and \u0085 and \U0001f600", "q": "\\"\\\\\\n"}'.encode(),
    b'{"city": "a", "City": "b", "a.b": 1, "$c": 2, "d?": 3}',
    b'{"long": "' + b"x" * 300_000 + b'"}',
    b'{ "spaced" :  1 }\r',
    b"{}",
]

Row = tuple[str, int, bytes]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


def rows(warehouse: DuckDBWarehouse) -> list[Row]:
    found = warehouse.query(
        "select source_object, source_line, cast(event as varchar) "
        "from bronze.raw_events order by all"
    )
    return [(key, line, event.encode()) for key, line, event in found]


def everything(warehouse: DuckDBWarehouse) -> list[list[tuple[object, ...]]]:
    tables = ("raw_events", "export_hours", "rejected_lines")
    return [warehouse.query(f"from bronze.{table} order by all") for table in tables]


def test_a_query_does_not_create_the_file(warehouse: DuckDBWarehouse) -> None:
    assert warehouse.query("select count(*) from information_schema.tables") == [(0,)]
    assert not warehouse.path.exists()


def test_each_line_is_one_row_byte_for_byte(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    manifest = publish(lake, FIRST, [AWKWARD, AWKWARD[:1]], tmp_path / "files")
    report = warehouse.load(lake, [manifest], "load-1")
    assert report.replaced == [FIRST]
    long, short = sorted(manifest.objects, key=lambda item: -item.lines)
    expected = [(long.key, n, line) for n, line in enumerate(AWKWARD, start=1)]
    assert rows(warehouse) == sorted([*expected, (short.key, 1, AWKWARD[0])])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.dictionaries(st.text(max_size=8), values), max_size=5), max_size=3))
def test_loaded_lines_equal_the_published_ones(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[dict[str, object]]]
) -> None:
    folder = tmp_path_factory.mktemp("hour")
    lake, warehouse = Lake((folder / "lake").as_uri()), DuckDBWarehouse(folder / "w.duckdb")
    # Two files with the same lines are one object, which an hour has only once.
    distinct = {tuple(json.dumps(event, ensure_ascii=False) for event in file) for file in files}
    lines = [[line.encode() for line in file] for file in distinct]
    manifest = publish(lake, FIRST, lines, folder / "files")
    report = warehouse.load(lake, [manifest], "load-1")
    assert not report.errors
    assert sorted(event for _, _, event in rows(warehouse)) == sorted(
        line for file in lines for line in file
    )


def test_the_ledger_records_what_was_loaded(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    full = publish(lake, FIRST, [[b"{}", b"{}"]], tmp_path / "files")
    empty = publish(lake, FIRST + HOUR, [], tmp_path / "files")
    warehouse.load(lake, [full, empty], "load-1")
    ledger = warehouse.ledger(PROJECT, DAY)
    assert {
        hour: (row.status, row.objects, row.lines, row.load_id, row.fetched_at)
        for hour, row in ledger.items()
    } == {
        FIRST: ("loaded", 1, 2, "load-1", FETCHED_AT),
        FIRST + HOUR: ("empty", 0, 0, "load-1", FETCHED_AT),
    }


def test_loading_twice_changes_no_table(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    hours = [publish(lake, FIRST, [[b"{}"]], tmp_path), publish(lake, FIRST + HOUR, [], tmp_path)]
    warehouse.load(lake, hours, "load-1")
    before = everything(warehouse)
    reported: list[tuple[int, int]] = []
    report = warehouse.load(
        lake, hours, "load-2", lambda hours, lines: reported.append((hours, lines))
    )
    assert (report.replaced, len(report.unchanged)) == ([], 2)
    assert everything(warehouse) == before
    assert reported == [(1, 0), (1, 0)], "no lines were read, so no rate of lines is shown"


def test_lines_are_reported_when_read_and_hours_when_loaded(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    long = [json.dumps({"n": n, "x": "x" * 100_000}).encode() for n in range(60)]
    hours = [publish(lake, FIRST, [long], tmp_path), publish(lake, FIRST + HOUR, [], tmp_path)]
    reported: list[tuple[int, int]] = []
    warehouse.load(lake, hours, "load-1", lambda hours, lines: reported.append((hours, lines)))
    *reading, end = reported
    assert end == (2, 0)
    assert len(reading) > 1
    assert [sum(parts) for parts in zip(*reading, strict=True)] == [0, 60]


@pytest.mark.parametrize("redelivered", [[], [[b'{"a": 1}']], [[b"{}", b'{"b": 2}', b"{}"]]])
def test_an_hour_is_replaced_by_its_new_delivery(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path, redelivered: list[list[bytes]]
) -> None:
    neighbour = publish(lake, FIRST + HOUR, [[b'{"n": 1}']], tmp_path)
    warehouse.load(lake, [publish(lake, FIRST, [[b"{}", b"{}"]], tmp_path), neighbour], "load-1")
    warehouse.load(lake, [publish(lake, FIRST, redelivered, tmp_path)], "load-2")
    lines = [line for file in redelivered for line in file]
    assert sorted(event for _, _, event in rows(warehouse)) == sorted([*lines, b'{"n": 1}'])
    row = warehouse.ledger(PROJECT, DAY)[FIRST]
    assert (row.lines, row.load_id) == (len(lines), "load-2")


def test_one_bad_hour_does_not_affect_the_others(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    good = publish(lake, FIRST, [[b"{}"]], tmp_path)
    short = publish(lake, FIRST + HOUR, [[b'{"a": 1}']], tmp_path)
    short = short.model_copy(update={"lines": 2})
    gone = publish(lake, FIRST + 2 * HOUR, [[b'{"b": 1}']], tmp_path)
    lake.delete(gone.objects[0].key)
    cut = publish(lake, FIRST + 3 * HOUR, [[b'{"c": 1}']], tmp_path)
    path = tmp_path / "lake" / cut.objects[0].key
    path.write_bytes(path.read_bytes()[:-4])

    report = warehouse.load(lake, [good, short, gone, cut], "load-1")

    assert report.replaced == [FIRST]
    assert [error.hour for error in report.errors] == [FIRST + n * HOUR for n in (1, 2, 3)]
    assert "manifest says 2 events" in report.errors[0].message
    assert gone.objects[0].key in report.errors[1].message
    assert cut.objects[0].key in report.errors[2].message
    assert list(warehouse.ledger(PROJECT, DAY)) == [FIRST]
    assert len(rows(warehouse)) == 1


def test_an_hour_that_fails_keeps_its_rows(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    warehouse.load(lake, [publish(lake, FIRST, [[b"{}"]], tmp_path)], "load-1")
    before = everything(warehouse)
    bad, _ = manifest_of(FIRST, [[b'{"a": 1}']], tmp_path / "never-sent")
    assert warehouse.load(lake, [bad], "load-2").errors
    assert everything(warehouse) == before


def test_an_hour_with_lost_rows_is_repaired_by_loading_it_again(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    hours = [publish(lake, FIRST + n * HOUR, [[b"{}", b'{"a": 1}']], tmp_path) for n in (0, 1)]
    warehouse.load(lake, hours, "load-1")
    with duckdb.connect(str(warehouse.path)) as con:
        con.execute("delete from bronze.raw_events where export_hour = ? and source_line = 2",
                    [FIRST.replace(tzinfo=None)])  # fmt: skip
    report = warehouse.load(lake, hours, "load-2")
    assert (report.replaced, report.unchanged) == ([FIRST], [FIRST + HOUR])
    assert all(hour.bronze_rows == 2 for hour in warehouse.counts(PROJECT, DAY))


def test_hours_are_counted_through_the_layers(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    assert warehouse.counts(PROJECT, DAY) == []
    warehouse.load(lake, [publish(lake, FIRST, [[b"{}", b"{}"]], tmp_path)], "load-1")
    (counted,) = warehouse.counts(PROJECT, DAY)
    assert (counted.lines, counted.bronze_rows, counted.silver_events) == (2, 2, None)
    assert warehouse.counts(PROJECT + 1, DAY) == []


def test_silver_is_counted_for_the_loads_that_dbt_has_consumed(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    hours = [publish(lake, FIRST + n * HOUR, [[b"{}", b"{}"]], tmp_path) for n in range(4)]
    warehouse.load(lake, hours, "load-1")
    with duckdb.connect(str(warehouse.path)) as con:
        con.execute(
            "create schema silver;"
            "create table silver.events as select project_id, export_hour from bronze.raw_events"
            " where source_line = 1;"
            "create table silver.event_duplicates as select * from silver.events limit 1;"
            "create table silver.consumed_hours as select project_id, export_hour, load_id"
            " from bronze.export_hours;"
            "create table silver.touched_hours (project_id bigint, export_hour timestamp)"
        )
        con.execute(f"update silver.event_duplicates set export_hour = '{FIRST:%F %T}'")
        con.execute(
            f"insert into silver.touched_hours values ({PROJECT}, '{FIRST + 3 * HOUR:%F %T}')"
        )
    again = publish(lake, FIRST + 2 * HOUR, [[b"{}", b"{}", b"{}"]], tmp_path)
    later = publish(lake, FIRST + 4 * HOUR, [[b"{}"]], tmp_path)
    warehouse.load(lake, [again, later], "load-2")
    counted = warehouse.counts(PROJECT, DAY)
    assert [(hour.bronze_rows, hour.silver_events, hour.duplicates) for hour in counted] == [
        (2, 1, 1), (2, 1, 0), (3, None, None), (2, None, None), (1, None, None),
    ]  # fmt: skip
    result = every_row_is_in_silver(
        settings=Settings(amplitude_project_id=PROJECT, amplitude_start_hour=DAY.first),
        warehouse=warehouse,
        clock=lambda: DAY.last + HOUR,
    )
    assert isinstance(result, AssetCheckResult)
    assert not result.passed
    assert f"does not hold for {format_hour(FIRST + HOUR)};" in (result.description or "")
    assert result.metadata["hours_pending"].value == 3


def _load_in_a_process(folder: Path, number: int) -> None:
    lake = Lake((folder / "lake").as_uri())
    warehouse = DuckDBWarehouse(folder / "warehouse.duckdb", lock_seconds=60)
    for again in range(3):
        hour = FIRST + (again if number % 2 else number) * HOUR
        lines = [b'{"p": %d, "n": %d}' % (number, n) for n in range(50)]
        files = folder / f"files-{number}"
        warehouse.load(lake, [publish(lake, hour, [lines], files)], f"load-{number}-{again}")


def test_concurrent_loads_wait_for_each_other(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    context = get_context("spawn")
    processes = [context.Process(target=_load_in_a_process, args=(tmp_path, n)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    counts = warehouse.counts(PROJECT, DAY)
    assert counts
    assert all(hour.lines == hour.bronze_rows == 50 for hour in counts)
