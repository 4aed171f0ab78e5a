"""Dagster's instance with our configuration: queue, pools, retries and storage."""

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
    HourlyPartitionsDefinition,
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
from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.hours import HourRange, parse_hour
from amplitude_assets.instance.home import open_instance
from amplitude_assets.instance.pools import AMPLITUDE_POOL, WAREHOUSE_POOL
from tests.support.simulated_runs import SimulatedRuns

pytestmark = pytest.mark.integration

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
    """An engine caches its compiled statements."""
    with opened() as instance:
        storage = instance.event_log_storage
        assert isinstance(storage, SqliteEventLogStorage)
        engines = []
        for connection in (
            storage.index_connection(),
            storage.index_connection(),
            storage.run_connection("a-run"),
        ):
            with connection as open_connection:
                engines.append(open_connection.engine)
        first, again, of_a_run = engines
        assert again is first
        assert of_a_run is not first


def test_a_home_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
CHECK = AssetCheckKey(HOURLY, "is_valid")


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
        figures = {"number": number, "check_status": check.status.name}
        context.add_asset_metadata(figures, partition_key=key)
    yield MaterializeResult()
    yield AssetCheckResult(passed=True)


def recorded_of_hours(instance: DagsterInstance) -> dict[str, object]:
    """Run the asset for its hours, and return Dagster's records of it by hour."""
    hours = {"dagster/asset_partition_range_start": HOURS[0]}
    hours |= {"dagster/asset_partition_range_end": HOURS[-1]}
    run = materialize([hourly], instance=instance, tags=hours)
    storage, many = instance.event_log_storage, len(HOURS)
    events = [entry.get_dagster_event() for entry in instance.all_logs(run.run_id)]
    plans = EventRecordsFilter(DagsterEventType.ASSET_MATERIALIZATION_PLANNED, asset_key=HOURLY)
    (known,) = instance.get_asset_records([HOURLY])
    materialised = {}
    for record in instance.fetch_materializations(HOURLY, limit=many).records:
        materialization = record.asset_materialization
        assert materialization is not None
        (tags,) = storage.get_event_tags_for_asset(HOURLY, filter_event_id=record.storage_id)
        assert tags.items() <= materialization.tags.items()
        is_newest = record == known.asset_entry.last_materialization_record
        materialised[materialization.partition] = (
            materialization.metadata,
            sorted(tags),
            is_newest,
            record.run_id,
        )
    return {
        "log": sorted(f"{event.event_type} {event.partition}" for event in events),
        "planned": sorted(
            one.partition_key or ""
            for one in storage.get_event_records(plans, limit=many)
            if one.run_id == run.run_id
        ),
        "materialised": {
            hour: materialization
            for hour, (*materialization, run_id) in materialised.items()
            if run_id == run.run_id
        },
    }


def test_a_batch_of_events_is_stored_as_dagster_stores_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened() as instance:
        stored_singly: list[str] = []
        store_event = SqliteEventLogStorage.store_event

        def recording(storage: SqliteEventLogStorage, event: EventLogEntry) -> None:
            stored_singly.append(str(event.dagster_event_type))
            store_event(storage, event)

        monkeypatch.setattr(SqliteEventLogStorage, "store_event", recording)
        batched = recorded_of_hours(instance)
        assert "DagsterEventType.STEP_START" in stored_singly
        assert "DagsterEventType.ASSET_MATERIALIZATION" not in stored_singly
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
        assert recorded_of_hours(instance) == batched
        assert stored_singly.count("DagsterEventType.ASSET_MATERIALIZATION") == len(HOURS)


def test_each_hour_has_its_own_millisecond_in_the_order_of_hours() -> None:
    """An asset's Events tab shows one row per run and millisecond, so hours must not share one."""
    partitions = HourlyPartitionsDefinition("2026-09-01-00:00", end_date="2026-09-06-00:00")
    hours = list(partitions.get_partition_keys())

    @asset(partitions_def=partitions, backfill_policy=BackfillPolicy.single_run())
    def many() -> None: ...

    tags = {"dagster/asset_partition_range_start": hours[0]}
    tags |= {"dagster/asset_partition_range_end": hours[-1]}
    with opened() as instance:
        run = materialize([many], instance=instance, tags=tags)
        log = instance.all_logs(run.run_id)
    at = [int(entry.timestamp * 1000) for entry in log]
    assert at == sorted(at), "the run's log goes back in time"
    shown = {
        int(entry.timestamp * 1000): entry.get_dagster_event().partition
        for entry in log
        if entry.dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION
    }
    assert [shown[millisecond] for millisecond in sorted(shown)] == hours


def test_history_never_fills_the_queue() -> None:
    """Run Dagster's coordinator on a long queue of history with new hours at its end."""
    with opened() as instance:
        runs = SimulatedRuns(instance)
        for number in range(50):
            runs.queue({"dagster/backfill": "a-year", "dagster/priority": str(number)})
        for reason in (Reason.GAP, Reason.CARRIED_ON, Reason.FAILED_BEFORE, Reason.RECHECK):
            runs.queue(dict(hours_request(HOUR_5, reason).tags))
        assert runs.dequeue() == Counter({"dagster/backfill": 2, HISTORY: 1})
        assert runs.dequeue() == Counter(), "history exceeded its share"
        runs.queue(dict(hours_request(HOUR_5, Reason.NEW).tags))
        runs.queue({"dagster/priority": str(MODELS_PRIORITY)})
        assert runs.dequeue() == Counter({"": 2})
    assert max(PRIORITIES, key=lambda reason: PRIORITIES[reason]) is Reason.NEW


def test_new_hours_leave_the_queue_before_older_requests_of_history() -> None:
    with opened() as instance:
        runs = SimulatedRuns(instance)
        for _ in range(2):
            runs.queue({"dagster/backfill": "a-year"})
        runs.queue(dict(hours_request(HOUR_5, Reason.GAP).tags))
        for _ in range(5):
            runs.queue(dict(hours_request(HOUR_5, Reason.NEW).tags))
        assert runs.dequeue() == Counter({"": 5})


def test_only_a_lost_worker_is_retried_as_a_new_run() -> None:
    with opened() as instance:
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 2
        assert instance.run_retries_retry_on_asset_or_op_failure is False
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled


def test_step_output_is_kept_for_the_ui() -> None:
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


def test_a_changed_configuration_is_kept() -> None:
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


def test_the_setting_for_public_apis_switches_a_generated_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = Settings().dagster_home_path
    for value, kind in (("false", "BatchingInstance"), ("true", "DagsterInstance")) * 2:
        monkeypatch.setenv("DAGSTER_PUBLIC_API_ONLY", value)
        with opened() as instance:
            assert type(instance).__name__ == kind
            SimulatedRuns(instance).queue({})
        # Dagster's own processes read the file and not the setting.
        assert ("instance_class" in (home / "dagster.yaml").read_text()) is (value == "false")
    with opened() as instance:
        assert instance.get_runs_count() == 4


def test_the_setting_for_public_apis_rejects_an_edited_file_that_names_our_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened().dispose()
    config = Settings().dagster_home_path / "dagster.yaml"
    config.write_text(config.read_text() + "# mine\n")
    monkeypatch.setenv("DAGSTER_PUBLIC_API_ONLY", "true")
    with pytest.raises(SettingsError, match="yaml names the class BatchingInstance"):
        opened()
    config.write_text("# not BatchingInstance\ntelemetry:\n  enabled: false\n")
    with opened() as instance:
        assert type(instance) is DagsterInstance
