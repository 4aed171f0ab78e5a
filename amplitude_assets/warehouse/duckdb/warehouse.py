"""The `Warehouse` interface on one DuckDB file."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from amplitude_assets.hours import HourRange
from amplitude_assets.lake.manifest import LakeObject, Manifest
from amplitude_assets.lake.merges import merge_keys
from amplitude_assets.lake.store import Lake
from amplitude_assets.streams.allocator import keep_freed_memory
from amplitude_assets.warehouse.base import (
    Cost,
    HourCounts,
    LedgerRow,
    LoadReport,
    OnLoaded,
    PersonLines,
)
from amplitude_assets.warehouse.batches import (
    BatchLimits,
    BronzeHours,
    HeldHour,
    check_counts,
    check_no_hours_left,
    data_errors_as_warehouse_errors,
    held_hours,
    load_changed,
)
from amplitude_assets.warehouse.duckdb.file import LOCK_SECONDS, DuckDBFile
from amplitude_assets.warehouse.lines import LineReader
from amplitude_assets.warehouse.rows import (
    aware,
    hour_rows,
    naive,
    quoted,
    range_parameters,
    utc,
)
from amplitude_assets.warehouse.scripts import read_script

if TYPE_CHECKING:
    import duckdb

_LIMITS = BatchLimits(lines=4_000_000, objects=100_000)


class DuckDBWarehouse:
    """A `Warehouse` in a DuckDB file that several processes can use concurrently."""

    def __init__(self, path: Path, *, lock_seconds: float = LOCK_SECONDS) -> None:
        """Use the file at `path`, created on first write; wait `lock_seconds` for other writers."""
        self.path = path
        self._file = DuckDBFile(path, lock_seconds)
        self._inode_with_tables = 0  # an inode number is never 0

    @property
    def place(self) -> str:
        """See `Warehouse.place`."""
        return str(self.path)

    def load(
        self,
        lake: Lake,
        manifests: Sequence[Manifest],
        load_id: str,
        on_loaded: OnLoaded = lambda _hours, _lines: None,
    ) -> LoadReport:
        """See `Warehouse.load`."""
        if not manifests:
            return LoadReport()
        keep_freed_memory()
        with self._file.connection() as con:
            self._make_tables(con)
            report = load_changed(
                manifests,
                BronzeHours(
                    held=lambda: _held_hours(con, manifests[0].project_id),
                    replace=lambda batch: _replace(con, lake, batch, load_id, on_loaded),
                    update_ledger=lambda rows: _update_ledger(con, manifests[0].project_id, rows),
                ),
                _LIMITS,
                on_loaded,
            )
            con.execute("checkpoint")
        return report

    def load_merges(self, lake: Lake, project_id: int) -> int:
        """See `Warehouse.load_merges`."""
        found = merge_keys(lake, project_id)
        if not found:
            return 0
        with self._file.connection() as con:
            self._make_tables(con)
            held = con.execute(_script("held_merges"), {"project_id": project_id}).fetchall()
            new = sorted(found - {key for (key,) in held})
            if new:
                con.register("incoming_objects", _keys_table(new))
                loaded_at = naive(datetime.now(UTC))
                with data_errors_as_warehouse_errors("no merge file was loaded"):
                    _insert_lines(
                        con,
                        LineReader(lake, new),
                        "insert_merges",
                        {"project_id": project_id, "loaded_at": loaded_at},
                    )
        return len(new)

    def _make_tables(self, con: "duckdb.DuckDBPyConnection") -> None:
        """Create bronze's tables if missing, once per file.

        Raises RebuildNeededError for an older layout.
        """
        inode = self.path.stat().st_ino
        if inode == self._inode_with_tables:
            return
        _run_script(con, "bronze_tables")
        found = set(_columns(con))
        lacking = sorted(f"{table}.{column}" for table, column in _layout() - found)
        if lacking:
            raise self._file.rebuild_needed(
                f"has tables of an older layout, without {', '.join(lacking)}"
            )
        self._inode_with_tables = inode

    def ledger(self, project_id: int, hours: HourRange) -> dict[datetime, LedgerRow]:
        """See `Warehouse.ledger`."""
        if not self.path.exists():
            return {}
        with self._file.connection() as con:
            self._make_tables(con)
            rows = con.execute(_script("ledger"), range_parameters(project_id, hours)).fetchall()
        return {utc(row[0]): LedgerRow(*map(aware, row)) for row in rows}

    def counts(self, project_id: int, hours: HourRange) -> list[HourCounts]:
        """See `Warehouse.counts`."""
        if not self.path.exists():
            return []
        with self._file.connection() as con:
            self._make_tables(con)
            script = "counts" if _has_silver(con) else "bronze_counts"
            rows = con.execute(_script(script), range_parameters(project_id, hours)).fetchall()
        return [HourCounts(*map(aware, row)) for row in rows]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """See `Warehouse.query`. A query does not create the file."""
        with self._file.connection(make=False) as con:
            return con.execute(sql).fetchall()

    def sha256(self, text: str) -> str:
        """See `Warehouse.sha256`."""
        return f"sha256({text})"

    def lines_of_people(self, project_id: int, digests: Collection[str]) -> list[PersonLines]:
        """See `Warehouse.lines_of_people`."""
        with self._file.connection() as con:
            sql = _script("lines_of_people").replace("{digests}", quoted(digests))
            rows = con.execute(sql, {"project_id": project_id}).fetchall()
        return [PersonLines(*map(aware, row)) for row in rows]

    def drop_merges(self, project_id: int, keys: Collection[str]) -> None:
        """See `Warehouse.drop_merges`."""
        with self._file.connection() as con:
            for key in keys:
                con.execute(
                    _script("delete_merges"), {"project_id": project_id, "source_object": key}
                )

    def costs(self, first: date) -> list[Cost] | None:
        """See `Warehouse.costs`: a local file has no metered cost."""
        del first
        return None

    def exclusive(self) -> AbstractContextManager[None]:
        """See `Warehouse.exclusive`. Raises WarehouseError when the file's lock times out."""
        return self._file.exclusive()

    def check(self) -> None:
        """Read all rows of every table.

        Raises RebuildNeededError when the file is damaged or has an older layout.
        """
        self._file.check()
        if self.path.exists():
            with self._file.connection() as con:
                self._make_tables(con)

    def set_aside(self) -> Path | None:
        """Rename a damaged file; see `DuckDBFile.set_aside`."""
        return self._file.set_aside()

    def compact(self) -> None:
        """See `Warehouse.compact`."""
        self._file.compact()

    def rewrite(self) -> None:
        """See `Warehouse.rewrite`."""
        self._file.rewrite()


def _replace(
    con: "duckdb.DuckDBPyConnection",
    lake: Lake,
    batch: Sequence[Manifest],
    load_id: str,
    on_loaded: OnLoaded,
) -> None:
    import duckdb

    objects = [(manifest, item) for manifest in batch for item in manifest.objects]
    rejected = [(m, m.rejected) for m in batch if m.rejected is not None]
    constants: dict[str, object] = {
        "project_id": batch[0].project_id,
        "load_id": load_id,
        "loaded_at": datetime.now(UTC).replace(tzinfo=None),
    }
    project = {"project_id": batch[0].project_id}
    # DuckDB does not know the length of the stream of lines. It would choose the lines as the build
    # side of their join with the objects, and hold all of them in memory.
    con.execute("set disabled_optimizers = 'build_side_probe_side'")
    con.begin()
    try:
        con.register("incoming_hours", pa.Table.from_pylist(hour_rows(batch)))
        _run_script(con, "delete_hours", project)
        check_no_hours_left(con.execute(_script("hours_left"), project).fetchall())
        for script, chosen, parameters in (
            ("insert_events", objects, constants),
            ("insert_rejected", rejected, project),
        ):
            con.register("incoming_objects", _objects_table(chosen))
            keys = [item.key for _, item in chosen]
            lines = LineReader(lake, keys, on_read=lambda read: on_loaded(0, read))
            _insert_lines(con, lines, script, parameters)
        con.execute(_script("insert_ledger"), constants)
        check_counts(batch, con.execute(_script("count_incoming"), project).fetchall())
        con.commit()
    except BaseException:
        with suppress(duckdb.TransactionException):  # a failed commit has already rolled back
            con.rollback()
        raise
    finally:
        for name in ("incoming_hours", "incoming_objects", "incoming_lines"):
            con.unregister(name)
        con.execute("reset disabled_optimizers")


def _insert_lines(
    con: "duckdb.DuckDBPyConnection",
    lines: LineReader,
    script: str,
    parameters: Mapping[str, object],
) -> None:
    """Run an insert over the lines of objects. Raises the LakeError of an unreadable object."""
    import duckdb

    con.register("incoming_lines", lines.batches)
    try:
        con.execute(_script(script), parameters)
    except duckdb.Error:
        if lines.error is not None:
            raise lines.error from None
        raise


def _objects_table(objects: Sequence[tuple[Manifest, LakeObject]]) -> pa.Table:
    """Return the table that maps the lines' object numbers to keys and hours."""
    return pa.table(
        {
            "object_number": pa.array(range(len(objects)), pa.int32()),
            "source_object": pa.array([item.key for _, item in objects], pa.string()),
            "export_hour": pa.array(
                [naive(manifest.export_hour) for manifest, _ in objects], pa.timestamp("us")
            ),
        }
    )


def _keys_table(keys: Sequence[str]) -> pa.Table:
    numbers = pa.array(range(len(keys)), pa.int32())
    return pa.table({"object_number": numbers, "source_object": pa.array(keys, pa.string())})


def _held_hours(con: "duckdb.DuckDBPyConnection", project_id: int) -> dict[datetime, HeldHour]:
    return held_hours(con.execute(_script("held_hours"), {"project_id": project_id}).fetchall())


def _update_ledger(
    con: "duckdb.DuckDBPyConnection", project_id: int, rows: Sequence[Mapping[str, object]]
) -> None:
    con.register("incoming_hours", pa.Table.from_pylist([*rows]))
    con.execute(_script("update_ledger"), {"project_id": project_id})
    con.unregister("incoming_hours")


def _columns(con: "duckdb.DuckDBPyConnection") -> list[tuple[str, str]]:
    """Return the columns of bronze as (table, column)."""
    return con.execute(
        "select 'bronze.' || table_name, column_name from duckdb_columns() "
        "where database_name = current_database() and schema_name = 'bronze'"
    ).fetchall()


@cache
def _layout() -> frozenset[tuple[str, str]]:
    """Return the columns of the current layout of bronze as (table, column)."""
    import duckdb

    with duckdb.connect(":memory:") as con:
        _run_script(con, "bronze_tables")
        return frozenset(_columns(con))


def _has_silver(con: "duckdb.DuckDBPyConnection") -> bool:
    return con.execute(_script("silver_tables")).fetchone() == (4,)


def _run_script(
    con: "duckdb.DuckDBPyConnection", name: str, parameters: Mapping[str, object] | None = None
) -> None:
    """Run a script of several statements; each takes the same parameters."""
    if parameters is None:
        con.execute(_script(name))
        return
    for statement in con.extract_statements(_script(name)):
        con.execute(statement, parameters)


def _script(name: str) -> str:
    return read_script("duckdb", name)
