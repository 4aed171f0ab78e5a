"""What the instance knows of runs and materialisations, as the sensors ask for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

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

from amplitude_assets.automation.jobs import HOURLY_ASSETS, HOURS_JOB, MAIN_JOB, MODELS_JOB
from amplitude_assets.automation.models_follow import FollowMemory
from amplitude_assets.checks.lost import CHECKS_THAT_TELL, lost_in

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo

STAGES = tuple(AssetKey.from_user_string(key) for key in HOURLY_ASSETS)
RAW_EVENTS = STAGES[-1]

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


def stages_of(run: DagsterRun) -> list[AssetKey]:
    """Return the hourly assets that a run is over, in the order in which it comes to them."""
    if run.asset_selection:
        return [stage for stage in STAGES if stage in run.asset_selection]
    return list(STAGES) if run.job_name in (HOURS_JOB, MAIN_JOB) else []


def active_runs(instance: DagsterInstance) -> Sequence[DagsterRun]:
    """Return the runs that are queued or under way."""
    return instance.get_runs(RunsFilter(statuses=_ACTIVE))


def count_covering(runs: Sequence[DagsterRun], asset: AssetKey) -> int:
    """Count the runs that materialise an asset."""
    return sum(_covers(run, asset) for run in runs)


def _covers(run: DagsterRun, asset: AssetKey) -> bool:
    if run.asset_selection:
        return asset in run.asset_selection
    return run.job_name in (MAIN_JOB, HOURS_JOB if asset in STAGES else MODELS_JOB)


def count_backfills(instance: DagsterInstance, asset: AssetKey) -> int:
    """Count the backfills under way that include an asset; they may have no run just now."""
    return sum(
        backfill.status.value == "REQUESTED" and asset in (backfill.asset_selection or [asset])
        for backfill in instance.get_backfills(limit=_RECENT_BACKFILLS)
    )


def lost_hours(instance: DagsterInstance) -> set[datetime]:
    """Return the hours that the newest evaluations of the checks say are to be loaded again."""
    return {
        hour
        for check in CHECKS_THAT_TELL
        for evaluation in newest_evaluations(instance, check)[:1]
        for hour in lost_in(evaluation.metadata)
    }


def newest_evaluations(
    instance: DagsterInstance, check: AssetCheckKey
) -> list[AssetCheckEvaluation]:
    """Return what a check found of late, the newest first; runs that are not done with it aside."""
    history = instance.event_log_storage.get_asset_check_execution_history(check, _RECENT_CHECKS)
    events = (record.event.dagster_event for record in history if record.event is not None)
    return [
        event.asset_check_evaluation_data
        for event in events
        if event is not None and event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
    ]


def oldest_materialisation(instance: DagsterInstance, assets: Sequence[AssetKey]) -> int:
    """Return the storage id of the asset whose newest materialisation is oldest; 0 if one is none.

    Ids are in the order in which the instance stored the materialisations.
    """
    newest = {
        record.asset_entry.asset_key: record.asset_entry.last_materialization_record
        for record in instance.get_asset_records(assets)
    }
    records = [newest.get(asset) for asset in assets]
    return min((record.storage_id if record else 0 for record in records), default=0)


def newest_change(instance: DagsterInstance, asset: AssetKey, memory: FollowMemory) -> FollowMemory:
    """Look at an asset's materialisations since `memory`, newest first, for one that changed it.

    One with `changed` false in its metadata put nothing new in the table.
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


def _changed(record: EventLogRecord) -> bool:
    materialisation = record.asset_materialization
    stated = materialisation.metadata.get("changed") if materialisation else None
    return stated is None or stated.value is not False


def reason_of(event: DagsterEvent) -> str:
    """Return a failed step's own words: of a Failure its description, else the exception."""
    step = (event.step_key or "").replace("__", "/")
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return f"{step}: {failure.user_failure_data.description}"
    return f"{step}: {_said(failure.error) or 'failed'}"


def reason_of_run(event: DagsterEvent) -> str:
    """Return why a run failed apart from its steps, such as by a resource that cannot start."""
    return f"the run failed: {_said(event.job_failure_data.error) or event.message}"


def _said(error: "SerializableErrorInfo | None") -> str:
    """Return what an exception says; empty when there is none."""
    if error is None:
        return ""
    # Dagster's own error is around the one that was raised.
    said = (error.cause or error).message.strip()
    # Our errors are written for people, who need not know what class they are.
    return said.partition(": ")[2] if said.startswith("amplitude_assets.") else said
