"""Simulate runs in Dagster's event log, for tests of sensors.

The only module of the tests that creates events by hand, for which it uses Dagster's private names.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from uuid import uuid4

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetKey,
    AssetMaterialization,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    MetadataValue,
)
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import (
    QueuedRunCoordinatorDaemon,
)

from amplitude_assets.assets.keys import HOURLY_ASSETS, RAW_EVENTS
from amplitude_assets.automation.jobs import HOURS_JOB, MODELS_JOB
from amplitude_assets.automation.requests import HISTORY
from amplitude_assets.checks.hours_to_reload import lost
from amplitude_assets.hours import HourRange, hour_of_partition, partition_of_hour
from amplitude_assets.instance.steps import RANGE_END, RANGE_START


class SimulatedRuns:
    """Start and end simulated runs of an instance. Hours are aware, in UTC."""

    def __init__(self, instance: DagsterInstance) -> None:
        self._instance = instance

    def begin_hours(
        self, hours: Iterable[datetime], tags: Mapping[str, str] | None = None
    ) -> DagsterRun:
        """Start a run that will load these hours into bronze."""
        run = self._add(HOURS_JOB, HOURLY_ASSETS, tags or {})
        for hour in hours:
            self._plan(run, RAW_EVENTS, partition_of_hour(hour))
        return run

    def begin_range(self, tags: Mapping[str, str]) -> DagsterRun:
        """Start the run of a run request with range tags."""
        first, last = (hour_of_partition(tags[tag]) for tag in (RANGE_START, RANGE_END))
        return self.begin_hours(HourRange(first, last), tags)

    def begin_models(self, models: Collection[AssetKey]) -> DagsterRun:
        """Start a run that will build the models."""
        run = self._add(MODELS_JOB, models, {})
        for model in models:
            self._plan(run, model, None)
        return run

    def load(self, run: DagsterRun, hour: datetime, *, changed: bool = True) -> None:
        """Materialise an hour of bronze."""
        self._materialise(
            run,
            AssetMaterialization(
                RAW_EVENTS,
                partition=partition_of_hour(hour),
                metadata={"changed": MetadataValue.bool(changed)},
            ),
        )

    def build(self, run: DagsterRun, models: Iterable[AssetKey]) -> None:
        """Materialise models."""
        for model in models:
            self._materialise(run, AssetMaterialization(model))

    def end(self, run: DagsterRun, *, failed: bool = False, canceled: bool = False) -> None:
        """End a run, by default as a success."""
        kind = (
            DagsterEventType.RUN_CANCELED
            if canceled
            else DagsterEventType.RUN_FAILURE
            if failed
            else DagsterEventType.RUN_SUCCESS
        )
        self._instance.report_dagster_event(
            DagsterEvent(event_type_value=kind.value, job_name=run.job_name), run.run_id
        )

    def check(self, check: AssetCheckKey, lost_hours: Iterable[datetime]) -> None:
        """Evaluate a check of bronze that reports these hours as lost."""
        found = lost(lost_hours)
        self._instance.report_runless_asset_event(
            AssetCheckEvaluation(
                check.asset_key, check.name, passed=not found["to_load_again"].value, metadata=found
            )
        )

    def begin_backfill(self) -> PartitionBackfill:
        """Start a backfill of bronze; its runs are started separately."""
        backfill = PartitionBackfill(
            backfill_id=uuid4().hex[:8],
            status=BulkActionStatus.REQUESTED,
            from_failure=False,
            tags={},
            backfill_timestamp=0.0,
            asset_selection=[RAW_EVENTS],
        )
        self._instance.add_backfill(backfill)
        return backfill

    def end_backfill(self, backfill: PartitionBackfill) -> None:
        """End a backfill as a success."""
        ended = backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS)
        self._instance.update_backfill(ended)

    def queue(self, tags: Mapping[str, str]) -> None:
        """Queue a run of hours."""
        self._add(HOURS_JOB, HOURLY_ASSETS, tags, DagsterRunStatus.QUEUED)

    def dequeue(self) -> Counter[str]:
        """Start the runs that Dagster's coordinator dequeues; count them by their limiting tag.

        Runs without such a tag are counted under the empty string.
        """
        dequeued = QueuedRunCoordinatorDaemon(interval_seconds=1)._get_runs_to_dequeue(
            self._instance, self._instance.get_concurrency_config(), fixed_iteration_time=None
        )
        for run in dequeued:
            started = DagsterEvent(DagsterEventType.RUN_START.value, run.job_name)
            self._instance.report_dagster_event(started, run.run_id)
        limited = ("dagster/backfill", HISTORY)
        return Counter(next((tag for tag in limited if tag in run.tags), "") for run in dequeued)

    def _add(
        self,
        job: str,
        assets: Collection[AssetKey],
        tags: Mapping[str, str],
        status: DagsterRunStatus = DagsterRunStatus.STARTED,
    ) -> DagsterRun:
        run = DagsterRun(
            job_name=job,
            run_id=str(uuid4()),
            status=status,
            remote_job_origin=_origin(job) if status is DagsterRunStatus.QUEUED else None,
            asset_selection=frozenset(assets),
            tags=tags,
        )
        return self._instance.add_run(run)

    def _plan(self, run: DagsterRun, asset: AssetKey, partition: str | None) -> None:
        event = DagsterEvent.build_asset_materialization_planned_event(
            run.job_name,
            "__".join(asset.path),
            AssetMaterializationPlannedData(asset, partition=partition, partitions_subset=None),
        )
        self._instance.report_dagster_event(event, run.run_id)

    def _materialise(self, run: DagsterRun, materialisation: AssetMaterialization) -> None:
        event = DagsterEvent(
            event_type_value=DagsterEventType.ASSET_MATERIALIZATION.value,
            job_name=run.job_name,
            step_key="__".join(materialisation.asset_key.path),
            event_specific_data=StepMaterializationData(materialisation),
        )
        self._instance.report_dagster_event(event, run.run_id)


def _origin(job: str) -> RemoteJobOrigin:
    location = RegisteredCodeLocationOrigin("amplitude_assets")
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job)
