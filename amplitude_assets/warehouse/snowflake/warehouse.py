"""The `Warehouse` interface on Snowflake, which loads from an external stage over the lake.

No line passes through this process: COPY reads the files that the loader names. Each batch of
hours is copied into temporary tables and counted there; then one transaction replaces the hours.
So the result depends neither on COPY's behaviour in a transaction nor on the load history by
which COPY skips files: that history belongs to the temporary table, and truncating clears it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from typing import Any

from amplitude_assets.hours import HourRange
from amplitude_assets.lake.manifest import Manifest, objects_of
from amplitude_assets.lake.merges import merge_keys
from amplitude_assets.lake.store import Lake
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
    HourDataError,
    check_counts,
    check_no_hours_left,
    data_errors_as_warehouse_errors,
    held_hours,
    load_changed,
)
from amplitude_assets.warehouse.rows import (
    aware,
    hour_rows,
    naive,
    quoted,
    range_parameters,
    utc,
)
from amplitude_assets.warehouse.snowflake.errors import explain, is_data_error
from amplitude_assets.warehouse.snowflake.query_tag import TagFields, command_fields, query_tag
from amplitude_assets.warehouse.snowflake.session import (
    Connect,
    Session,
    open_session,
    statements_of,
)

# The warehouse that `bootstrap snowflake` creates for readers of gold.
READER_WAREHOUSE = "AMPLITUDE_READER_WH"
# COPY takes at most this many names in FILES.
_FILES_A_COPY = 1000
_LIMITS = BatchLimits(lines=20_000_000, objects=_FILES_A_COPY)
_KEY = re.compile(r"[A-Za-z0-9._/-]+")


class SnowflakeWarehouse:
    """A `Warehouse` in a Snowflake database that several processes can use concurrently."""

    def __init__(
        self,
        connect: Connect,
        *,
        stage: str,
        place: str,
        rebuild_warehouse: str | None = None,
        fields: TagFields = command_fields,
    ) -> None:
        """Use the connections that `connect` opens to one database, with autocommit on.

        `stage` is the SQL name of the external stage over the lake's URL. `place` describes the
        location of the tables for messages, `rebuild_warehouse` is the virtual warehouse of full
        rebuilds if they have their own; `fields` describe each session in its query tag.
        """
        self._connect = connect
        self._stage = stage
        self._rebuild_warehouse = rebuild_warehouse
        self._fields = fields
        self.place = place

    def load(
        self,
        lake: Lake,
        manifests: Sequence[Manifest],
        load_id: str,
        on_loaded: OnLoaded = lambda _hours, _lines: None,
    ) -> LoadReport:
        """See `Warehouse.load`. Snowflake reads the lake through the stage."""
        del lake
        if not manifests:
            return LoadReport()
        hours = [manifest.export_hour for manifest in manifests]
        with self._session(HourRange(min(hours), max(hours))) as session:
            session.make_tables()
            session.run("load_tables")
            project = {"project_id": manifests[0].project_id}
            query_ids: dict[datetime, str] = {}

            def replace(batch: Sequence[Manifest]) -> None:
                query_id = _replace(session, self._stage, batch, load_id)
                query_ids.update((manifest.export_hour, query_id) for manifest in batch)
                on_loaded(0, sum(manifest.lines for manifest in batch))

            def update_ledger(rows: Sequence[Mapping[str, object]]) -> None:
                session.run("empty_load_tables")
                session.insert("insert_incoming_hours", rows)
                session.run("update_ledger", project)

            bronze = BronzeHours(
                held=lambda: held_hours(session.rows("held_hours", project)),
                replace=replace,
                update_ledger=update_ledger,
            )
            report = load_changed(manifests, bronze, _LIMITS, on_loaded)
            report.query_ids = query_ids
            return report

    def load_merges(self, lake: Lake, project_id: int) -> int:
        """See `Warehouse.load_merges`."""
        found = merge_keys(lake, project_id)
        if not found:
            return 0
        project = {"project_id": project_id}
        with self._session() as session:
            session.make_tables()
            new = sorted(found - {key for (key,) in session.rows("held_merges", project)})
            if new:
                session.run("load_tables")
                with data_errors_as_warehouse_errors("no merge file was loaded"):
                    copy_lines(session, self._stage, new)
                names = [name for name, _ in session.rows("count_lines")]
                session.insert("insert_incoming_objects", _merge_rows(new, names))
                load = {**project, "loaded_at": naive(datetime.now(UTC))}
                with session.transaction():
                    session.run("insert_merges", load)
        return len(new)

    def ledger(self, project_id: int, hours: HourRange) -> dict[datetime, LedgerRow]:
        """See `Warehouse.ledger`."""
        with self._session(hours) as session:
            if not session.has_tables():
                return {}
            rows = session.rows("ledger", range_parameters(project_id, hours))
        return {utc(row[0]): LedgerRow(*map(aware, row)) for row in rows}

    def counts(self, project_id: int, hours: HourRange) -> list[HourCounts]:
        """See `Warehouse.counts`."""
        with self._session(hours) as session:
            if not session.has_tables():
                return []
            script = "counts" if session.rows("silver_tables") == [(4,)] else "bronze_counts"
            rows = session.rows(script, range_parameters(project_id, hours))
        return [HourCounts(*map(aware, row)) for row in rows]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """See `Warehouse.query`."""
        with self._session() as session:
            return session.fetch(sql)

    def sha256(self, text: str) -> str:
        """See `Warehouse.sha256`."""
        return f"sha2({text}, 256)"

    def lines_of_people(self, project_id: int, digests: Collection[str]) -> list[PersonLines]:
        """See `Warehouse.lines_of_people`."""
        (statement,) = statements_of("lines_of_people")
        with self._session() as session:
            if not session.has_tables():
                return []
            sql = statement.replace("{digests}", quoted(digests))
            rows = session.fetch(sql, {"project_id": project_id})
        return [PersonLines(*map(aware, row)) for row in rows]

    def drop_merges(self, project_id: int, keys: Collection[str]) -> None:
        """See `Warehouse.drop_merges`."""
        with self._session() as session:
            for key in keys:
                session.run("delete_merges", {"project_id": project_id, "source_object": key})

    def costs(self, first: date) -> list[Cost] | None:
        """See `Warehouse.costs`: of the session's warehouse and those for readers and rebuilds.

        Snowflake's account usage lags: statements by up to 45 minutes, metering by up to 3 hours.
        """
        with self._session() as session:
            ((warehouse,),) = session.fetch("select current_warehouse()")
            among = {
                "first": first,
                "pipeline": warehouse,
                "reader": READER_WAREHOUSE,
                "rebuild": (self._rebuild_warehouse or warehouse).upper(),
            }
            return [Cost(*row) for row in session.rows("costs", among)]

    def exclusive(self) -> AbstractContextManager[None]:
        """See `Warehouse.exclusive`: Snowflake allows concurrent writers, so there is no lock."""
        return nullcontext()

    def compact(self) -> None:
        """See `Warehouse.compact`: Snowflake does it automatically."""

    def rewrite(self) -> None:
        """See `Warehouse.rewrite`: deleted rows leave Time Travel and Fail-safe only by expiry."""

    def _session(self, hours: HourRange | None = None) -> AbstractContextManager[Session]:
        """Open a session; its query tag has `hours` if the run has none of its own."""
        fields = {"hours": str(hours or ""), **self._fields()}
        return open_session(self._connect, query_tag(fields))


def _replace(session: Session, stage: str, batch: Sequence[Manifest], load_id: str) -> str:
    """Replace a batch of hours in bronze, and return the id of the query that wrote its events."""
    session.run("empty_load_tables")
    copy_lines(session, stage, [item.key for manifest in batch for item in objects_of(manifest)])
    files = _files_by_key(session.rows("count_lines"), batch)
    session.insert("insert_incoming_objects", _object_rows(batch, files))
    session.insert("insert_incoming_hours", hour_rows(batch))
    project = {"project_id": batch[0].project_id}
    load = {**project, "load_id": load_id, "loaded_at": naive(datetime.now(UTC))}
    with session.transaction():
        # The deletes wait for a concurrent load's transaction: remaining hours are those that it
        # has committed.
        session.run("delete_hours", project)
        check_no_hours_left(session.rows("hours_left", project))
        query_id = session.run("insert_events", load)
        session.run("insert_rejected", project)
        session.run("insert_ledger", load)
        check_counts(batch, session.rows("count_incoming", project))
    return query_id


def copy_lines(session: Session, stage: str, keys: Sequence[str]) -> None:
    """Copy all lines of these objects into the session's temporary table. Raises HourDataError."""
    from snowflake.connector.errors import ProgrammingError

    for key in keys:
        if not _KEY.fullmatch(key):
            raise HourDataError(f"key {key!r} contains characters outside [A-Za-z0-9._/-]")
    (statement,) = statements_of("copy_lines")
    for first in range(0, len(keys), _FILES_A_COPY):
        names = ", ".join(f"'{key}'" for key in keys[first : first + _FILES_A_COPY])
        try:
            session.execute(statement.replace("{stage}", stage).replace("{files}", names))
        except ProgrammingError as error:
            if is_data_error(error):
                raise HourDataError(explain(error)) from None
            raise


def _files_by_key(counts: Sequence[tuple[str, int]], batch: Sequence[Manifest]) -> dict[str, str]:
    """Return the staged file name of each key, after comparing line counts with the manifests.

    Snowflake names a file by its path in the bucket, which ends with the object's key in the lake.
    Raises HourDataError when counts differ.
    """
    expected = {item.key: item.lines for manifest in batch for item in objects_of(manifest)}
    names = _names_by_key(expected, [name for name, _ in counts])
    copied = {key: dict(counts)[name] for key, name in names.items()}
    for key, lines in expected.items():
        if copied.get(key, 0) != lines:
            raise HourDataError(
                f"the manifest says that {key} has {lines} lines, Snowflake read "
                f"{copied.get(key, 0)}; download the hour again with amplitude-assets run"
            )
    return names


def _names_by_key(keys: Collection[str], names: Iterable[str]) -> dict[str, str]:
    """Return the path in the bucket that ends with each key, by key."""
    found = {next((end for end in _suffixes(name) if end in keys), ""): name for name in names}
    return {key: name for key, name in found.items() if key}


def _suffixes(name: str) -> Iterator[str]:
    """Yield a path, then the path without its first segment, without its first two, and so on."""
    parts = name.split("/")
    return ("/".join(parts[place:]) for place in range(len(parts)))


def _object_rows(batch: Sequence[Manifest], files: Mapping[str, str]) -> list[dict[str, object]]:
    return [
        {
            "source_file": files[item.key],
            "source_object": item.key,
            "export_hour": naive(manifest.export_hour),
            "is_rejected": item == manifest.rejected,
        }
        for manifest in batch
        for item in objects_of(manifest)
    ]


def _merge_rows(keys: Collection[str], names: Iterable[str]) -> list[dict[str, object]]:
    return [
        {"source_file": name, "source_object": key, "export_hour": None, "is_rejected": False}
        for key, name in _names_by_key(set(keys), names).items()
    ]
