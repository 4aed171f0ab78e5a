"""Dagster's own SQLite files, with less work for each event, for a process that writes many.

Each file has one SQLAlchemy engine, where Dagster makes one for each event: it remembers the
statements that it has compiled, a third of what an event costs. And the events of many hours are
written in two transactions, where Dagster has two for each of them.

The names that are replaced here are Dagster's, whose version is pinned.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.sql import create_engine

if TYPE_CHECKING:
    from dagster import EventLogEntry
    from sqlalchemy import Engine

# Each run has a file of its own, and a long process many runs.
_MOST_ENGINES = 16
# Until they are written, other processes wait to write theirs.
_MOST_EVENTS = 100
_engines: dict[str, "Engine"] = {}


def keep_engines() -> None:
    """Have the storages of this process ask here for their engines."""
    for module in (sqlite_event_log, sqlite_run_storage):
        setattr(module, "create_engine", _engine_of)  # noqa: B010


def write_events_together() -> None:
    """Have Dagster hand the events of many hours over in batches, and write a batch at once.

    Dagster does both for its other storages, if the environment says so.
    """
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(_MOST_EVENTS))
    setattr(SqliteEventLogStorage, "store_event_batch", _store_event_batch)  # noqa: B010


def _engine_of(url: str, **options: Any) -> "Engine":
    """Return the engine of a file. Dagster's options are always the same, and ask for no pool."""
    engine = _engines.get(url)
    if engine is None:
        if len(_engines) >= _MOST_ENGINES:
            _engines.clear()
        engine = _engines[url] = create_engine(url, **options)
    return engine


def _store_event_batch(storage: SqliteEventLogStorage, events: Sequence["EventLogEntry"]) -> None:
    """Do what `store_event` does, for the events of a batch. They are of one run."""
    rows = [storage._event_to_row(event) for event in events]
    with storage.run_connection(events[0].run_id) as connection:
        connection.execute(SqlEventLogStorageTable.insert(), rows)

    insert = SqlEventLogStorageTable.insert().returning(
        SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
    )
    with storage.index_transaction() as connection:
        numbered = list(zip(connection.scalars(insert, rows), events, strict=True))
        of_assets = [pair for pair in numbered if pair[1].dagster_event_type in ASSET_EVENTS]
        if of_assets:
            ids, its_events = zip(*of_assets, strict=True)
            storage._store_asset_event_tags(connection, its_events, ids)
        # An asset's own row tells of its newest event.
        newest = {event.get_dagster_event().asset_key: (id_, event) for id_, event in of_assets}
        for id_, event in newest.values():
            storage._store_asset_event(connection, event, id_)

    for id_, event in numbered:
        if event.dagster_event_type in ASSET_CHECK_EVENTS:
            storage.store_asset_check_event(event, id_)
