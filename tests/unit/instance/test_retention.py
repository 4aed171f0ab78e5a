"""Retention deletes old runs with their files and keeps every hour of the grid."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetObservation,
    BackfillPolicy,
    DagsterInstance,
    DagsterRunStatus,
    HourlyPartitionsDefinition,
    MaterializeResult,
    asset,
    materialize,
)
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from amplitude_assets.automation.maintenance import clear_history
from amplitude_assets.config import Settings
from amplitude_assets.instance.home import open_instance
from tests.support.simulated_runs import SimulatedRuns

pytestmark = pytest.mark.integration

PARTITIONS = HourlyPartitionsDefinition("2026-09-01-00:00", end_date="2026-09-01-12:00")
HOURS = list(PARTITIONS.get_partition_keys())
HOURLY = AssetKey("hourly")
CHECK = AssetCheckKey(HOURLY, "is_valid")
KEPT_FOR = timedelta(days=30)


@asset(
    key=HOURLY,
    partitions_def=PARTITIONS,
    backfill_policy=BackfillPolicy.single_run(),
    check_specs=[AssetCheckSpec(CHECK.name, asset=HOURLY)],
)
def hourly(context: AssetExecutionContext) -> Iterator[AssetCheckResult | MaterializeResult[None]]:
    for key in context.partition_keys:
        context.add_asset_metadata({"run": context.run.run_id}, partition_key=key)
        context.log_event(AssetObservation(HOURLY, partition=key, metadata={"seen": True}))
    print("said")  # noqa: T201 - a compute log to delete
    yield MaterializeResult()
    yield AssetCheckResult(passed=True)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with open_instance(Settings()) as instance:
        yield instance


def run_hours(
    instance: DagsterInstance, first: str, last: str, tags: Mapping[str, str] | None = None
) -> str:
    requested = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    run = materialize([hourly], instance=instance, tags={**requested, **(tags or {})})
    return run.run_id


def clear(instance: DagsterInstance, after: timedelta, **settings: object) -> str:
    return clear_history(Settings(**settings), instance, datetime.now(UTC) + after)


def of_hours(instance: DagsterInstance) -> dict[str | None, object]:
    """Return the run id in each hour's newest materialization."""
    newest: dict[str | None, object] = {}
    for record in reversed(instance.fetch_materializations(HOURLY, limit=1000).records):
        materialization = record.asset_materialization
        assert materialization is not None
        newest[materialization.partition] = materialization.metadata["run"].value
    return newest


def files_of(run_id: str) -> list[Path]:
    return [path for path in Settings().dagster_home_path.rglob("*") if run_id in str(path)]


def test_old_runs_are_deleted_and_the_grid_of_hours_stays_complete(
    instance: DagsterInstance,
) -> None:
    old = run_hours(instance, HOURS[0], HOURS[-1])
    again = run_hours(instance, HOURS[3], HOURS[4])
    assert files_of(old)
    before = of_hours(instance)
    clear(instance, KEPT_FOR + timedelta(hours=1))
    assert instance.get_runs() == []
    assert files_of(old) + files_of(again) == []
    assert of_hours(instance) == before
    assert len(instance.fetch_materializations(HOURLY, limit=1000).records) == len(HOURS)
    assert len(instance.fetch_observations(HOURLY, limit=1000).records) == len(HOURS)
    grid = instance.get_status_by_partition(HOURLY, HOURS, PARTITIONS)
    assert grid is not None
    assert {status.name for status in grid.values() if status} == {"MATERIALIZED"}
    assert list(grid) == HOURS
    (record,) = instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=100)
    assert record.status.name == "SUCCEEDED"
    assert record.run_id == again


def test_a_younger_run_is_shortened(instance: DagsterInstance) -> None:
    run_hours(instance, HOURS[0], HOURS[0])
    run = run_hours(instance, HOURS[0], HOURS[-1])
    (log,) = [path for path in files_of(run) if path.suffix == ".db"]
    before, size = of_hours(instance), log.stat().st_size
    kinds = {str(entry.dagster_event_type) for entry in instance.all_logs(run)}
    clear(instance, timedelta(days=2))
    assert instance.get_runs_count() == 2
    assert of_hours(instance) == before
    assert log.stat().st_size < size
    gone = kinds - {str(entry.dagster_event_type) for entry in instance.all_logs(run)}
    assert gone == {
        "DagsterEventType.ASSET_MATERIALIZATION_PLANNED",
        "DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED",
        "DagsterEventType.ASSET_CHECK_EVALUATION",  # it passed
        "DagsterEventType.STEP_OUTPUT",
    }
    (record,) = instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=100)
    assert record.status.name == "SUCCEEDED"
    assert record.run_id == run  # of the day's two, the newest


def test_active_runs_and_runs_of_an_active_backfill_are_kept(
    instance: DagsterInstance,
) -> None:
    backfill = PartitionBackfill(
        "a-year", BulkActionStatus.REQUESTED, from_failure=False, tags={},
        backfill_timestamp=0.0, asset_selection=[HOURLY], partition_names=HOURS,
        partition_set_origin=None, reexecution_steps=None,
    )  # fmt: skip
    instance.add_backfill(backfill)
    needed = run_hours(instance, HOURS[0], HOURS[1], {"dagster/backfill": "a-year"})
    active = SimulatedRuns(instance).begin_hours([])
    clear(instance, 2 * KEPT_FOR)
    kept = {run.run_id: run.status for run in instance.get_runs()}
    assert kept.keys() == {needed, active.run_id}
    assert kept[active.run_id] is not DagsterRunStatus.SUCCESS
    instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS))
    clear(instance, 3 * KEPT_FOR)
    assert [run.run_id for run in instance.get_runs()] == [active.run_id]


def test_retention_is_applied_once_a_day(instance: DagsterInstance) -> None:
    clear(instance, timedelta(0))
    run = run_hours(instance, HOURS[0], HOURS[0])
    days = timedelta(days=2, hours=1)
    assert "Not due" in clear(instance, timedelta(hours=19))
    assert "Deleted 1 run" in clear(instance, days, retention_days=2)
    assert "Not due" in clear(instance, days + timedelta(hours=1))
    assert files_of(run) == []


def test_dbt_artifacts_are_compressed_after_a_day_and_deleted_after_the_retention(
    instance: DagsterInstance,
) -> None:
    targets = Settings().data_dir / "dbt"
    ages = {"new": 0, "yesterdays": 2, "months": 31, "killed": 2}
    for name, days in ages.items():
        folder = targets / name
        (folder / "run").mkdir(parents=True)
        for file in ("run/model.sql", "dbt.log", *(["run_results.json"] * (name != "killed"))):
            (folder / file).write_text("{}")
        written = datetime.now(UTC).timestamp() - days * 86_400
        os.utime(folder, (written, written))
    clear(instance, timedelta(0))
    left = sorted(str(path.relative_to(targets)) for path in targets.rglob("*") if path.is_file())
    assert left == [
        "new/dbt.log",
        "new/run/model.sql",
        "new/run_results.json",
        "yesterdays/run_results.json.gz",
    ]
    clear(instance, timedelta(days=29))
    assert sorted(path.name for path in targets.iterdir()) == ["new"]
