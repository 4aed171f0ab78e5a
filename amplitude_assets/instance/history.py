"""Delete old runs from Dagster's SQL tables, and keep the newest record of each hour and check.

Private API: the tables of Dagster's event log, whose version is pinned. Gain: a run takes 15.9 MB
on its first day, 1.4 MB until it is deleted and 0.02 MB after that (docs/operations.md, "Disk usage
of the run history"). The public `DagsterInstance.delete_run` would replace this if it kept the
newest materialization of each partition: it deletes them too, the hours disappear from the grid of
partitions, and the sensor `new_hours` loads them again.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.execution.backfill import (
    BULK_ACTION_TERMINAL_STATUSES,
    BulkActionsFilter,
    BulkActionStatus,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks
from dagster._core.storage.event_log.schema import AssetEventTagsTable as Tags
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.tags import BACKFILL_ID_TAG
from sqlalchemy import Connection, and_, func, select

_RUNS_AT_ONCE = 100

_SUCCESS = DagsterRunStatus.SUCCESS
_ENDED = [_SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_UNFINISHED = [one for one in BulkActionStatus if one not in BULK_ACTION_TERMINAL_STATUSES]
_EVALUATED = [
    AssetCheckExecutionRecordStatus.SUCCEEDED.value,
    AssetCheckExecutionRecordStatus.FAILED.value,
]
_KEPT = [
    DagsterEventType.ASSET_MATERIALIZATION.value,
    DagsterEventType.ASSET_OBSERVATION.value,
]
# Other events of a successful run contain the same facts, and these are half of its log.
_REPEATED = [
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
    DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED.value,
    DagsterEventType.STEP_OUTPUT.value,
]
# The index of all runs also stores evaluations in a table of their own.
_REPEATED_IN_INDEX = [*_REPEATED, DagsterEventType.ASSET_CHECK_EVALUATION.value]


def delete_runs(instance: DagsterInstance, before: datetime) -> int:
    """Delete runs that ended and ticks that ran before a time (aware); return the number of runs.

    The newest materialization and observation of each partition and the newest evaluation of each
    check stay. Runs of an unfinished backfill are kept. Returns 0 for a storage without SQL tables,
    which has its own retention.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    old = _ended_runs(instance, RunsFilter(statuses=_ENDED, updated_before=before))
    for runs in _parts(old):
        with storage.index_connection() as index:
            _delete_all_but_the_newest(index, runs)
        for run in runs:
            if isinstance(storage, SqliteEventLogStorage):
                _delete_file(Path(storage.path_for_shard(run)))
            instance.compute_log_manager.delete_logs(prefix=[run])
            # Last, so that a failure before this line leaves the run to the next attempt.
            instance.run_storage.delete_run(run)
    if instance.schedule_storage is not None:  # an instance in memory has none
        for state in instance.all_instigator_state():
            instance.purge_ticks(
                state.instigator_origin_id, state.selector_id, before=before.timestamp()
            )
    return len(old)


def shorten_runs(instance: DagsterInstance, since: datetime | None, before: datetime) -> None:
    """Delete the redundant events of successful runs that ended between two times (aware).

    Without `since`, all earlier runs are included. Does nothing for a storage other than SQLite.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        return
    ended = RunsFilter(statuses=[_SUCCESS], updated_after=since, updated_before=before)
    for runs in _parts(_ended_runs(instance, ended)):
        _shorten_index(storage, runs)
        for run in runs:
            path = Path(storage.path_for_shard(run))
            if path.exists():  # opening a missing SQLite file would create it
                _shorten_log(path)


def _ended_runs(instance: DagsterInstance, which: RunsFilter) -> list[str]:
    backfills = instance.get_backfills(filters=BulkActionsFilter(statuses=_UNFINISHED))
    needed = {backfill.backfill_id for backfill in backfills}
    return [
        run.run_id
        for run in instance.get_runs(which)
        if run.tags.get(BACKFILL_ID_TAG) not in needed
    ]


def _delete_all_but_the_newest(index: Connection, runs: Sequence[str]) -> None:
    newest = (
        select(func.max(Events.c.id))
        .where(Events.c.dagster_event_type.in_(_KEPT))
        .group_by(Events.c.dagster_event_type, Events.c.asset_key, Events.c.partition)
    )
    old = select(Events.c.id).where(Events.c.run_id.in_(runs), Events.c.id.not_in(newest))
    index.execute(Tags.delete().where(Tags.c.event_id.in_(old)))
    index.execute(Events.delete().where(Events.c.id.in_(old)))
    evaluated = (
        select(func.max(Checks.c.id))
        .where(Checks.c.execution_status.in_(_EVALUATED))
        .group_by(Checks.c.asset_key, Checks.c.check_name, Checks.c.partition)
    )
    index.execute(
        Checks.delete().where(and_(Checks.c.run_id.in_(runs), Checks.c.id.not_in(evaluated)))
    )


def _shorten_index(storage: SqliteEventLogStorage, runs: Sequence[str]) -> None:
    with storage.index_connection() as index:
        index.execute(
            Events.delete().where(
                Events.c.run_id.in_(runs), Events.c.dagster_event_type.in_(_REPEATED_IN_INDEX)
            )
        )
        of_each_day = (
            select(func.max(Checks.c.id))
            .where(Checks.c.execution_status.in_(_EVALUATED))
            .group_by(
                Checks.c.asset_key,
                Checks.c.check_name,
                Checks.c.partition,
                func.date(Checks.c.evaluation_event_timestamp),
            )
        )
        index.execute(
            Checks.delete().where(
                Checks.c.run_id.in_(runs),
                Checks.c.execution_status != AssetCheckExecutionRecordStatus.FAILED.value,
                Checks.c.id.not_in(of_each_day),
            )
        )


def _shorten_log(log: Path) -> None:
    """Delete the redundant events and the passed checks from a run's own log."""
    marks = ", ".join("?" * len(_REPEATED))
    with closing(sqlite3.connect(log, isolation_level=None)) as con:
        con.execute(f"delete from event_logs where dagster_event_type in ({marks})", _REPEATED)  # noqa: S608
        con.execute(
            "delete from event_logs where dagster_event_type = ? "
            "and json_extract(event, '$.dagster_event.event_specific_data.success')",
            (DagsterEventType.ASSET_CHECK_EVALUATION.value,),
        )
        con.execute("vacuum")


def _delete_file(log: Path) -> None:
    for beside in ("", "-journal", "-wal", "-shm"):
        log.with_name(f"{log.name}{beside}").unlink(missing_ok=True)


def _parts(runs: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(runs), _RUNS_AT_ONCE):
        yield runs[start : start + _RUNS_AT_ONCE]
