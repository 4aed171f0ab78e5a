"""Sensors and schedules over the real assets; their run requests are executed in this process."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import (
    AssetKey,
    AssetRecordsFilter,
    DagsterInstance,
    ExecuteInProcessResult,
    ReexecutionOptions,
    RetryPolicy,
    RunRequest,
    SkipReason,
    build_schedule_context,
    build_sensor_context,
    execute_job,
)
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableRepository

from amplitude_assets.assets.keys import HOURLY_ASSETS
from amplitude_assets.automation.requests import REASON, range_tags
from amplitude_assets.config import Settings, load_settings
from amplitude_assets.definitions import build_definitions
from amplitude_assets.emulator import (
    API_KEY,
    SECRET_KEY,
    Emulator,
    Fault,
    FaultKind,
    serve,
)
from amplitude_assets.hours import (
    HOUR,
    HourRange,
    api_parameter,
    hour_of_partition,
    last_exportable_hour,
    partition_of_hour,
)
from amplitude_assets.instance.home import open_instance
from amplitude_assets.instance.steps import RANGE_END, RANGE_START
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.support.simulated_runs import SimulatedRuns
from tests.support.worlds import lively_world

PROJECT = 734517
# One time for the whole file: a new hour during the test would move the look-back window.
NOW = datetime.now(UTC)
NEWEST = last_exportable_hour(NOW, 2)
WORLD = lively_world(HourRange(NEWEST - 7 * HOUR, NEWEST), 60, PROJECT)
BRONZE = AssetKey(["bronze", "raw_events"])
_QUIET_LOGGERS = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Pipeline:
    """An instance and the graph, with the daemon's work: evaluate sensors, execute run requests."""

    def __init__(self, settings: Settings, instance: DagsterInstance, emulator: Emulator) -> None:
        self.settings = settings
        self.instance = instance
        self.emulator = emulator
        self.graph = build_definitions(
            settings, clock=lambda: NOW, step_retry=RetryPolicy(max_retries=0)
        )
        self.warehouse = DuckDBWarehouse(settings.resolved_duckdb_path)
        self._cursors: dict[str, str | None] = {}

    def evaluate(self, sensor: str) -> list[RunRequest]:
        """Evaluate a sensor from its last cursor, as the daemon does; return its run requests."""
        context = build_sensor_context(instance=self.instance, cursor=self._cursors.get(sensor))
        tick = self.graph.get_repository_def().get_sensor_def(sensor).evaluate_tick(context)
        self._cursors[sensor] = tick.cursor
        return list(tick.run_requests or [])

    def run(self, job: str, request: RunRequest) -> ExecuteInProcessResult:
        """Execute a run request in this process."""
        return self.graph.resolve_job_def(job).execute_in_process(
            run_config=_QUIET_LOGGERS,
            instance=self.instance,
            tags=request.tags,
            asset_selection=request.asset_selection,
            raise_on_error=False,
        )

    def load(self, hours: HourRange) -> ExecuteInProcessResult:
        return self.run("hours_job", RunRequest(tags=range_tags(hours)))

    def build(self) -> None:
        """Record a run that built all models; `test_processes.py` builds them with dbt."""
        graph = self.graph.resolve_asset_graph()
        models = graph.materializable_asset_keys - set(HOURLY_ASSETS)
        runs = SimulatedRuns(self.instance)
        run = runs.begin_models(models)
        runs.build(run, models)
        runs.end(run)

    def in_bronze(self) -> set[datetime]:
        keys = self.instance.get_materialized_partitions(BRONZE)
        return {hour_of_partition(key) for key in keys}

    def take_requested_ranges(self) -> list[tuple[str, str]]:
        """Return the ranges of the API requests since the last call."""
        asked = [(request.start, request.end) for request in self.emulator.requests]
        self.emulator.requests.clear()
        return asked


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    with serve(WORLD) as emulator:
        for name, value in {
            "AMPLITUDE_BASE_URL": emulator.base_url,
            "AMPLITUDE_API_KEY": API_KEY,
            "AMPLITUDE_SECRET_KEY": SECRET_KEY,
            "AMPLITUDE_PROJECT_ID": str(PROJECT),
            "AMPLITUDE_REQUEST_HOURS": "6",
            "LOOKBACK_DAYS": "1",
        }.items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        with open_instance(settings) as instance:
            yield Pipeline(settings, instance, emulator)


def _range(request: RunRequest) -> HourRange:
    return HourRange(
        hour_of_partition(request.tags[RANGE_START]), hour_of_partition(request.tags[RANGE_END])
    )


def test_new_hours_are_loaded_and_the_models_follow_once(pipeline: Pipeline) -> None:
    (request,) = pipeline.evaluate("new_hours")
    recent = HourRange(_range(request).first, _range(request).last)
    assert len(recent) == 24
    assert pipeline.evaluate("models_follow_bronze") == []
    assert pipeline.run("hours_job", request).success
    assert pipeline.in_bronze() == set(recent)
    assert len(pipeline.evaluate("models_follow_bronze")) == 1
    pipeline.build()
    assert pipeline.evaluate("models_follow_bronze") == []
    # The same hours again: nothing has changed, so there is nothing to build.
    assert pipeline.load(recent).success
    assert pipeline.evaluate("models_follow_bronze") == []


def test_one_bad_hour_does_not_block_the_others_and_is_requested_separately(
    pipeline: Pipeline,
) -> None:
    hours = HourRange(NEWEST - 7 * HOUR, NEWEST)
    bad = NEWEST - 3 * HOUR
    pipeline.emulator.add_fault(Fault(FaultKind.STATUS_400_TOO_LARGE, (bad, bad)))
    assert pipeline.evaluate("carry_on") == []
    assert not pipeline.load(hours).success
    assert pipeline.in_bronze() == set()
    pipeline.take_requested_ranges()
    carried_on = pipeline.evaluate("carry_on")
    assert [_range(request) for request in carried_on] == [
        HourRange(hours.first, bad - HOUR),
        HourRange(bad + HOUR, hours.last),
    ]
    for request in carried_on:
        assert request.asset_selection == list(HOURLY_ASSETS[1:])
        assert pipeline.run("hours_job", request).success
    assert pipeline.in_bronze() == set(hours) - {bad}
    assert pipeline.take_requested_ranges() == [], "hours that had arrived were asked for again"
    assert pipeline.evaluate("carry_on") == []
    # The bad hour backs off; the other missing hours of the look-back are requested without it.
    requests = pipeline.evaluate("new_hours")
    assert requests
    assert not any(bad in _range(request) for request in requests)


def test_re_execution_from_failure_requests_only_the_bad_hour(pipeline: Pipeline) -> None:
    hours = HourRange(NEWEST - 5 * HOUR, NEWEST)
    bad = NEWEST - 2 * HOUR
    pipeline.emulator.add_fault(Fault(FaultKind.STATUS_400_TOO_LARGE, (bad, bad)))
    repository = ReconstructableRepository(
        ModuleCodePointer("amplitude_assets.definitions", "defs", str(Path.cwd()))
    )
    job = repository.get_reconstructable_job("hours_job")
    with execute_job(
        job, instance=pipeline.instance, tags=range_tags(hours), raise_on_error=False
    ) as failed:
        assert not failed.success
    pipeline.emulator.clear_faults()
    pipeline.take_requested_ranges()
    again = ReexecutionOptions.from_failure(failed.run_id, pipeline.instance)
    with execute_job(
        job, instance=pipeline.instance, tags=range_tags(hours), reexecution_options=again
    ) as retried:
        assert retried.success
    assert pipeline.take_requested_ranges() == [(api_parameter(bad), api_parameter(bad))]
    assert pipeline.in_bronze() == set(hours)


def test_rejected_credentials_fail_the_run_without_retry(pipeline: Pipeline) -> None:
    pipeline.emulator.add_fault(Fault(FaultKind.STATUS_401))
    # With the step retries of production.
    pipeline.graph = build_definitions(pipeline.settings, clock=lambda: NOW)
    hours = HourRange(NEWEST - 5 * HOUR, NEWEST)
    result = pipeline.load(hours)
    assert not result.success
    assert pipeline.take_requested_ranges() == [
        (api_parameter(hours.first), api_parameter(hours.last))
    ]
    assert [event for event in result.all_events if event.is_step_up_for_retry] == []


def test_the_nightly_recheck_reloads_only_changed_hours(
    pipeline: Pipeline,
) -> None:
    hours = HourRange(NEWEST - 5 * HOUR, NEWEST)
    was_empty = hours.first
    had_fewer, had_more = NEWEST - 2 * HOUR, NEWEST - HOUR
    more = Fault(FaultKind.DUPLICATE_KEYS, (had_more, had_more))
    less = Fault(FaultKind.DUPLICATE_KEYS, (had_fewer, had_fewer))
    pipeline.emulator.add_fault(Fault(FaultKind.HOUR_NOT_FOUND, (was_empty, was_empty)))
    pipeline.emulator.add_fault(more)
    assert pipeline.load(hours).success
    before = pipeline.warehouse.ledger(PROJECT, hours)
    assert before[was_empty].status == "empty"
    pipeline.emulator.clear_faults()
    pipeline.emulator.add_fault(less)

    settings = pipeline.settings.model_copy(update={"recheck_hours": 3})
    asked = _recheck(pipeline, settings)
    assert [(_range(request), request.tags[REASON]) for request in asked] == [
        (HourRange(was_empty, was_empty), "recheck"),
        (HourRange(NEWEST - 2 * HOUR, NEWEST), "recheck"),
    ]
    for request in asked:
        assert pipeline.run("hours_job", request).success
    after = pipeline.warehouse.ledger(PROJECT, hours)
    changed = {hour for hour in hours if after[hour].load_id != before[hour].load_id}
    assert changed == {was_empty, had_fewer}
    assert after[was_empty].status == "loaded"
    assert _event_changes(pipeline, was_empty) == (after[was_empty].lines, 0)
    added = {json.loads(line)["uuid"] for line in less.extra_lines(had_fewer)}
    assert _event_changes(pipeline, had_fewer) == (len(added), 0)
    # Fewer events than before: bronze keeps the old events until the shrink is confirmed.
    assert _event_changes(pipeline, had_more) == (0, 0)
    assert after[had_more].lines == before[had_more].lines
    in_question = {hour: row.events_in_question for hour, row in after.items()}
    assert in_question == {**dict.fromkeys(hours, 0), had_more: len(more.extra_lines(had_more))}
    # It is requested again outside the recheck window as well, until it is settled.
    later = [
        _range(one) for one in _recheck(pipeline, settings.model_copy(update={"recheck_hours": 0}))
    ]
    assert later == [HourRange(had_more, had_more)]
    assert _event_changes(pipeline, NEWEST) == (0, 0)


def test_maintenance_deletes_old_temporary_files_and_keeps_current_ones(pipeline: Pipeline) -> None:
    assert pipeline.load(HourRange(NEWEST - HOUR, NEWEST)).success
    lake = pipeline.settings.data_dir / "lake"
    kept = {path for path in lake.rglob("*") if path.is_file()}
    partial_file = lake / "events" / "half.json.gz#1"
    partial_file.write_bytes(b"half")
    later = NOW + timedelta(days=3)
    pipeline.graph = build_definitions(pipeline.settings, clock=lambda: later)
    result = pipeline.run("maintenance_job", RunRequest())
    assert result.success
    landing = pipeline.settings.data_dir / "landing"
    assert [path for path in landing.rglob("*") if path.is_file()] == []
    assert {path for path in lake.rglob("*") if path.is_file()} == kept
    page = (pipeline.settings.data_dir / "dbt-docs" / "static_index.html").read_text()
    assert "rpt_data_quality" in page
    assert "Every Amplitude event, hour by hour" in page
    assert "@media print" in page


def _recheck(pipeline: Pipeline, settings: Settings) -> list[RunRequest]:
    graph = build_definitions(settings, clock=lambda: NOW)
    schedule = graph.get_repository_def().get_schedule_def("nightly_recheck")
    context = build_schedule_context(instance=pipeline.instance, scheduled_execution_time=NOW)
    found = schedule(context)
    assert not isinstance(found, SkipReason)
    return list(found)


def _event_changes(pipeline: Pipeline, hour: datetime) -> tuple[int, int]:
    """Return the added and removed events in the newest delivery of an hour."""
    records_filter = AssetRecordsFilter(
        asset_key=AssetKey("s3_event_objects"), asset_partitions=[partition_of_hour(hour)]
    )
    (record,) = pipeline.instance.fetch_materializations(records_filter, limit=1).records
    metadata = record.asset_materialization.metadata
    return metadata["events_added"].value, metadata["events_removed"].value
