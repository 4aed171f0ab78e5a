"""Dagster's instance as we set it up: the queue, the pools, what is retried and what is kept."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    BackfillPolicy,
    DagsterEventType,
    DagsterInstance,
    EventLogEntry,
    EventRecordsFilter,
    MaterializeResult,
    StaticPartitionsDefinition,
    asset,
    job,
    materialize,
    op,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from amplitude_assets.automation.requests import (
    HISTORY,
    MODELS_PRIORITY,
    PRIORITIES,
    Reason,
    hours_request,
)
from amplitude_assets.config import Settings
from amplitude_assets.hours import HourRange, parse_hour
from amplitude_assets.instance import AMPLITUDE_POOL, WAREHOUSE_POOL, open_instance
from tests.support.simulated_runs import SimulatedRuns

HOUR_5 = HourRange(parse_hour("2026-09-01T05"), parse_hour("2026-09-01T05"))


def opened() -> DagsterInstance:
    return open_instance(Settings())


def test_the_pools_have_a_limit_of_their_own_from_the_start() -> None:
    for _ in range(2):
        with opened() as instance:
            pools = {
                limit.name: limit.limit for limit in instance.event_log_storage.get_pool_limits()
            }
            assert pools == {AMPLITUDE_POOL: 1, WAREHOUSE_POOL: 1}
            assert not any(
                limit.from_default for limit in instance.event_log_storage.get_pool_limits()
            )


def test_dagsters_files_have_one_engine_each() -> None:
    """An engine remembers the statements that it has compiled."""
    with opened() as instance:
        storage = instance.event_log_storage
        assert isinstance(storage, SqliteEventLogStorage)
        engines = []
        for connection in (
            storage.index_connection(),
            storage.index_connection(),
            storage.run_connection("a-run"),
        ):
            with connection as connected:
                engines.append(connected.engine)
        first, again, of_a_run = engines
        assert again is first
        assert of_a_run is not first


def test_a_home_is_read_wherever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened() as instance:
        SimulatedRuns(instance).queue({})
    home = Settings().dagster_home_path
    moved = home.rename(tmp_path / "elsewhere")
    monkeypatch.delenv("DAGSTER_HOME")
    with DagsterInstance.from_config(str(moved)) as instance:
        assert instance.get_runs_count() == 1
    assert not home.exists()


HOURS = [f"2026-09-01-0{hour}:00" for hour in range(5)]
HOURLY = AssetKey("hourly")
CHECK = AssetCheckKey(HOURLY, "is_well")


@asset(
    key=HOURLY,
    partitions_def=StaticPartitionsDefinition(HOURS),
    backfill_policy=BackfillPolicy.single_run(),
    check_specs=[AssetCheckSpec(CHECK.name, asset=HOURLY)],
)
def hourly(context: AssetExecutionContext) -> Iterator[AssetCheckResult | MaterializeResult[None]]:
    storage = context.instance.event_log_storage
    (check,) = storage.get_asset_check_execution_history(CHECK, limit=1)
    for number, key in enumerate(context.partition_keys):
        figures = {"number": number, "its check is": check.status.name}
        context.add_asset_metadata(figures, partition_key=key)
    yield MaterializeResult()
    yield AssetCheckResult(passed=True)


def recorded_of_hours(instance: DagsterInstance) -> dict[str, object]:
    """Run the asset for its hours and return what Dagster then knows of it, by hour."""
    hours = {"dagster/asset_partition_range_start": HOURS[0]}
    hours |= {"dagster/asset_partition_range_end": HOURS[-1]}
    run = materialize([hourly], instance=instance, tags=hours)
    storage, many = instance.event_log_storage, len(HOURS)
    events = [entry.get_dagster_event() for entry in instance.all_logs(run.run_id)]
    plans = EventRecordsFilter(DagsterEventType.ASSET_MATERIALIZATION_PLANNED, asset_key=HOURLY)
    (known,) = instance.get_asset_records([HOURLY])
    materialised = {}
    for record in instance.fetch_materializations(HOURLY, limit=many).records:
        told = record.asset_materialization
        assert told is not None
        (tags,) = storage.get_event_tags_for_asset(HOURLY, filter_event_id=record.storage_id)
        assert tags.items() <= told.tags.items()
        is_newest = record == known.asset_entry.last_materialization_record
        materialised[told.partition] = (told.metadata, sorted(tags), is_newest, record.run_id)
    return {
        "log": sorted(f"{event.event_type} {event.partition}" for event in events),
        "planned": sorted(
            one.partition_key or ""
            for one in storage.get_event_records(plans, limit=many)
            if one.run_id == run.run_id
        ),
        "materialised": {
            hour: told for hour, (*told, run_id) in materialised.items() if run_id == run.run_id
        },
    }


def test_events_that_come_together_are_written_together_and_as_dagster_writes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened() as instance:
        alone: list[str] = []
        store_event = SqliteEventLogStorage.store_event

        def noting(storage: SqliteEventLogStorage, event: EventLogEntry) -> None:
            alone.append(str(event.dagster_event_type))
            store_event(storage, event)

        monkeypatch.setattr(SqliteEventLogStorage, "store_event", noting)
        together = recorded_of_hours(instance)
        assert "DagsterEventType.STEP_START" in alone
        assert "DagsterEventType.ASSET_MATERIALIZATION" not in alone
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
        assert recorded_of_hours(instance) == together
        assert alone.count("DagsterEventType.ASSET_MATERIALIZATION") == len(HOURS)


def test_history_never_takes_the_whole_queue() -> None:
    """Dagster's own coordinator over a long queue of history, and last in it what is new."""
    with opened() as instance:
        runs = SimulatedRuns(instance)
        for number in range(50):
            runs.queue({"dagster/backfill": "a-year", "dagster/priority": str(number)})
        for reason in (Reason.GAP, Reason.CARRIED_ON, Reason.FAILED_BEFORE, Reason.RECHECK):
            runs.queue(dict(hours_request(HOUR_5, reason).tags))
        assert runs.leave_the_queue() == Counter({"dagster/backfill": 2, HISTORY: 1})
        assert runs.leave_the_queue() == Counter(), "history took more than its part"
        runs.queue(dict(hours_request(HOUR_5, Reason.NEW).tags))
        runs.queue({"dagster/priority": str(MODELS_PRIORITY)})
        assert runs.leave_the_queue() == Counter({"": 2})
    assert max(PRIORITIES, key=lambda reason: PRIORITIES[reason]) is Reason.NEW


def test_what_is_new_leaves_the_queue_before_history_that_waits_longer() -> None:
    with opened() as instance:
        runs = SimulatedRuns(instance)
        for _ in range(2):
            runs.queue({"dagster/backfill": "a-year"})
        runs.queue(dict(hours_request(HOUR_5, Reason.GAP).tags))
        for _ in range(5):
            runs.queue(dict(hours_request(HOUR_5, Reason.NEW).tags))
        assert runs.leave_the_queue() == Counter({"": 5})


def test_only_a_lost_worker_is_worth_a_new_run() -> None:
    with opened() as instance:
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 2
        assert instance.run_retries_retry_on_asset_or_op_failure is False
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled


def test_what_a_step_prints_is_kept_for_the_ui() -> None:
    @op
    def talks() -> None:
        sys.stdout.write("said\n")
        sys.stderr.write("complained\n")

    @job
    def talk() -> None:
        talks()

    with opened() as instance:
        run = talk.execute_in_process(instance=instance)
        (event,) = run.filter_events(lambda one: one.event_type is DagsterEventType.LOGS_CAPTURED)
        key = [run.run_id, "compute_logs", event.logs_captured_data.file_key]
        kept = instance.compute_log_manager.get_log_data(key)
        assert instance.compute_log_manager.is_capture_complete(key)
    assert kept.stdout == b"said\n"
    assert b"complained\n" in (kept.stderr or b"")


def test_an_instances_own_configuration_is_kept() -> None:
    opened().dispose()
    config = Settings().dagster_home_path / "dagster.yaml"
    config.write_text(
        "telemetry:\n  enabled: false\nconcurrency:\n  runs: {max_concurrent_runs: 9}\n"
        "compute_logs:\n  module: dagster._core.storage.noop_compute_log_manager\n"
        "  class: NoOpComputeLogManager\n"
    )
    with opened() as instance:
        assert type(instance.compute_log_manager).__name__ == "NoOpComputeLogManager"
        queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 9
