"""The embedded warehouse: bronze and the ledger in one DuckDB file.

DuckDB lets one process write at a time and none read meanwhile. So connections are short, and
everything of ours that opens the file holds a lock beside it first: writers wait for each other
in turn instead of failing.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from filelock import FileLock, Timeout

from amplitude_assets.hours import HourRange
from amplitude_assets.lake.manifest import LakeObject, Manifest
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.warehouse.base import (
    HourCounts,
    LedgerRow,
    LoadError,
    LoadReport,
    OnLoaded,
    WarehouseError,
)
from amplitude_assets.warehouse.lines import LineReader, ObjectError

if TYPE_CHECKING:
    import duckdb

# One transaction takes this many lines at most, unless an hour alone has more.
_TRANSACTION_LINES = 4_000_000
_LOCK_SECONDS = 900.0


class DuckDBWarehouse:
    """The `Warehouse` in a DuckDB file. Safe to use from several processes at once."""

    def __init__(self, path: Path, *, lock_seconds: float = _LOCK_SECONDS) -> None:
        """Use the file at `path`, made when first written; wait so long for other writers."""
        self.path = path
        self._lock_seconds = lock_seconds

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
        report = LoadReport()
        if not manifests:
            return report
        with self._connection() as con:
            _run_script(con, "bronze_tables")
            held = _held_digests(con, manifests[0].project_id)
            changed = []
            for manifest in manifests:
                if held.get(manifest.export_hour) == (manifest.status, manifest.digest):
                    report.unchanged.append(manifest.export_hour)
                    on_loaded(1, manifest.lines)
                else:
                    changed.append(manifest)
            for batch in _batches(changed):
                _load_batch(con, lake, batch, load_id, report)
                on_loaded(len(batch), sum(manifest.lines for manifest in batch))
            con.execute("checkpoint")
        return report

    def ledger(self, project_id: int, hours: HourRange) -> dict[datetime, LedgerRow]:
        """See `Warehouse.ledger`."""
        if not self.path.exists():
            return {}
        with self._connection() as con:
            _run_script(con, "bronze_tables")
            rows = con.execute(_script("ledger"), _range_parameters(project_id, hours)).fetchall()
        return {_utc(row[0]): LedgerRow(*map(_aware, row)) for row in rows}

    def counts(self, project_id: int, hours: HourRange) -> list[HourCounts]:
        """See `Warehouse.counts`."""
        if not self.path.exists():
            return []
        with self._connection() as con:
            _run_script(con, "bronze_tables")
            script = "counts" if _has_silver(con) else "bronze_counts"
            rows = con.execute(_script(script), _range_parameters(project_id, hours)).fetchall()
        return [HourCounts(*map(_aware, row)) for row in rows]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """See `Warehouse.query`."""
        with self._connection() as con:
            return con.execute(sql).fetchall()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the file for something else that opens it, such as dbt.

        Raises WarehouseError when others of ours hold it for longer than the bound.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", timeout=self._lock_seconds):
                yield
        except Timeout:
            raise WarehouseError(
                f"waited {self._lock_seconds:.0f} s for another run that is writing {self.path}; "
                "run again when it is done"
            ) from None
        except PermissionError as error:
            raise WarehouseError(
                f"cannot write {error.filename}; look at DUCKDB_PATH and DATA_DIR"
            ) from None

    @contextmanager
    def _connection(self) -> Iterator["duckdb.DuckDBPyConnection"]:
        with self.exclusive():
            con = _open(self.path, self._lock_seconds)
            try:
                # A fifth of the size, and faster to write than DuckDB's own choice for JSON text.
                con.execute("set force_compression = 'zstd'")
                con.execute("set preserve_insertion_order = false")
                con.execute("set timezone = 'UTC'")
                yield con
            finally:
                con.close()


def _open(path: Path, patience: float) -> "duckdb.DuckDBPyConnection":
    """Open the file, waiting while a process that does not know our lock has it open."""
    import duckdb

    give_up = time.monotonic() + min(patience, 30.0)
    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.IOException as error:
            reason = str(error).splitlines()[0]
            if "lock" not in reason or time.monotonic() > give_up:
                raise WarehouseError(
                    f"cannot open DUCKDB_PATH {path}: {reason}. Close other programs that use it"
                ) from None
            time.sleep(0.2)


def _load_batch(
    con: "duckdb.DuckDBPyConnection",
    lake: Lake,
    batch: Sequence[Manifest],
    load_id: str,
    report: LoadReport,
) -> None:
    """Replace a batch of hours in one transaction; if that fails, each hour in its own."""
    try:
        _replace(con, lake, batch, load_id)
    except (LakeError, ObjectError, _CountError) as error:
        if len(batch) == 1:
            report.errors.append(LoadError(batch[0].export_hour, str(error)))
            return
        for manifest in batch:
            _load_batch(con, lake, [manifest], load_id, report)
    else:
        report.replaced.extend(manifest.export_hour for manifest in batch)


def _replace(
    con: "duckdb.DuckDBPyConnection", lake: Lake, batch: Sequence[Manifest], load_id: str
) -> None:
    objects = [(manifest, item) for manifest in batch for item in manifest.objects]
    rejected = [(m, m.rejected) for m in batch if m.rejected is not None]
    constants: dict[str, object] = {
        "project_id": batch[0].project_id,
        "load_id": load_id,
        "loaded_at": datetime.now(UTC).replace(tzinfo=None),
    }
    project = {"project_id": batch[0].project_id}
    con.begin()
    try:
        con.register("incoming_hours", _hours_table(batch))
        _run_script(con, "delete_hours", project)
        _insert_lines(con, lake, "insert_events", objects, constants)
        _insert_lines(con, lake, "insert_rejected", rejected, project)
        con.execute(_script("insert_ledger"), constants)
        _check_counts(con, batch)
        con.commit()
    except BaseException:
        con.rollback()
        raise
    finally:
        for name in ("incoming_hours", "incoming_objects", "incoming_lines"):
            con.unregister(name)


def _insert_lines(
    con: "duckdb.DuckDBPyConnection",
    lake: Lake,
    script: str,
    objects: Sequence[tuple[Manifest, LakeObject]],
    parameters: Mapping[str, object],
) -> None:
    """Run an insert over the lines of objects. Raises what kept an object from being read."""
    import duckdb

    lines = LineReader(lake, [item for _, item in objects])
    con.register("incoming_objects", _objects_table(objects))
    con.register("incoming_lines", lines.batches)
    try:
        con.execute(_script(script), parameters)
    except duckdb.Error:
        if lines.error is not None:
            raise lines.error from None
        raise


class _CountError(Exception):
    """An object holds another number of lines than its manifest says."""


def _check_counts(con: "duckdb.DuckDBPyConnection", batch: Sequence[Manifest]) -> None:
    """Compare what is in bronze now with the manifests, before anything is committed."""
    rows = con.execute(_script("count_incoming"), {"project_id": batch[0].project_id}).fetchall()
    found = {_utc(hour): (events, rejected) for hour, events, rejected in rows}
    for manifest in batch:
        expected = (manifest.lines - manifest.rejected_lines, manifest.rejected_lines)
        if found[manifest.export_hour] != expected:
            raise _CountError(
                f"the manifest says {expected[0]} events and {expected[1]} rejected lines, its "
                f"objects hold {found[manifest.export_hour]}; materialise hourly_json_files and "
                "s3_event_objects for this hour again"
            )


def _batches(manifests: Sequence[Manifest]) -> Iterator[list[Manifest]]:
    """Group hours into transactions of bounded size, oldest first."""
    batch: list[Manifest] = []
    lines = 0
    for manifest in sorted(manifests, key=lambda manifest: manifest.export_hour):
        if batch and lines + manifest.lines > _TRANSACTION_LINES:
            yield batch
            batch, lines = [], 0
        batch.append(manifest)
        lines += manifest.lines
    if batch:
        yield batch


def _hours_table(batch: Sequence[Manifest]) -> pa.Table:
    rows = [
        {
            **manifest.model_dump(include={"status", "bytes", "lines", "rejected_lines", "digest"}),
            "objects": len(manifest.objects),
            "export_hour": _naive(manifest.export_hour),
            "fetched_at": _naive(manifest.fetched_at),
        }
        for manifest in batch
    ]
    return pa.Table.from_pylist(rows)


def _objects_table(objects: Sequence[tuple[Manifest, LakeObject]]) -> pa.Table:
    """Return what the lines' object numbers stand for."""
    return pa.table(
        {
            "object_number": pa.array(range(len(objects)), pa.int32()),
            "source_object": pa.array([item.key for _, item in objects], pa.string()),
            "export_hour": pa.array(
                [_naive(manifest.export_hour) for manifest, _ in objects], pa.timestamp("us")
            ),
        }
    )


def _held_digests(
    con: "duckdb.DuckDBPyConnection", project_id: int
) -> dict[datetime, tuple[str, str]]:
    rows = con.execute(
        "select export_hour, status, digest from bronze.export_hours where project_id = ?",
        [project_id],
    ).fetchall()
    return {_utc(hour): (status, digest) for hour, status, digest in rows}


def _has_silver(con: "duckdb.DuckDBPyConnection") -> bool:
    row = con.execute(
        "select count(*) from information_schema.tables "
        "where table_schema = 'silver' and table_name in ('events', 'event_duplicates')"
    ).fetchone()
    return row == (2,)


def _range_parameters(project_id: int, hours: HourRange) -> dict[str, object]:
    return {
        "project_id": project_id,
        "first_hour": _naive(hours.first),
        "last_hour": _naive(hours.last),
    }


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
    return (resources.files(__package__) / "sql" / "duckdb" / f"{name}.sql").read_text()


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _aware(value: Any) -> Any:
    """Give a value from a row its time zone back if it is a time."""
    return _utc(value) if isinstance(value, datetime) else value
