"""Queries on Dagster's instance for the sensors: runs, materializations, check evaluations."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetKey,
    AssetRecordsFilter,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    EventLogRecord,
    RunsFilter,
)

from amplitude_assets.assets.keys import HOURLY_ASSETS
from amplitude_assets.automation.jobs import HOURS_JOB, MAIN_JOB, MODELS_JOB
from amplitude_assets.automation.models_follow import FollowMemory
from amplitude_assets.checks.hours_to_reload import (
    IN_QUESTION,
    LOST_HOURS_CHECKS,
    lost_in,
    to_recheck_in,
)
from amplitude_assets.hours import hour_of_partition

_ACTIVE = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
_PAGE = 200
_RECENT_BACKFILLS = 20
_RECENT_CHECKS = 10
_MOST_CHANGES = 1000


def stages_of(run: DagsterRun) -> list[AssetKey]:
    """Return the hourly assets of a run, in the order in which it materializes them."""
    if run.asset_selection:
        return [stage for stage in HOURLY_ASSETS if stage in run.asset_selection]
    return list(HOURLY_ASSETS) if run.job_name in (HOURS_JOB, MAIN_JOB) else []


def active_runs(instance: DagsterInstance) -> Sequence[DagsterRun]:
    """Return the queued and active runs."""
    return instance.get_runs(RunsFilter(statuses=_ACTIVE))


def count_covering(runs: Sequence[DagsterRun], asset: AssetKey) -> int:
    """Count the runs that materialize an asset."""
    return sum(_covers(run, asset) for run in runs)


def _covers(run: DagsterRun, asset: AssetKey) -> bool:
    if run.asset_selection:
        return asset in run.asset_selection
    return run.job_name in (MAIN_JOB, HOURS_JOB if asset in HOURLY_ASSETS else MODELS_JOB)


def count_backfills(instance: DagsterInstance, asset: AssetKey) -> int:
    """Count the active backfills that include an asset; they may have no run at the moment."""
    return sum(
        backfill.status.value == "REQUESTED" and asset in (backfill.asset_selection or [asset])
        for backfill in instance.get_backfills(limit=_RECENT_BACKFILLS)
    )


def lost_hours(instance: DagsterInstance) -> set[datetime]:
    """Return the hours that the newest check evaluations report as lost."""
    return {
        hour
        for check in LOST_HOURS_CHECKS
        for evaluation in newest_evaluations(instance, check)[:1]
        for hour in lost_in(evaluation.metadata)
    }


def hours_listed_for_recheck(instance: DagsterInstance) -> set[datetime]:
    """Return the hours that the newest `no_hour_is_in_question` lists for a re-check."""
    return {
        hour
        for evaluation in newest_evaluations(instance, IN_QUESTION)[:1]
        for hour in to_recheck_in(evaluation.metadata)
    }


def newest_evaluations(
    instance: DagsterInstance, check: AssetCheckKey
) -> list[AssetCheckEvaluation]:
    """Return a check's finished evaluations, newest first, among its ten newest executions."""
    history = instance.event_log_storage.get_asset_check_execution_history(check, _RECENT_CHECKS)
    events = (record.event.dagster_event for record in history if record.event is not None)
    return [
        event.asset_check_evaluation_data
        for event in events
        if event is not None and event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
    ]


def oldest_materialisation(
    instance: DagsterInstance, assets: Sequence[AssetKey]
) -> tuple[int, datetime | None]:
    """Return the storage id and the time of the oldest among the assets' newest materializations.

    0 and None if an asset has none. Ids follow the order in which the instance stored the
    materializations; the time is in UTC.
    """
    newest = {
        record.asset_entry.asset_key: record.asset_entry.last_materialization_record
        for record in instance.get_asset_records(assets)
    }
    records = [record for asset in assets if (record := newest.get(asset)) is not None]
    if not records or len(records) < len(assets):
        return 0, None
    oldest = min(records, key=lambda record: record.storage_id)
    return oldest.storage_id, datetime.fromtimestamp(oldest.timestamp, UTC)


def newest_change(instance: DagsterInstance, asset: AssetKey, memory: FollowMemory) -> FollowMemory:
    """Return `memory` updated with the newest materialization that changed the asset.

    Materializations with `changed` false in their metadata did not change the table.
    """
    filters = AssetRecordsFilter(asset_key=asset, after_storage_id=memory.seen or None)
    seen, page = memory.seen, None
    while page is None or page.has_more:
        page = instance.fetch_materializations(
            filters, limit=_PAGE, cursor=page.cursor if page else None
        )
        for record in page.records:
            seen = max(seen, record.storage_id)
            if _changed(record):
                changed = {"seen": seen, "changed": record.storage_id}
                return memory.model_copy(update=changed)
    return memory.model_copy(update={"seen": seen})


def hours_changed_after(
    instance: DagsterInstance, asset: AssetKey, storage_id: int
) -> set[datetime]:
    """Return the hours that changed the asset after a storage id, by a thousand records."""
    filters = AssetRecordsFilter(asset_key=asset, after_storage_id=storage_id or None)
    records = instance.fetch_materializations(filters, limit=_MOST_CHANGES).records
    return {
        hour_of_partition(record.partition_key)
        for record in records
        if record.partition_key and _changed(record)
    }


def _changed(record: EventLogRecord) -> bool:
    materialisation = record.asset_materialization
    stated = materialisation.metadata.get("changed") if materialisation else None
    return stated is None or stated.value is not False


def reason_of(event: DagsterEvent) -> str:
    """Return a failed step's name and reason as one line."""
    return ": ".join(step_and_reason_of(event))


def step_and_reason_of(event: DagsterEvent) -> tuple[str, str]:
    """Return a failed step's name, and its reason: a Failure's description, or the exception."""
    step = (event.step_key or "").replace("__", "/")
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return step, failure.user_failure_data.description
    return step, _message_of(failure.error) or "failed"


def reason_of_run(event: DagsterEvent) -> str:
    """Return why a run failed outside its steps, such as a resource that cannot start."""
    return f"the run failed: {_message_of(event.job_failure_data.error) or event.message}"


class _ErrorInfo(Protocol):
    """The exception in one of Dagster's failure events; Dagster exports no name for the type."""

    @property
    def message(self) -> str: ...
    @property
    def cause(self) -> "_ErrorInfo | None": ...


def _message_of(error: _ErrorInfo | None) -> str:
    """Return the message of an exception, empty for None."""
    if error is None:
        return ""
    # Dagster wraps the exception that was raised.
    message = (error.cause or error).message.strip()
    # Messages of our own errors are complete without the class name.
    return message.partition(": ")[2] if message.startswith("amplitude_assets.") else message
