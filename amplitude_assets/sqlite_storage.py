"""Dagster's own SQLite files, with less work for each event, for the processes that write many.

Each file has one SQLAlchemy engine, where Dagster makes one for each event: it remembers the
statements that it has compiled, a third of what an event costs. The files that all runs share stay
open: whenever the last connection closes, SQLite moves its log into the file. And the events of
many hours are written in two transactions, where Dagster has two for each of them.

`dagster.yaml` names `BatchingInstance`. What is overridden here is Dagster's, whose version is
pinned.
"""

import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import DagsterInstance, Field
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
    from sqlalchemy import Connection, Engine

_WAIT_FOR_OTHERS = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
# Each run has a file of its own, and a long process many runs.
_MOST_ENGINES = 16
# Until they are written, other processes wait to write theirs.
_MOST_EVENTS = 100


class BatchingInstance(DagsterInstance):
    """Dagster's instance, which hands the events of many hours to its storage in batches.

    The storage is `BatchingStorage`, where its configuration names no other.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        """Take what Dagster's takes, which goes by the environment."""
        super().__init__(*args, **named)
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(_MOST_EVENTS))

    @classmethod
    def config_schema(cls) -> Mapping[str, Field]:
        """Return what may be configured besides what Dagster knows: nothing."""
        return {}

    @classmethod
    def config_defaults(cls, base_dir: str) -> Mapping[str, ConfigurableClassData | None]:
        """Return what an instance under `base_dir` is made of by default."""
        config = json.dumps({"base_dir": base_dir})  # JSON is YAML too
        storage = ConfigurableClassData(__name__, BatchingStorage.__name__, config)
        return {**InstanceRef.config_defaults(base_dir), "storage": storage}


class BatchingStorage(DagsterSqliteStorage):
    """Dagster's storage in SQLite, in the same files."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the files under `base_dir`, which is `DAGSTER_HOME`, or make them."""
        super().__init__(base_dir, inst_data)
        history = Path(base_dir) / "history"
        self._run_storage = OpenRunStorage.from_local(str(history))
        self._event_log_storage = BatchingEventLogStorage(str(history / "runs"))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "BatchingStorage":
        """Return what an instance's configuration describes; Dagster calls this."""
        return cls(inst_data=inst_data, **config_value)


class OpenRunStorage(SqliteRunStorage):
    """Dagster's runs, in a file that stays open."""

    @cached_property
    def _engine(self) -> "Engine":
        return _engine_that_stays_open(self._conn_string)

    @contextmanager
    def connect(self) -> Generator["Connection", None, None]:
        """Lend a connection for a transaction."""
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        super().dispose()
        self._engine.dispose()


class BatchingEventLogStorage(SqliteEventLogStorage):
    """Dagster's events, in a file for each run and an index of all, which stays open."""

    @cached_property
    def _index(self) -> "Engine":
        return _engine_that_stays_open(self.conn_string_for_shard(INDEX_SHARD_NAME))

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
        """Do what `store_event` does, for the events of a batch. They are of one run."""
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
                ids, its_events = zip(*of_assets, strict=True)
                self._store_asset_event_tags(connection, its_events, ids)
            # An asset's own row tells of its newest event.
            newest = {event.get_dagster_event().asset_key: (id_, event) for id_, event in of_assets}
            for id_, event in newest.values():
                self._store_asset_event(connection, event, id_)

        for id_, event in numbered:
            if event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, id_)


def _engine_that_stays_open(url: str) -> "Engine":
    """Return an engine that keeps the connections that it has made, however many at once."""
    return create_engine(url, connect_args=_WAIT_FOR_OTHERS, max_overflow=-1)


@lru_cache(_MOST_ENGINES)
def _engine_of_run(url: str) -> "Engine":
    return create_engine(url, connect_args=_WAIT_FOR_OTHERS, poolclass=NullPool)
