"""Bronze on DuckDB: exact lines, replaced by the hour, and nothing half-done."""

import json
from multiprocessing import get_context
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amplitude_assets.hours import HOUR, HourRange, parse_hour
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.duckdb import DuckDBWarehouse
from tests.support.lake import FETCHED_AT, PROJECT, manifest_of, publish

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


def test_to_ask_makes_no_file(warehouse: DuckDBWarehouse) -> None:
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
def test_what_is_loaded_is_what_was_published(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[dict[str, object]]]
) -> None:
    folder = tmp_path_factory.mktemp("hour")
    lake, warehouse = Lake((folder / "lake").as_uri()), DuckDBWarehouse(folder / "w.duckdb")
    # Two files of the same lines are the same object, which an hour holds once.
    distinct = {tuple(json.dumps(event, ensure_ascii=False) for event in file) for file in files}
    lines = [[line.encode() for line in file] for file in distinct]
    manifest = publish(lake, FIRST, lines, folder / "files")
    report = warehouse.load(lake, [manifest], "load-1")
    assert not report.errors
    assert sorted(event for _, _, event in rows(warehouse)) == sorted(
        line for file in lines for line in file
    )


def test_the_ledger_says_what_was_loaded(
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
    report = warehouse.load(lake, hours, "load-2")
    assert (report.replaced, len(report.unchanged)) == ([], 2)
    assert everything(warehouse) == before


def test_lines_are_told_as_they_are_read_and_hours_once_they_are_in(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    long = [json.dumps({"n": n, "x": "x" * 100_000}).encode() for n in range(60)]
    hours = [publish(lake, FIRST, [long], tmp_path), publish(lake, FIRST + HOUR, [], tmp_path)]
    told: list[tuple[int, int]] = []
    warehouse.load(lake, hours, "load-1", lambda hours, lines: told.append((hours, lines)))
    *reading, end = told
    assert end == (2, 0)
    assert len(reading) > 1
    assert [sum(parts) for parts in zip(*reading, strict=True)] == [0, 60]


@pytest.mark.parametrize("redelivered", [[], [[b'{"a": 1}']], [[b"{}", b'{"b": 2}', b"{}"]]])
def test_an_hour_is_replaced_by_what_it_is_now(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path, redelivered: list[list[bytes]]
) -> None:
    neighbour = publish(lake, FIRST + HOUR, [[b'{"n": 1}']], tmp_path)
    warehouse.load(lake, [publish(lake, FIRST, [[b"{}", b"{}"]], tmp_path), neighbour], "load-1")
    warehouse.load(lake, [publish(lake, FIRST, redelivered, tmp_path)], "load-2")
    lines = [line for file in redelivered for line in file]
    assert sorted(event for _, _, event in rows(warehouse)) == sorted([*lines, b'{"n": 1}'])
    row = warehouse.ledger(PROJECT, DAY)[FIRST]
    assert (row.lines, row.load_id) == (len(lines), "load-2")


def test_one_bad_hour_does_not_take_the_others_with_it(
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


def test_an_hour_that_fails_keeps_what_it_was(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    warehouse.load(lake, [publish(lake, FIRST, [[b"{}"]], tmp_path)], "load-1")
    before = everything(warehouse)
    bad, _ = manifest_of(FIRST, [[b'{"a": 1}']], tmp_path / "never-sent")
    assert warehouse.load(lake, [bad], "load-2").errors
    assert everything(warehouse) == before


def test_an_hour_that_lost_lines_is_made_good_by_loading_it_again(
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


def _load_in_a_process(folder: Path, number: int) -> None:
    lake = Lake((folder / "lake").as_uri())
    warehouse = DuckDBWarehouse(folder / "warehouse.duckdb", lock_seconds=60)
    for again in range(3):
        hour = FIRST + (again if number % 2 else number) * HOUR
        lines = [b'{"p": %d, "n": %d}' % (number, n) for n in range(50)]
        files = folder / f"files-{number}"
        warehouse.load(lake, [publish(lake, hour, [lines], files)], f"load-{number}-{again}")


def test_processes_that_load_at_once_wait_for_each_other(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
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
