"""Bronze and the ledger in Snowflake, loaded by Snowflake itself from a stage over the lake.

The loader names files, Snowflake fetches them: no line passes through this process. A batch of
hours is copied into a table of the session's own and counted there; only then one transaction
replaces the hours. So nothing rests on how COPY behaves in a transaction, nor on the load history
by which COPY skips files: it belongs to the session's table, and is forgotten with each batch.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from amplitude_assets.hours import HourRange
from amplitude_assets.lake.manifest import Manifest, objects_of
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.base import (
    HourCounts,
    LedgerRow,
    LoadReport,
    OnLoaded,
    PersonLines,
)
from amplitude_assets.warehouse.batches import (
    BatchLimits,
    HourDataError,
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
from amplitude_assets.warehouse.snowflake_errors import explain, is_fault_of_the_data
from amplitude_assets.warehouse.snowflake_session import (
    Connect,
    Session,
    open_session,
    statements_of,
)

# COPY takes at most this many names in FILES.
_FILES_A_COPY = 1000
_LIMITS = BatchLimits(lines=20_000_000, objects=_FILES_A_COPY)
_KEY = re.compile(r"[A-Za-z0-9._/-]+")


class SnowflakeWarehouse:
    """The `Warehouse` in a Snowflake database. Safe to use from several processes at once."""

    def __init__(self, connect: Connect, *, stage: str, place: str, run_id: str = "") -> None:
        """Use the connections that `connect` opens, to one database, with autocommit on.

        `stage` is the external stage over the lake's URL, as SQL writes it. `place` says where
        the tables are, for people; `run_id` goes into the query tag.
        """
        self._connect = connect
        self._stage = stage
        self._run_id = run_id
        self.place = place

    def load(
        self,
        lake: Lake,
        manifests: Sequence[Manifest],
        load_id: str,
        on_loaded: OnLoaded = lambda _hours, _lines: None,
    ) -> LoadReport:
        """See `Warehouse.load`. The lake is read by Snowflake, through the stage."""
        del lake
        if not manifests:
            return LoadReport()
        with open_session(self._connect) as session:
            session.make_tables()
            session.run("load_tables")
            held = session.rows("held_digests", {"project_id": manifests[0].project_id})
            query_ids: dict[datetime, str] = {}

            def replace(batch: Sequence[Manifest]) -> None:
                session.tag(self._tag(batch, load_id))
                query_id = _replace(session, self._stage, batch, load_id)
                query_ids.update((manifest.export_hour, query_id) for manifest in batch)
                on_loaded(0, sum(manifest.lines for manifest in batch))

            report = load_changed(
                manifests,
                {utc(hour): (status, digest) for hour, status, digest in held},
                _LIMITS,
                replace,
                on_loaded,
            )
            report.query_ids = query_ids
            return report

    def load_merges(self, lake: Lake, project_id: int) -> int:
        """See `Warehouse.load_merges`."""
        found = merge_keys(lake, project_id)
        if not found:
            return 0
        project = {"project_id": project_id}
        with open_session(self._connect) as session:
            session.make_tables()
            new = sorted(found - {key for (key,) in session.rows("held_merges", project)})
            if new:
                session.run("load_tables")
                with data_faults_explained("no merge file was loaded"):
                    copy_lines(session, self._stage, new)
                names = [name for name, _ in session.rows("count_lines")]
                session.insert("insert_incoming_objects", _merge_rows(new, names))
                load = {**project, "loaded_at": naive(datetime.now(UTC))}
                with session.transaction():
                    session.run("insert_merges", load)
        return len(new)

    def ledger(self, project_id: int, hours: HourRange) -> dict[datetime, LedgerRow]:
        """See `Warehouse.ledger`."""
        with open_session(self._connect) as session:
            if not session.has_tables():
                return {}
            rows = session.rows("ledger", range_parameters(project_id, hours))
        return {utc(row[0]): LedgerRow(*map(aware, row)) for row in rows}

    def counts(self, project_id: int, hours: HourRange) -> list[HourCounts]:
        """See `Warehouse.counts`."""
        with open_session(self._connect) as session:
            if not session.has_tables():
                return []
            script = "counts" if session.rows("silver_tables") == [(2,)] else "bronze_counts"
            rows = session.rows(script, range_parameters(project_id, hours))
        return [HourCounts(*map(aware, row)) for row in rows]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """See `Warehouse.query`."""
        with open_session(self._connect) as session:
            return session.fetch(sql)

    def sha256(self, text: str) -> str:
        """See `Warehouse.sha256`."""
        return f"sha2({text}, 256)"

    def lines_of_people(self, project_id: int, digests: Collection[str]) -> list[PersonLines]:
        """See `Warehouse.lines_of_people`."""
        (statement,) = statements_of("lines_of_people")
        with open_session(self._connect) as session:
            if not session.has_tables():
                return []
            sql = statement.replace("{digests}", quoted(digests))
            rows = session.fetch(sql, {"project_id": project_id})
        return [PersonLines(*map(aware, row)) for row in rows]

    def drop_merges(self, project_id: int, keys: Collection[str]) -> None:
        """See `Warehouse.drop_merges`."""
        with open_session(self._connect) as session:
            for key in keys:
                session.run("delete_merges", {"project_id": project_id, "source_object": key})

    def exclusive(self) -> AbstractContextManager[None]:
        """See `Warehouse.exclusive`: Snowflake takes many writers, so there is nothing to hold."""
        return nullcontext()

    def compact(self) -> None:
        """See `Warehouse.compact`: Snowflake does it by itself."""

    def rewrite(self) -> None:
        """See `Warehouse.rewrite`: Time Travel and Fail-safe end by themselves, and not sooner."""

    def _tag(self, batch: Sequence[Manifest], load_id: str) -> str:
        """Return what Snowflake's query history shows beside each statement of a batch."""
        hours = [manifest.export_hour for manifest in batch]
        return json.dumps(
            {
                "application": "amplitude-assets",
                "asset": "bronze/raw_events",
                "run_id": self._run_id,
                "load_id": load_id,
                "project_id": batch[0].project_id,
                "hours": str(HourRange(min(hours), max(hours))),
                "hour_count": len(hours),
            }
        )


def _replace(session: Session, stage: str, batch: Sequence[Manifest], load_id: str) -> str:
    """Make bronze hold a batch, and return the id of the query that wrote its events."""
    session.run("empty_load_tables")
    copy_lines(session, stage, [item.key for manifest in batch for item in objects_of(manifest)])
    files = _files_by_key(session.rows("count_lines"), batch)
    session.insert("insert_incoming_objects", _object_rows(batch, files))
    session.insert("insert_incoming_hours", hour_rows(batch))
    project = {"project_id": batch[0].project_id}
    load = {**project, "load_id": load_id, "loaded_at": naive(datetime.now(UTC))}
    with session.transaction():
        session.run("delete_hours", project)
        query_id = session.run("insert_events", load)
        session.run("insert_rejected", project)
        session.run("insert_ledger", load)
        check_counts(batch, session.rows("count_incoming", project))
    return query_id


def copy_lines(session: Session, stage: str, keys: Sequence[str]) -> None:
    """Copy every line of some objects into the session's table. Raises HourDataError."""
    from snowflake.connector.errors import ProgrammingError

    for key in keys:
        if not _KEY.fullmatch(key):
            raise HourDataError(f"{key!r} has signs in it that no key of ours has")
    (statement,) = statements_of("copy_lines")
    for first in range(0, len(keys), _FILES_A_COPY):
        names = ", ".join(f"'{key}'" for key in keys[first : first + _FILES_A_COPY])
        try:
            session.execute(statement.replace("{stage}", stage).replace("{files}", names))
        except ProgrammingError as error:
            if is_fault_of_the_data(error):
                raise HourDataError(explain(error)) from None
            raise


def _files_by_key(counts: Sequence[tuple[str, int]], batch: Sequence[Manifest]) -> dict[str, str]:
    """Return the stage's name of each object, once each holds the lines that its manifest says.

    Snowflake names a file by its path in the bucket, the manifest by its key in the lake, which is
    the end of that path. Raises HourDataError.
    """
    expected = {item.key: item.lines for manifest in batch for item in objects_of(manifest)}
    names = _names_by_key(expected, [name for name, _ in counts])
    copied = {key: dict(counts)[name] for key, name in names.items()}
    for key, lines in expected.items():
        if copied.get(key, 0) != lines:
            raise HourDataError(
                f"the manifest says that {key} holds {lines} lines, Snowflake found "
                f"{copied.get(key, 0)}; "
                "materialise hourly_json_files and s3_event_objects for this hour again"
            )
    return names


def _names_by_key(keys: Collection[str], names: Iterable[str]) -> dict[str, str]:
    """Return for each key the path in the bucket that ends with it."""
    found = {next((end for end in _ends(name) if end in keys), ""): name for name in names}
    return {key: name for key, name in found.items() if key}


def _ends(name: str) -> Iterator[str]:
    """Yield a path, and it without its first part, its first two, and so on."""
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
