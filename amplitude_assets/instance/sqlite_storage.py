"""Write Dagster's events to its own SQLite files in batches, over connections that stay open.

Private API, of a pinned version. Gain: 720 near-empty hours took 18 s in place of 77
(docs/performance.md, "What helped"): one SQLAlchemy engine per file keeps its compiled statements,
an open connection keeps SQLite from moving its log into the file after every event, and the events
of up to 100 hours share two transactions. The public API that replaces this is Dagster's own
storage in the same files, which is used when `dagster.yaml` names no `instance_class`.
"""

import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import DagsterEventType, DagsterInstance, Field
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import NullPool, create_engine

if TYPE_CHECKING:
    from dagster import EventLogEntry
    from dagster._core.events import DagsterEventBatchMetadata
    from sqlalchemy import Connection, Engine

_WAIT_FOR_OTHERS = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
# Each run has its own file, and a long process executes many runs.
_MOST_ENGINES = 16
# Other processes cannot write while a batch is being written.
_MOST_EVENTS = 100
# The events that an asset's Events tab lists, one row per run and millisecond.
_LISTED_EVENTS = {DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_OBSERVATION}


class BatchingInstance(DagsterInstance):
    """Dagster's instance, which sends the events of many hours to its storage in batches.

    The hours of a batch get timestamps one millisecond apart, in order, because Dagster's UI shows
    one row per run and millisecond. The storage is `BatchingStorage` unless `dagster.yaml` names
    another.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        """Take the arguments of Dagster's class, and set its batch size in the environment."""
        super().__init__(*args, **named)
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(_MOST_EVENTS))
        self._newest_run, self._newest_millisecond = "", 0

    def handle_new_event(
        self, event: "EventLogEntry", *, batch_metadata: "DagsterEventBatchMetadata | None" = None
    ) -> None:
        """Store an event as Dagster does, with a unique timestamp if an Events tab lists it."""
        super().handle_new_event(self._with_unique_time(event), batch_metadata=batch_metadata)

    def _with_unique_time(self, event: "EventLogEntry") -> "EventLogEntry":
        """Return the event, with a later timestamp if it does not follow the run's last event."""
        if event.run_id != self._newest_run:
            self._newest_run, self._newest_millisecond = event.run_id, 0
        earliest = self._newest_millisecond + (event.dagster_event_type in _LISTED_EVENTS)
        millisecond = int(event.timestamp * 1000)
        self._newest_millisecond = max(millisecond, earliest)
        if millisecond >= earliest:
            return event
        # The half millisecond absorbs the rounding error of the float.
        return event._replace(timestamp=(earliest + 0.5) / 1000)

    @classmethod
    def config_schema(cls) -> Mapping[str, Field]:
        """Return the additional configuration fields: none."""
        return {}

    @classmethod
    def config_defaults(cls, base_dir: str) -> Mapping[str, ConfigurableClassData | None]:
        """Return the default components of an instance under `base_dir`."""
        config = json.dumps({"base_dir": base_dir})  # JSON is YAML too
        storage = ConfigurableClassData(__name__, BatchingStorage.__name__, config)
        return {**InstanceRef.config_defaults(base_dir), "storage": storage}


class BatchingStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage over the same files, with the run and event storages below."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open or create the files under `base_dir`, which is `DAGSTER_HOME`."""
        super().__init__(base_dir, inst_data)
        history = Path(base_dir) / "history"
        self._run_storage = OpenRunStorage.from_local(str(history))
        self._event_log_storage = BatchingEventLogStorage(str(history / "runs"))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "BatchingStorage":
        """Create the object from an instance's configuration; Dagster calls this."""
        return cls(inst_data=inst_data, **config_value)


class OpenRunStorage(SqliteRunStorage):
    """Dagster's run storage over a file that stays open."""

    @cached_property
    def _engine(self) -> "Engine":
        return _pooled_engine(self._conn_string)

    @contextmanager
    def connect(self) -> Generator["Connection", None, None]:
        """Yield a connection in a transaction."""
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        super().dispose()
        self._engine.dispose()


class BatchingEventLogStorage(SqliteEventLogStorage):
    """Dagster's event storage: one file per run, and an index of all runs that stays open."""

    @cached_property
    def _index(self) -> "Engine":
        return _pooled_engine(self.conn_string_for_shard(INDEX_SHARD_NAME))

    @contextmanager
    def _connect(self, shard: str) -> Generator["Connection", None, None]:
        with self._db_lock:
            is_index = shard == INDEX_SHARD_NAME
            engine = self._index if is_index else _engine_of_run(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def dispose(self) -> None:
        """Close the index."""
        super().dispose()
        self._index.dispose()

    def store_event_batch(self, events: Sequence["EventLogEntry"]) -> None:
        """Store a batch of events of one run with the same result as `store_event` for each."""
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)

        insert = SqlEventLogStorageTable.insert().returning(
            SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
        )
        with self.index_transaction() as connection:
            numbered = list(zip(connection.scalars(insert, rows), events, strict=True))
            of_assets = [pair for pair in numbered if pair[1].dagster_event_type in ASSET_EVENTS]
            if of_assets:
                ids, asset_events = zip(*of_assets, strict=True)
                self._store_asset_event_tags(connection, asset_events, ids)
            # The row of an asset names its newest event only.
            newest = {event.get_dagster_event().asset_key: (id_, event) for id_, event in of_assets}
            for id_, event in newest.values():
                self._store_asset_event(connection, event, id_)

        for id_, event in numbered:
            if event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, id_)


def _pooled_engine(url: str) -> "Engine":
    """Return an engine that keeps every connection that it has opened."""
    return create_engine(url, connect_args=_WAIT_FOR_OTHERS, max_overflow=-1)


@lru_cache(_MOST_ENGINES)
def _engine_of_run(url: str) -> "Engine":
    return create_engine(url, connect_args=_WAIT_FOR_OTHERS, poolclass=NullPool)
