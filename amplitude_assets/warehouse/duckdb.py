"""The embedded warehouse: bronze and the ledger in one DuckDB file."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from amplitude_assets.hours import HourRange
from amplitude_assets.lake.manifest import LakeObject, Manifest
from amplitude_assets.lake.store import Lake
from amplitude_assets.memory import keep_freed_memory
from amplitude_assets.warehouse.base import (
    HourCounts,
    LedgerRow,
    LoadReport,
    OnLoaded,
    PersonLines,
)
from amplitude_assets.warehouse.batches import (
    BatchLimits,
    aware,
    check_counts,
    data_faults_explained,
    hour_rows,
    load_changed,
    merge_keys,
    naive,
    quoted,
    range_parameters,
    utc,
)
from amplitude_assets.warehouse.duckdb_file import LOCK_SECONDS, DuckDBFile
from amplitude_assets.warehouse.lines import LineReader
from amplitude_assets.warehouse.scripts import read_script

if TYPE_CHECKING:
    import duckdb

_LIMITS = BatchLimits(lines=4_000_000, objects=100_000)


class DuckDBWarehouse:
    """The `Warehouse` in a DuckDB file. Safe to use from several processes at once."""

    def __init__(self, path: Path, *, lock_seconds: float = LOCK_SECONDS) -> None:
        """Use the file at `path`, made when first written; wait so long for other writers."""
        self.path = path
        self._file = DuckDBFile(path, lock_seconds)

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
            _run_script(con, "bronze_tables")
            report = load_changed(
                manifests,
                _held_digests(con, manifests[0].project_id),
                _LIMITS,
                lambda batch: _replace(con, lake, batch, load_id, on_loaded),
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
            _run_script(con, "bronze_tables")
            held = con.execute(_script("held_merges"), {"project_id": project_id}).fetchall()
            new = sorted(found - {key for (key,) in held})
            if new:
                con.register("incoming_objects", _keys_table(new))
                loaded_at = naive(datetime.now(UTC))
                with data_faults_explained("no merge file was loaded"):
                    _insert_lines(
                        con,
                        LineReader(lake, new),
                        "insert_merges",
                        {"project_id": project_id, "loaded_at": loaded_at},
                    )
        return len(new)

    def ledger(self, project_id: int, hours: HourRange) -> dict[datetime, LedgerRow]:
        """See `Warehouse.ledger`."""
        if not self.path.exists():
            return {}
        with self._file.connection() as con:
            _run_script(con, "bronze_tables")
            rows = con.execute(_script("ledger"), range_parameters(project_id, hours)).fetchall()
        return {utc(row[0]): LedgerRow(*map(aware, row)) for row in rows}

    def counts(self, project_id: int, hours: HourRange) -> list[HourCounts]:
        """See `Warehouse.counts`."""
        if not self.path.exists():
            return []
        with self._file.connection() as con:
            _run_script(con, "bronze_tables")
            script = "counts" if _has_silver(con) else "bronze_counts"
            rows = con.execute(_script(script), range_parameters(project_id, hours)).fetchall()
        return [HourCounts(*map(aware, row)) for row in rows]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """See `Warehouse.query`. To ask is no reason to make the file."""
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

    def exclusive(self) -> AbstractContextManager[None]:
        """See `Warehouse.exclusive`. Raises WarehouseError when others hold the file too long."""
        return self._file.exclusive()

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
    # The lines are a stream, whose length DuckDB does not know: it would take them for the smaller
    # side of their join with the objects, and hold all of them in memory.
    con.execute("set disabled_optimizers = 'build_side_probe_side'")
    con.begin()
    try:
        con.register("incoming_hours", pa.Table.from_pylist(hour_rows(batch)))
        _run_script(con, "delete_hours", project)
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
        with suppress(duckdb.TransactionException):  # a commit that failed has rolled back
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
    """Run an insert over the lines of objects. Raises what kept an object from being read."""
    import duckdb

    con.register("incoming_lines", lines.batches)
    try:
        con.execute(_script(script), parameters)
    except duckdb.Error:
        if lines.error is not None:
            raise lines.error from None
        raise


def _objects_table(objects: Sequence[tuple[Manifest, LakeObject]]) -> pa.Table:
    """Return what the lines' object numbers stand for."""
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


def _held_digests(
    con: "duckdb.DuckDBPyConnection", project_id: int
) -> dict[datetime, tuple[str, str]]:
    rows = con.execute(_script("held_digests"), {"project_id": project_id}).fetchall()
    return {utc(hour): (status, digest) for hour, status, digest in rows}


def _has_silver(con: "duckdb.DuckDBPyConnection") -> bool:
    return con.execute(_script("silver_tables")).fetchone() == (2,)


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
